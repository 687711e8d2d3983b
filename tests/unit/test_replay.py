"""Playing a bundle: where it is, what comes when, what is heard, and what a console sees after winding."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

from agent_console.drawing import status
from agent_console.pump import EventPump
from agent_console.replay.backend import ReplayBackend
from agent_console.replay.sound import ReplaySound
from agent_console.replay.transport import SPEEDS, Transport
from agent_console.state import ConsoleState, reduce_all
from agent_runtime.bundle import Bundle
from agent_runtime.devices.backend import Wanted
from agent_runtime.events import AnyEvent, AudioMeter, Event, RecordingChanged, SessionStarted
from tests.support.bundles import make_recorder, record_events
from tests.support.conversation import voice_turn


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_transport_moves_at_its_speed_and_stops_at_the_end():
    clock = Clock()
    transport = Transport(60.0, clock)
    clock.now += 5
    assert transport.position == 0.0
    transport.play()
    clock.now += 5
    assert transport.position == 5.0
    transport.change_speed(2)
    clock.now += 5
    assert (transport.speed, transport.position) == (2.0, 15.0)
    transport.pause()
    clock.now += 5
    assert transport.position == 15.0
    transport.wind(58.0)
    transport.play()
    clock.now += 50
    assert transport.position == 60.0


@pytest.mark.parametrize(("steps", "speed"), [(-9, SPEEDS[0]), (9, SPEEDS[-1]), (1, 1.5), (-1, 0.75)])
def test_speeds_have_ends(steps, speed):
    assert Transport(1.0, Clock()).change_speed(steps) == speed


class Watcher:
    """A console's pump, with what came through it."""

    def __init__(self) -> None:
        self.state = ConsoleState()
        self.events: list[AnyEvent] = []
        self._pump = EventPump(lambda: None)
        self._changed = threading.Condition()

    def sink(self, event: AnyEvent) -> None:
        with self._changed:
            self.events.append(event)
            self._pump.put(event)
            self._changed.notify_all()

    def wound(self, state: ConsoleState) -> None:
        with self._changed:
            self._pump.replace(state)
            self._changed.notify_all()

    def wait(self, condition: Callable[[ConsoleState], bool]) -> ConsoleState:
        """The state as soon as the condition holds."""

        def reached() -> bool:
            while self._pump.waiting:
                self.state = self._pump.drain(self.state)
            return condition(self.state)

        with self._changed:
            assert self._changed.wait_for(reached, 20.0), self.state.now
        return self.state


@pytest.fixture
def replay(tmp_path):
    """A player of a recorded conversation, with a clock that stands still, and who watches it."""
    bundle = Bundle.open(record_events(tmp_path / "b", voice_turn().events))
    clock, watcher = Clock(), Watcher()
    backend = ReplayBackend(bundle, sound=False, monotonic=clock)
    backend.on_wound = watcher.wound
    backend.start(watcher.sink)
    yield backend, watcher, clock
    assert backend.stop(10)


def shown(state: ConsoleState) -> list[object]:
    return [state.entries, state.turns, state.agent_state, state.user_state, state.turn_number, state.usage]


def test_events_come_when_they_came(replay):
    backend, watcher, clock = replay
    events = list(backend.bundle.events())
    clock.now += 3.0
    backend.change_speed(0)  # wakes it, as the passing of time would
    watcher.wait(lambda state: state.now >= max(event.time for event in events if event.time <= 3.0))
    assert len(watcher.events) == sum(event.time <= 3.0 for event in events)
    started = next(event for event in watcher.events if isinstance(event.data, SessionStarted))
    assert started.data.mode == watcher.state.mode == "replay"


def test_after_winding_the_console_shows_what_it_showed_then(replay):
    backend, watcher, _ = replay
    mark = backend.bundle.turns[1]
    backend.transport.pause()
    backend.wind(mark.time)
    told = (event for event in backend.bundle.events() if not isinstance(event.data, AudioMeter))
    before = [event for event in told if event.time < mark.time]
    expected = reduce_all(ConsoleState(), before)
    state = watcher.wait(lambda state: len(state.turns) >= len(expected.turns) and state.now == before[-1].time)
    assert shown(state)[:5] == shown(expected)[:5]
    assert backend.turn_index == 1


def test_winding_back_from_the_end_plays_the_rest_again(replay):
    backend, watcher, clock = replay
    clock.now += 1000.0
    backend.change_speed(0)
    whole = watcher.wait(lambda state: state.now == backend.bundle.duration)
    backend.wind_turns(-1)
    backend.wind_turns(-1)
    watcher.wait(lambda state: state.now < backend.bundle.turns[0].time + 0.001)
    clock.now += 1000.0
    backend.change_speed(0)
    again = watcher.wait(lambda state: state.now == backend.bundle.duration)
    assert [entry for entry in again.entries] == [entry for entry in whole.entries]  # noqa: C416  # a sequence of ours


