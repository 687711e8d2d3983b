"""How busy the machine is: a container's quota, the whole machine, and the average of some readings."""

import time
from pathlib import Path

import pytest

from agent_runtime.utils.hw import CPUMonitor, get_cpu_monitor
from agent_runtime.worker.load import CpuLoad


@pytest.fixture(autouse=True)
def _no_count_from_outside(monkeypatch):
    monkeypatch.delenv("NUM_CPUS", raising=False)


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_containers_quota_counts_in_either_version(tmp_path: Path):
    two, one = tmp_path / "two", tmp_path / "one"
    write(two, cpu_dot_max="150000 100000\n", cpu_dot_stat="usage_usec 2500000\nuser_usec 1\n")
    monitor = get_cpu_monitor(two)
    assert (monitor.cpu_count(), monitor.used()) == (1.5, 2.5)
    write(one, cpu__cpu_dot_cfs_quota_us="50000\n", cpu__cpu_dot_cfs_period_us="100000\n")
    write(one, cpuacct__cpuacct_dot_usage="3000000000\n")
    monitor = get_cpu_monitor(one)
    assert (monitor.cpu_count(), monitor.used()) == (0.5, 3.0)


def test_without_a_quota_the_machine_counts(tmp_path: Path, monkeypatch):
    write(tmp_path, cpu_dot_max="max 100000\n", stat="cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2\n")
    monkeypatch.setattr("os.sysconf", lambda name: 100)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monitor = get_cpu_monitor(tmp_path, tmp_path)
    assert (monitor.cpu_count(), monitor.used()) == (4.0, 1.5)
    monkeypatch.setenv("NUM_CPUS", "2")
    assert get_cpu_monitor(tmp_path, tmp_path).cpu_count() == 2.0


def test_without_proc_the_process_counts(tmp_path: Path):
    monitor = get_cpu_monitor(tmp_path, tmp_path)
    before = monitor.used()
    began = time.process_time()
    while time.process_time() - began < 0.05:
        sum(range(1000))
    assert monitor.used() - before >= 0.03


def test_a_share_is_of_all_cores_and_stays_between_0_and_1():
    monitor = CPUMonitor(2.0, lambda: 0.0)
    assert [monitor.share(used, 1.0) for used in (0.0, 0.5, 2.0, 9.0, -1.0)] == [0.0, 0.25, 1.0, 1.0, 0.0]
    assert monitor.share(1.0, 0.0) == 0.0
    used = iter([1.0, 1.002])
    assert 0.0 < CPUMonitor(1.0, lambda: next(used)).cpu_percent(0.001) <= 1.0


def test_the_load_is_the_average_of_the_last_readings():
    now, used = 0.0, 0.0
    load = CpuLoad(lambda: now, CPUMonitor(1.0, lambda: used))
    load.sample()
    assert load.average == 0.0
    seen = []
    for share in (1.0, 0.0, 0.0, 0.0, 0.0, 0.0):
        now, used = now + 0.5, used + 0.5 * share
        load.sample()
        seen.append(round(load.average, 3))
    assert seen == [1.0, 0.5, 0.333, 0.25, 0.2, 0.0]
    now, used = now + 0.01, used + 0.01
    load.sample()
    assert load.average == 0.0  # a moment of work is no load
