"""Winding in a long recording: what is near is there at once, the rest follows, and nothing is different in the end."""

from __future__ import annotations

import pytest

from agent_console.replay import history as module
from agent_console.replay.backend import ReplayBackend
from agent_console.replay.history import History, as_replayed
from agent_console.state import ConsoleState, reduce_all
from agent_runtime import events as ev
from agent_runtime.bundle import Bundle
from agent_runtime.errors import BundleError
from agent_runtime.events import Event
from tests.support.bundles import record_events
from tests.support.conversation import long_history
from tests.unit.test_replay import Clock, Watcher

TURNS = 120


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Bundle:
    return Bundle.open(record_events(tmp_path_factory.mktemp("long") / "b", long_history(TURNS)))


def until(bundle: Bundle, target: float) -> ConsoleState:
    """What the console shows when everything before `target` was played."""
    shown = [as_replayed(event) for event in bundle.events() if event.time < target]
    return reduce_all(ConsoleState(mode="replay"), [event for event in shown if event is not None])


def never() -> bool:
    return False


def test_a_place_far_ahead_has_its_near_turns_and_what_lasts_at_once(bundle):
    mark = bundle.turns[100]
    place = History(bundle).before(mark.time, given_up=never)
    assert place is not None
    assert not place.whole
    whole = until(bundle, mark.time)
    assert (place.state.turn_number, place.state.agent, place.state.mode) == (100, whole.agent, "replay")
    assert place.state.microphone == whole.microphone
    assert list(place.state.entries)[-20:] == list(whole.entries)[-20:]
    assert len(place.state.turns) < len(whole.turns)


def test_what_was_read_gives_the_whole_state_at_any_place(bundle, monkeypatch):
    monkeypatch.setattr(module, "KEEP_EVERY", 50)
    history = History(bundle)
    while not history.read(until=lambda: True):
        pass
    assert history.ended
    for number in (0, 1, 37, 60, 119):
        target = bundle.turns[number].time
        place = history.before(target, given_up=never)
        assert place is not None
        assert place.whole
        assert next(bundle.events(place.offset)).time >= target
        assert place.state == until(bundle, target)


def test_reading_stops_at_the_byte_that_it_is_asked_for(bundle):
    history = History(bundle)
    offset = bundle.turns[60].offset
    assert not history.read(offset, until=lambda: True), "one event at a time"
    assert history.read(offset, until=never)
    assert history.read_to.offset == offset
    assert (history.read_to.state.turn_number, len(history.read_to.state.turns)) == (60, 60)
    assert not history.ended


def test_winding_is_given_up_for_another_place(bundle):
    assert History(bundle).before(bundle.turns[3].time, given_up=lambda: True) is None


def test_after_winding_far_ahead_the_rest_follows_and_the_play_goes_on(bundle):
    watcher, clock = Watcher(), Clock()
    backend = ReplayBackend(bundle, sound=False, monotonic=clock)
    wound: list[ConsoleState] = []

    def on_wound(state: ConsoleState) -> None:
        wound.append(state)
        watcher.wound(state)

    backend.on_wound = on_wound
    backend.wind(bundle.turns[110].time)
    backend.start(watcher.sink)
    watcher.wait(lambda state: len(state.turns) >= 110)
    assert len(wound) == 2, "the turns near it first"
    assert len(wound[0].turns) <= module.NEAR
    assert backend.read is None
    clock.now += 1e6
    backend.change_speed(0)
    last = watcher.wait(lambda state: state.now == bundle.duration)
    assert list(last.entries) == list(until(bundle, 1e9).entries)
    assert backend.stop(10)


def test_a_broken_line_in_what_was_skipped_is_told(tmp_path):
    path = record_events(tmp_path / "b", long_history(TURNS))
    lines = (path / "events.jsonl").read_bytes().splitlines(keepends=True)
    lines[200] = b"oops\n"
    (path / "events.jsonl").write_bytes(b"".join(lines))
    bundle = Bundle.open(path)
    watcher = Watcher()
    backend = ReplayBackend(bundle, sound=False, monotonic=Clock())
    backend.on_wound = watcher.wound
    backend.wind(bundle.turns[110].time)
    backend.start(watcher.sink)
    state = watcher.wait(lambda state: bool(state.banners))
    assert "events.jsonl:201" in state.banners[-1].text
    assert state.turn_number >= 110
    assert backend.read is None
    assert backend.stop(10)


def test_only_what_lasts_is_parsed_between_two_places(tmp_path):
    def event(number: int, data: ev.EventData) -> ev.AnyEvent:
        return Event(number, float(number), "s", None, None, data)

    told = [
        event(1, ev.AgentChanged(None, "desk", "", ())),
        event(2, ev.LogWritten("info", "x", 'says "agent_changed" itself')),
        event(3, ev.InputMuted(True)),
        event(4, ev.AgentChanged("desk", "boss", "", ())),
    ]
    bundle = Bundle.open(record_events(tmp_path / "b", told))
    ends = [offset for offset, _ in bundle.events_with_offsets()]
    assert [event.seq for event in bundle.standing(0, ends[-1])] == [1, 3, 4]
    assert [event.seq for event in bundle.standing(ends[0], ends[2])] == [3]


def test_lines_are_found_across_the_borders_of_what_is_read_at_a_time(bundle, monkeypatch):
    whole = Bundle.open(bundle.folder).turns
    monkeypatch.setattr("agent_runtime.bundle.reading._CHUNK", 700)
    assert Bundle.open(bundle.folder).turns == whole
    assert len(whole) == TURNS


def test_a_line_that_is_being_written_is_left_for_the_next_look(tmp_path, caplog):
    path = record_events(tmp_path / "b", long_history(2))
    with (path / "events.jsonl").open("ab") as file:
        file.write(b'{"seq": 1, "ti')
    bundle = Bundle.open(path)
    *_, (offset, _) = bundle.events_with_offsets(growing=True)
    assert offset == (path / "events.jsonl").stat().st_size - 14
    assert list(bundle.events_with_offsets(offset, growing=True)) == []
    assert not caplog.records
    assert list(bundle.events(offset)) == []
    assert "cut off" in caplog.text


def test_a_broken_event_ends_the_reading(tmp_path):
    path = record_events(tmp_path / "b", long_history(1))
    with (path / "events.jsonl").open("ab") as file:
        file.write(b"oops\n{}\n")
    history = History(Bundle.open(path))
    with pytest.raises(BundleError, match=r"events\.jsonl"):
        history.read(until=never)
    assert history.read(until=never)
    assert history.ended
