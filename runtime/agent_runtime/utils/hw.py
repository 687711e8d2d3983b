"""How much of the processor this process may use, and how much of that is used."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

CGROUP: Final = Path("/sys/fs/cgroup")
PROC: Final = Path("/proc")


class CPUMonitor:
    """Reads one source of the processor's use.

    Args:
        cores: how many cores may be used; a container's quota may be a part of one.
        used: seconds of processor time that were used so far; only differences mean anything.
    """

    def __init__(self, cores: float, used: Callable[[], float]) -> None:
        self._cores = cores
        self.used = used

    def cpu_count(self) -> float:
        """How many cores may be used; a container's quota may be a part of one."""
        return self._cores

    def cpu_percent(self, interval: float = 0.5) -> float:
        """The share that is used, 0 to 1, over the next `interval` seconds. Blocks."""
        before, began = self.used(), time.monotonic()
        time.sleep(interval)
        return self.share(self.used() - before, time.monotonic() - began)

    def share(self, used: float, seconds: float) -> float:
        """What share of the cores it is to have used so much in so many seconds, 0 to 1."""
        return min(max(used / (seconds * self._cores), 0.0), 1.0) if seconds > 0 else 0.0


def get_cpu_monitor(cgroup: Path = CGROUP, proc: Path = PROC) -> CPUMonitor:
    """The source that fits: a container's quota where there is one, else the whole machine.

    `NUM_CPUS` says how many cores there are where neither can. Where there is no `/proc` (macOS, Windows) it is the
    use by this process and its children that ended.
    """
    quota, used = _cgroup(cgroup)
    cores = _told() or quota or float(os.cpu_count() or 1)
    if quota is None or used is None:
        used = _machine_reader(proc)
    return CPUMonitor(cores, used)


def _told() -> float | None:
    try:
        return max(float(os.environ["NUM_CPUS"]), 0.0) or None
    except (KeyError, ValueError):
        return None


def _cgroup(root: Path) -> tuple[float | None, Callable[[], float] | None]:
    """The container's share of the processor, in cores, and how to read its use; version 2, else version 1."""
    words = _words(root / "cpu.max")
    if words and words[0] != "max":
        period = float(words[1]) if len(words) > 1 else 100_000.0
        return float(words[0]) / period, lambda: _usage_of_version_2(root / "cpu.stat")
    quota = _words(root / "cpu" / "cpu.cfs_quota_us")
    period_words = _words(root / "cpu" / "cpu.cfs_period_us")
    if quota and period_words and float(quota[0]) > 0:
        usage = root / "cpuacct" / "cpuacct.usage"
        return float(quota[0]) / float(period_words[0]), lambda: float(_words(usage)[0]) / 1e9
    return None, None


def _usage_of_version_2(file: Path) -> float:
    words = _words(file)
    return float(words[words.index("usage_usec") + 1]) / 1e6


def _machine_reader(proc: Path) -> Callable[[], float]:
    stat = proc / "stat"
    if not stat.exists():
        return lambda: sum(os.times()[:4])
    tick = os.sysconf("SC_CLK_TCK")

    def used() -> float:
        # user nice system idle iowait irq softirq steal: what is idle or waits for a disk isn't used.
        times = [float(word) for word in _words(stat)[1:9]]
        return (sum(times) - times[3] - times[4]) / tick

    return used


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
