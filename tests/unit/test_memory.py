"""A process knows what it has in memory, where the system tells."""

import sys
from pathlib import Path

import pytest

from agent_runtime.utils import memory


@pytest.mark.skipif(sys.platform != "linux", reason="the system doesn't tell")
def test_what_is_taken_is_seen():
    before = memory.resident_mb()
    taken = bytearray(b"x" * 50 * 2**20)
    after = memory.resident_mb()
    assert before is not None
    assert after is not None
    assert 40 < after - before < 70
    assert len(taken) == 50 * 2**20


def test_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(memory, "_STATM", tmp_path / "none")
    assert memory.resident_mb() is None
