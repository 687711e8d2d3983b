"""How long a room's way takes: from a participant's last voiced frame to the agent's first at the participant.

    python -m tests.benchmarks.bench_room_voice [--reference /tmp/reference/bin/python]

Both sides join rooms of the same real server, in processes of their own that take turns, with providers that answer at
once. What the SDK alone takes, with codecs and jitter buffers, is the first row; the rest is what each library adds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
from livekit import rtc

from tests.benchmarks.compared.run import add_reference, load
from tests.support.livekit_server import LiveKitServer, livekit_server
from tests.support.room import token

COMPARED = Path(__file__).parent / "compared"
RATE = 48000
STEP = 0.01
SPOKEN = 0.4
CYCLE = 2.0
LOUD = 1000
WARM_UP = 3
TONE = (8000 * np.sin(2 * np.pi * 440 * np.arange(round(RATE * SPOKEN)) / RATE)).astype(np.int16)


class Person:
    """Speaks a tone, and notes when it ended and when the answer began."""

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.spoke_until = self.answered_at = 0.0
        self._source = rtc.AudioSource(RATE, 1, queue_size_ms=0)
        self._listening: set[asyncio.Task[None]] = set()
        self.room.on("track_subscribed", self._subscribed)

    async def join(self, url: str, room: str) -> None:
        """Connect and publish a microphone."""
        await self.room.connect(url, token("person", room))
        track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False)
        await self.room.local_participant.publish_track(track, options)

    async def ask(self, seconds: float) -> float | None:
        """Speak, be silent until the cycle is over; seconds until the answer, None if none came."""
        self.answered_at = 0.0
        due = time.perf_counter()
        size = round(RATE * STEP)
        for number in range(round(seconds / STEP)):
            due += STEP
            piece = TONE[number * size : (number + 1) * size]
            data = piece.tobytes() if len(piece) else bytes(2 * size)
            await self._source.capture_frame(rtc.AudioFrame(data, RATE, 1, size))
            if len(piece):
                self.spoke_until = time.perf_counter()
                self.answered_at = 0.0
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        return self.answered_at - self.spoke_until if self.answered_at else None

    async def leave(self) -> None:
        """Go."""
        await self.room.disconnect()
        for task in self._listening:
            task.cancel()
        await self._source.aclose()

    def _subscribed(self, track: rtc.Track, *_: object) -> None:
        task = asyncio.get_running_loop().create_task(self._listen(track))
        self._listening.add(task)

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream.from_track(track=track, sample_rate=RATE, num_channels=1, frame_size_ms=10)
        try:
            async for event in stream:
                loud = np.abs(np.frombuffer(event.frame.data, np.int16)).max() > LOUD
                if loud and not self.answered_at:
                    self.answered_at = time.perf_counter()
        finally:
            await stream.aclose()


@contextlib.asynccontextmanager
async def agent(side: str, python: str, url: str, room: str) -> AsyncIterator[None]:
    """An agent of one side in the room; gone at the end."""
    process = await asyncio.create_subprocess_exec(
        python,
        str(COMPARED / ("room_bare.py" if side == "bare" else "room_agent.py")),
        side,
        url,
        token("agent", room, kind="agent"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        while (line := await process.stdout.readline()) and line != b"ready\n":
            pass
        if not line:
            raise RuntimeError("the agent ended before it was ready")
        yield
    finally:
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                await process.wait()
        if process.returncode is None:
            process.kill()


async def measure(server: LiveKitServer, side: str, python: str, room: str, count: int) -> list[float]:
    """Milliseconds of each answer."""
    async with agent(side, python, server.url, room):
        person = Person()
        await person.join(server.url, room)
        found = [await person.ask(CYCLE) for _ in range(count + WARM_UP)]
        await person.leave()
    return [seconds * 1000 for seconds in found[WARM_UP:] if seconds is not None]


async def compare(server: LiveKitServer, sides: dict[str, str], rounds: int, count: int) -> dict[str, list[float]]:
    """Every answer of each side, whose processes take turns."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name, python in sides.items():
            found[name] += await measure(server, name, python, f"{name}-{number}", count)
    return found


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_reference(parser)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=12)
    options = parser.parse_args()
    sides = {"bare": sys.executable, "ours": sys.executable}
    if options.reference:
        sides["reference"] = options.reference
    before = load()
    with livekit_server() as server:
        found = asyncio.run(compare(server, sides, options.rounds, options.count))
    print(f"before: {before}; after: {load()}; {options.rounds} rounds of {options.count}\n")
    print("| | answers | p50, ms | p95, ms | best, ms |\n|---|---|---|---|---|")
    for name, answers in found.items():
        if not answers:
            print(f"| {name} | 0 | | | |")
            continue
        ordered = sorted(answers)
        p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
        print(f"| {name} | {len(ordered)} | {statistics.median(ordered):.0f} | {p95:.0f} | {ordered[0]:.0f} |")


if __name__ == "__main__":
    main()
