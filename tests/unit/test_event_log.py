"""Events in a file, line by line."""

import logging
from pathlib import Path

import pytest

from agent_runtime.events import Event, ItemAdded, LogWritten
from agent_runtime.events.codec import read_events
from agent_runtime.host.event_log import EventLog


def event(seq: int, data: object = None) -> Event:
    return Event(seq, seq / 10, "s", None, None, data or LogWritten("info", "x", f"line {seq}"))


def test_events_can_be_read_back_in_their_order(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    written = [event(number) for number in range(100)]
    for one in written:
        log.put(one)
    log.close()
    assert list(read_events(tmp_path / "events.jsonl")) == written


def test_an_event_that_can_not_be_written_is_told_and_left_out(tmp_path, caplog):
    log = EventLog(tmp_path / "events.jsonl")
    with caplog.at_level(logging.ERROR):
        log.put(event(1, ItemAdded({"content": object()})))
        log.put(event(2))
        log.close()
    assert [one.seq for one in read_events(tmp_path / "events.jsonl")] == [2]
    assert "the event 1 can't be written" in caplog.text


def test_a_full_disk_ends_the_writing_and_nothing_else(caplog):
    if not Path("/dev/full").exists():
        pytest.skip("platform: there is no /dev/full here")
    told: list[str] = []
    log = EventLog(Path("/dev/full"), told.append)
    with caplog.at_level(logging.ERROR):
        log.put(event(1))
        log.close()
    log.put(event(2))
    assert told == ["/dev/full is no longer written: No space left on device"]
    assert told[0] in caplog.text
    assert log._events.empty()
