"""A conversation over real sound with the embedded models, measured from outside and from inside.

    python -m tests.benchmarks.bench_conversation [--turns 20] [--minutes 10]

The console runs in a pseudo-terminal on a virtual sound card. A recorded voice asks one question after the other; the
microphone's and the speaker's monitors are recorded, so the silence that a person hears is measured by itself and held
beside what the console says. With `--minutes` it goes on talking for so long and counts what was dropped, and how much
of that while a process that only sleeps wasn't woken in time either.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from agent_runtime.events import AudioDropped, ModelLoading, PlayoutFinished, TurnMeasured, UserTranscribed
from tests.integration.test_talk import Conversation, conversation, loud_times
from tests.support.pulse import Recording, pulse_server
from tests.support.speech import HEAR_ME, QUESTION
from tests.support.witness import Witness

TOLD_WITHIN = 0.5
"""Seconds after which a block that was late is told at the latest."""


def percentile(values: Sequence[float], q: float) -> float:
    """The `q`-th percentile, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(q / 100 * (len(ordered) - 1)))]


def line(name: str, values: Sequence[float]) -> str:
    """One row of the report, in milliseconds."""
    p50, p95 = percentile(values, 50) * 1000, percentile(values, 95) * 1000
    return f"| {name} | {p50:.0f} | {p95:.0f} | {max(values) * 1000:.0f} | {len(values)} |"


def one_turn(talk: Conversation, ear: Recording, mouth: Recording, number: int) -> tuple[TurnMeasured, float]:
    """Ask, wait for the answer's end, and give what the console measured and the silence that was recorded."""
    before = time.monotonic()
    talk.say((QUESTION, HEAR_ME)[number % 2])
    measured = talk.wait(lambda: [e for e in talk.of(TurnMeasured) if talk.monotonic(e) > before], 60)[-1]
    talk.wait(lambda: [e for e in talk.of(PlayoutFinished) if talk.monotonic(e) > before], 60)
    talk.console.run_for(0.5)
    voice = next(t for t in loud_times(ear) if t > before)
    asked = max(t for t in loud_times(mouth) if before < t < voice)
    return measured.data, float(voice - asked)


def start(talk: Conversation) -> None:
    """Wait for the first screen and for the models, and say how long they took."""
    talk.console.wait_for(lambda screen: bool(screen.strip()), 30)
    painted = time.monotonic() - talk.console.started_at
    talk.wait_until_greeted()
    ready = max(talk.monotonic(e) for e in talk.of(ModelLoading) if e.data.fraction >= 1.0) - talk.console.started_at
    print(f"first paint {painted * 1000:.0f} ms, embedded models ready {ready:.2f} s after the process started\n")


def report(turns: list[tuple[TurnMeasured, float]]) -> None:
    """Print where the time went."""
    parts: dict[str, list[float]] = defaultdict(list)
    for measured, _ in turns:
        for part in measured.parts:
            parts[part.name].append(part.end - part.start)
    print("| from the last voiced frame to the first audible sample, ms | p50 | p95 | max | turns |")
    print("|---|---|---|---|---|")
    for name, values in parts.items():
        print(line(name, values))
    print(line("total, as the console says", [m.end - m.start for m, _ in turns]))
    print(line("silence between the recorded voices", [silence for _, silence in turns]))
    error = statistics.median(silence - (m.end - m.start) for m, silence in turns)
    print(f"\nthe console's total is {error * 1000:.0f} ms short of the recorded silence (median)")


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
        began = time.monotonic()
        turns: list[tuple[TurnMeasured, float]] = []
        while len(turns) < options.turns or time.monotonic() - began < options.minutes * 60:
            turns.append(one_turn(talk, ear, mouth, len(turns)))
        report(turns)
        drops = [(talk.monotonic(e), e.data) for e in talk.of(AudioDropped)]
        finals = sum(e.data.is_final for e in talk.of(UserTranscribed))
        print(f"{time.monotonic() - began:.0f} s of talking, {finals} finals")
        console.press("q")
        console.wait_for_exit()
    print(dropped(drops, witness))


if __name__ == "__main__":
    main()
