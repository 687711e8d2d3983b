"""Saves as editors make them, seen through the real file system."""

import os
import queue
import time
from pathlib import Path

import pytest

from agent_runtime.reload import FileWatcher


@pytest.fixture
def watched(tmp_path):
    path = tmp_path / "agent.py"
    path.write_text("one")
    seen: queue.Queue[frozenset[Path]] = queue.Queue()
    watcher = FileWatcher([path], seen.put)
    watcher.start()
    _until_watching(path, seen)
    yield path, seen
    watcher.stop()


def _until_watching(path: Path, seen: queue.Queue) -> None:
    """The watcher's thread is up when a save gets through."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        path.write_text("one")
        try:
            seen.get(timeout=0.5)
        except queue.Empty:
            continue
        _drain(seen)
        return
    raise AssertionError("the watcher saw nothing in 10 s")


def _drain(seen: queue.Queue, quiet: float = 0.5) -> int:
    count = 0
    while True:
        try:
            seen.get(timeout=quiet)
        except queue.Empty:
            return count
        count += 1


def test_a_save_in_place_is_told(watched):
    path, seen = watched
    path.write_text("two")
    assert seen.get(timeout=5) == {path}


def test_a_save_by_rename_is_told_also_the_second_time(watched):
    path, seen = watched
    for text in ("two", "three"):
        new = path.with_suffix(".tmp")
        new.write_text(text)
        os.replace(new, path)
        assert seen.get(timeout=5) == {path}
        assert _drain(seen) == 0


def test_ten_saves_in_a_second_are_one_change(watched):
    path, seen = watched
    for number in range(10):
        path.write_text(str(number))
        time.sleep(0.05)
    assert seen.get(timeout=5) == {path}
    assert _drain(seen) == 0
    assert path.read_text() == "9"


def test_other_files_are_not_told(watched):
    path, seen = watched
    (path.parent / "notes.txt").write_text("x")
    (path.parent / "agent.py~").write_text("x")
    assert _drain(seen) == 0


def test_a_file_that_is_deleted_is_told_when_it_is_back(watched):
    path, seen = watched
    path.unlink()
    assert _drain(seen) == 0
    path.write_text("back")
    assert seen.get(timeout=5) == {path}


def test_a_file_that_stays_away_is_told_once_and_one_that_is_moved_into_place_is_not(tmp_path):
    path = tmp_path / "agent.py"
    path.write_text("one")
    seen: queue.Queue[frozenset[Path]] = queue.Queue()
    gone: queue.Queue[frozenset[Path]] = queue.Queue()
    watcher = FileWatcher([path], seen.put, gone.put)
    watcher.start()
    try:
        _until_watching(path, seen)
        for text in ("two", "three"):
            path.unlink()
            time.sleep(0.4)  # a slow editor
            path.write_text(text)
            assert seen.get(timeout=5) == {path}
        assert gone.empty()
        path.unlink()
        assert gone.get(timeout=5) == {path}
        assert _drain(gone, quiet=1.5) == 0
        path.write_text("back")
        assert seen.get(timeout=5) == {path}
    finally:
        watcher.stop()


def test_stopping_takes_no_time(tmp_path):
    path = tmp_path / "agent.py"
    path.write_text("one")
    watcher = FileWatcher([path], lambda files: None)
    watcher.start()
    started = time.monotonic()
    watcher.stop()
    assert time.monotonic() - started < 1.0
