"""A conversation over real sound with the embedded models, measured from outside and from inside.

    python -m tests.benchmarks.bench_conversation [--turns 20] [--minutes 10] [--keys]

The console runs in a pseudo-terminal on a virtual sound card. A recorded voice asks one question after the other; the
microphone's and the speaker's monitors are recorded, so the silence that a person hears is measured by itself and held
beside what the console says. With `--minutes` it goes on talking for so long and counts what was dropped, and how much
of that while a process that only sleeps wasn't woken in time either. With `--keys` somebody types all the while, and
the time from a key to its letter on the terminal is measured, while both speak, models work and text streams.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import TypeVar

from agent_runtime.events import AudioDropped, ModelLoading, PlayoutFinished, TurnMeasured, UserTranscribed
from tests.integration.test_talk import Conversation, conversation, loud_times
from tests.support.pulse import Recording, pulse_server
from tests.support.speech import HEAR_ME, QUESTION
from tests.support.witness import Witness

TOLD_WITHIN = 0.5
"""Seconds after which a block that was late is told at the latest."""


PAUSE = (0.12, 0.35)
"""Seconds between two keys, at least and at most."""

D = TypeVar("D")


@dataclass
class TypingConversation(Conversation):
    """Types while it waits: a letter, looks for it on the terminal, and takes it back."""

    taken: list[float] = field(default_factory=list)
    """Seconds from each key to its letter."""
    _letters: Iterator[str] = field(default_factory=lambda: cycle(map(chr, range(0x100, 0x17F))))
    _dice: random.Random = field(default_factory=lambda: random.Random(1))

    def wait(self, condition: Callable[[], D], seconds: float = 30.0) -> D:
        """See `Conversation.wait`."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"it didn't happen in {seconds} s\n{self.console.screen_text}"
            self.console.run_for(self._dice.uniform(*PAUSE))
            self.taken.append(self._key(next(self._letters)))
        return found

    def _key(self, letter: str) -> float:
        self.console.type(letter)
        taken = self.console.seconds_until(letter.encode())
        self.console.type("\x7f")
        return taken


def percentile(values: Sequence[float], q: float) -> float:
    """The `q`-th percentile, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(q / 100 * (len(ordered) - 1)))]


def line(name: str, values: Sequence[float]) -> str:
    """One row of the report, in milliseconds."""
    p50, p95 = percentile(values, 50) * 1000, percentile(values, 95) * 1000
    return f"| {name} | {p50:.0f} | {p95:.0f} | {max(values) * 1000:.0f} | {len(values)} |"


@dataclass(frozen=True)
class Turn:
    """What the console measured, and what was recorded, on the monotonic clock."""

    measured: TurnMeasured
    began: float
    """The last voiced frame, as the console says."""
    asked: float
    """The last sound that was recorded of the question."""
    answered: float
    """The first sound that was recorded of the answer."""

    @property
    def total(self) -> float:
        """Seconds, as the console says."""
        return self.measured.end - self.measured.start

    @property
    def silence(self) -> float:
        """Seconds between the recorded voices."""
        return self.answered - self.asked


def one_turn(talk: Conversation, ear: Recording, mouth: Recording, number: int) -> Turn:
    """Ask, and wait for the answer's end."""
    before = time.monotonic()
    talk.say((QUESTION, HEAR_ME)[number % 2])
    measured = talk.wait(lambda: [e for e in talk.of(TurnMeasured) if talk.monotonic(e) > before], 60)[-1]
    talk.wait(lambda: [e for e in talk.of(PlayoutFinished) if talk.monotonic(e) > before], 60)
    talk.console.run_for(0.5)
    voice = loud_times(ear, before)[0]
    asked = max(t for t in loud_times(mouth, before) if t < voice)
    began = talk.monotonic(measured) + measured.data.start - measured.time
    return Turn(measured.data, began, float(asked), float(voice))


def start(talk: Conversation) -> None:
    """Wait for the first screen and for the models, and say how long they took."""
    talk.console.wait_for(lambda screen: bool(screen.strip()), 30)
    painted = time.monotonic() - talk.console.started_at
    talk.wait_until_greeted()
    ready = max(talk.monotonic(e) for e in talk.of(ModelLoading) if e.data.fraction >= 1.0) - talk.console.started_at
    print(f"first paint {painted * 1000:.0f} ms, embedded models ready {ready:.2f} s after the process started\n")


def report(turns: list[Turn]) -> None:
    """Print where the time went."""
    parts: dict[str, list[float]] = defaultdict(list)
    for turn in turns:
        for part in turn.measured.parts:
            parts[part.name].append(part.end - part.start)
    print("| from the last voiced frame to the first audible sample, ms | p50 | p95 | max | turns |")
    print("|---|---|---|---|---|")
    for name, values in parts.items():
        print(line(name, values))
    print(line("total, as the console says", [turn.total for turn in turns]))
    print(line("silence between the recorded voices", [turn.silence for turn in turns]))
    error, late = (
        1000 * statistics.median(values)
        for values in ([t.silence - t.total for t in turns], [t.began - t.asked for t in turns])
    )
    print(
        f"\nthe console's total is {error:.0f} ms short of the recorded silence: it begins {late:.0f} ms late and ends "
        f"{error - late:.0f} ms early (medians)"
    )


def dropped(drops: list[tuple[float, AudioDropped]], witness: Witness) -> str:
    """What was dropped, and how many of the speaker's blocks while the machine had no time for anybody."""
    frames = {"input": 0, "output": 0}
    stalled = 0
    for at, data in drops:
        new, frames[data.where] = data.frames - frames[data.where], data.frames
        if data.where == "output" and witness.saw(at - TOLD_WITHIN, at):
            stalled += new
    worst = max((late for _, late in witness.stalls), default=0.0) * 1000
    return (
        f"dropped: of the microphone {frames['input']}, of the speaker {frames['output']} blocks, {stalled} of these "
        f"while an idle process was late too ({len(witness.stalls)} times, {worst:.0f} ms at worst)"
    )


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--keys", action="store_true", help="type all the while")
    options = parser.parse_args()
    witness = Witness()
    with (
        pulse_server() as pulse,
        tempfile.TemporaryDirectory() as folder,
        conversation(pulse, Path(folder)) as console,
        pulse.recording("micin.monitor") as mouth,
        pulse.recording("speaker.monitor") as ear,
        witness,
    ):
        talk = Conversation(console, pulse, Path(folder, "events.jsonl"))
        start(talk)
        if options.keys:
            console.press("t")
            talk = TypingConversation(console, pulse, talk.log)
        began = time.monotonic()
        turns: list[Turn] = []
        while len(turns) < options.turns or time.monotonic() - began < options.minutes * 60:
            turns.append(one_turn(talk, ear, mouth, len(turns)))
        report(turns)
        drops = [(talk.monotonic(e), e.data) for e in talk.of(AudioDropped)]
        finals = sum(e.data.is_final for e in talk.of(UserTranscribed))
        print(f"{time.monotonic() - began:.0f} s of talking, {finals} finals")
        console.press("escape", "q")
        console.wait_for_exit()
    if isinstance(talk, TypingConversation):
        p50, p99 = (percentile(talk.taken, q) * 1000 for q in (50, 99))
        print(f"keys: p50 {p50:.0f}, p99 {p99:.0f}, max {max(talk.taken) * 1000:.0f} ms of {len(talk.taken)}")
    print(dropped(drops, witness))


if __name__ == "__main__":
    main()
