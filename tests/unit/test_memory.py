"""A process knows what it has in memory, where the system tells."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent_runtime.utils import memory

linux = pytest.mark.skipif(sys.platform != "linux", reason="the system doesn't tell")

FORKED = """
import json, os
from agent_runtime.utils.memory import OwnMemory, resident_mb

model = bytearray(b"x" * 80 * 2**20)
if os.fork() == 0:
    memory = OwnMemory()
    before = resident_mb(), memory.mb()
    own = bytearray(b"y" * 50 * 2**20)
    print(json.dumps([*before, resident_mb(), memory.mb()]))
else:
    os.wait()
"""


@linux
def test_what_is_taken_is_seen():
    before = memory.resident_mb()
    taken = bytearray(b"x" * 50 * 2**20)
    after = memory.resident_mb()
    assert before is not None
    assert after is not None
    assert 40 < after - before < 70
    assert len(taken) == 50 * 2**20


@linux
def test_of_what_two_processes_have_in_common_each_has_half():
    told = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, check=True).stdout
    resident, share, resident_later, share_later = json.loads(told)
    assert 35 < resident - share < 70, "half of the 80 MB and of the interpreter"
    assert 45 < resident_later - resident < 60
    assert 45 < share_later - share < 60, "what it takes for itself is its own"


def test_the_others_share_is_counted_now_and_then(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(memory, "_ROLLUP", tmp_path / "smaps_rollup")
    monkeypatch.setattr(memory, "resident_mb", lambda: 100.0)
    own = memory.OwnMemory()
    (tmp_path / "smaps_rollup").write_bytes(b"Rss:  102400 kB\nPss:   40960 kB\nPss_Dirty:  100 kB\n")
    assert own.mb() == 40.0
    (tmp_path / "smaps_rollup").write_bytes(b"Rss:  102400 kB\nPss:   81920 kB\nPss_Dirty:  100 kB\n")
    assert [own.mb() for _ in range(8)] == [40.0] * 7 + [80.0]


@pytest.mark.parametrize("told", [None, b"Rss: 4 kB\n"], ids=["nothing", "no shares"])
def test_where_shares_are_not_told_all_is_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, told: bytes | None):
    monkeypatch.setattr(memory, "_ROLLUP", tmp_path / "smaps_rollup")
    monkeypatch.setattr(memory, "resident_mb", lambda: 100.0)
    if told is not None:
        (tmp_path / "smaps_rollup").write_bytes(told)
    assert memory.OwnMemory().mb() == 100.0


def test_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(memory, "_STATM", tmp_path / "none")
    assert memory.resident_mb() is None
    assert memory.OwnMemory().mb() is None