def test_the_turn_before_is_this_one_s_beginning_once_it_is_under_way(replay):
    backend, _, _ = replay
    second = backend.bundle.turns[1].time
    backend.transport.pause()
    backend.wind(second + 2.0)
    backend.wind_turns(-1)
    assert backend.transport.position == second
    backend.wind_turns(-1)
    assert backend.transport.position == backend.bundle.turns[0].time
    backend.wind_turns(1)
    assert backend.transport.position == second


def test_a_broken_event_is_told_and_pauses(tmp_path):
    path = record_events(tmp_path / "b", [event for event in voice_turn().events if event.seq < 9])
    with (path / "events.jsonl").open("a") as file:
        file.write("oops\n" + "{}\n")
    watcher = Watcher()
    backend = ReplayBackend(Bundle.open(path), sound=False, monotonic=Clock())
    backend.transport.duration = 1e9
    backend.start(watcher.sink)
    backend.transport.wind(1e6)
    backend.change_speed(0)
    state = watcher.wait(lambda state: bool(state.banners))
    assert "events.jsonl:9" in state.banners[-1].text
    assert backend.stop(10)


class Speaker:
    """Stands in for the system's sound."""

    name, sample_rate, channels, latency, alive = "speaker", 16000, 2, 0.0, True

    def open_output(
        self, device_id: str, fill: Callable[[Wanted], None], on_stopped: object, *, block: float
    ) -> Speaker:
        self.fill = fill
        return self

    def close(self) -> None:
        self.fill = None

    def block(self, seconds: float) -> np.ndarray:
        samples = np.full((round(seconds * 16000), 2), 7, np.int16)
        self.fill(Wanted(samples, 0.0, False))
        return samples


@pytest.fixture
def sound(tmp_path):
    """A bundle with the user from second 1 to 2 and the agent from 2 to 3, its transport, and the speaker."""
    recorder = make_recorder(tmp_path / "b", now=lambda: 4.0)
    recorder.sound("user", 2.0, np.full(16000, 100, np.int16), 16000)
    recorder.sound("agent", 3.0, np.full(24000, 200, np.int16), 24000)
    assert recorder.close(10)
    clock, speaker = Clock(), Speaker()
    transport = Transport(4.0, clock)
    playing = ReplaySound(Bundle.open(tmp_path / "b"), transport, speaker)
    assert playing.open() is None
    yield transport, speaker, clock
    playing.close()


def test_user_and_agent_are_heard_at_their_times(sound):
    transport, speaker, clock = sound
    assert not speaker.block(0.1).any(), "it doesn't play yet"
    transport.wind(1.5)
    transport.play()
    block = speaker.block(1.0)
    assert np.abs(block[:7990] - 100).max() <= 1
    assert np.abs(block[8010:] - 200).max() <= 1
    clock.now += 1.0
    assert np.abs(speaker.block(0.4) - 200).max() <= 1, "it goes on where it was"


def test_it_is_twice_as_far_at_twice_the_speed_and_silent_above(sound):
    transport, speaker, _ = sound
    transport.change_speed(2)
    transport.wind(1.0)
    transport.play()
    block = speaker.block(1.0)
    assert np.abs(block[:7990] - 100).max() <= 1
    assert np.abs(block[8010:15990] - 200).max() <= 1
    transport.change_speed(1)
    assert not speaker.block(0.1).any()


def test_meters_of_a_wound_stretch_are_not_played(replay):
    backend, watcher, _ = replay
    backend.transport.pause()
    backend.wind(backend.bundle.duration)
    watcher.wait(lambda state: state.turn_number == 2)
    assert not [event for event in watcher.events if isinstance(event.data, AudioMeter) and event.time > 1.0]


def test_a_state_that_is_put_in_place_drops_what_waits_and_comes_before_what_follows():
    pump = EventPump(lambda: None)
    first, *rest = voice_turn().events
    for event in rest:
        pump.put(event)
    other = ConsoleState(mode="replay", agent="other")
    pump.replace(other)
    assert pump.waiting == 1
    assert pump.drain(ConsoleState()) is other
    pump.put(first)
    assert pump.drain(other).started


def test_the_header_tells_of_a_recording_while_it_goes_on():
    def header(*states: str) -> str:
        told = [Event(n, 0.0, "s", None, None, RecordingChanged(state, "/b")) for n, state in enumerate(states, 1)]
        return "".join(text for line in status.header(reduce_all(ConsoleState(), told), 0.0, 100) for text, _ in line)

    assert "● rec" in header("started")
    assert "● rec" not in header("started", "stopped")
    assert "● rec" not in header("started", "failed")
