"""How busy the worker's machine is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from agent_runtime.utils.hw import CPUMonitor, get_cpu_monitor

SAMPLES: Final = 5
"""Readings that are averaged; one each `UPDATE_LOAD_INTERVAL`, so that a moment's work doesn't count as load."""
SHORTEST: Final = 0.1
"""Seconds that a reading spans at least: over a moment, every processor is either idle or fully used."""


class CpuLoad:
    """The share of the processor that was used lately, 0 to 1.

    Args:
        now: seconds; monotonic.
        monitor: what is read; unset, the container's or the machine's.
    """

    def __init__(self, now: Callable[[], float], monitor: CPUMonitor | None = None) -> None:
        self._now = now
        self._monitor = get_cpu_monitor() if monitor is None else monitor
        self._samples: deque[float] = deque(maxlen=SAMPLES)
        self._before = (now(), self._monitor.used())

    def sample(self) -> None:
        """Take a reading of the time since the last one, unless that was just now."""
        (then, used_then), (now, used) = self._before, (self._now(), self._monitor.used())
        if now - then >= SHORTEST:
            self._samples.append(self._monitor.share(used - used_then, now - then))
            self._before = now, used

    @property
    def average(self) -> float:
        """Of the last readings; 0 before the first."""
        return sum(self._samples) / len(self._samples) if self._samples else 0.0
