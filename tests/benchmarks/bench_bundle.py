"""What bundles cost: `python -m tests.benchmarks.bench_bundle`.

Makes a bundle of `--turns` turns with words as they were heard and 31 meter readings a second, and takes the time to
open it, to the first screen of `agent-console replay` in a pty, and to wind to places in it: cold, and once it has been
read. Then what a recorder costs for each second of a session with sound.
"""

from __future__ import annotations

import argparse
import gc
import os
import pty
import select
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from agent_console.pump import EventPump
from agent_console.replay.backend import ReplayBackend
from agent_console.state import ConsoleState
from agent_runtime import events as ev
from agent_runtime.bundle import Bundle
from agent_runtime.events import AnyEvent, Event, codec
from tests.support.bundles import make_recorder, record_events
from tests.support.conversation import long_history

METERS: int = 31
"""Readings a second."""


def session(turns: int) -> Iterator[AnyEvent]:
    """A long session's events, with words while they are heard."""
    for event in long_history(turns):
        if isinstance(event.data, ev.PlayoutStarted):
            item = event.data.speech_id.replace("speech", "item")
            words = [f"word{number}" for number in range(13)]
            for count in range(1, len(words) + 1):
                heard = ev.AgentHeard(event.data.speech_id, item, " ".join(words[:count]), count * 0.25)
                yield Event(event.seq, event.time, event.session_id, event.turn_id, None, heard)
        yield event


def make_bundle(folder: Path, turns: int) -> Path:
    """Write it as a recorder would, which leaves meters out at this speed."""
    path = record_events(folder, [])
    meter = codec.dumps(Event(1, 0.0, "session-1", None, None, ev.AudioMeter(-30.0, -24.0, -34.0, 0.5, 0.5)))
    head, tail = meter.split('"time":0.0')
    with (path / "events.jsonl").open("w", encoding="utf-8") as file:
        now = 0.0
        for event in session(turns):
            while now < event.time:
                file.write(f'{head}"time":{now:.3f}{tail}\n')
                now += 1 / METERS
            file.write(codec.dumps(event) + "\n")
    return path


def timed(call: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


class Winding:
    """A replay without a screen."""

    def __init__(self, path: Path) -> None:
        self.backend = ReplayBackend(Bundle.open(path), sound=False)
        self._pump = EventPump(lambda: None)
        self._there = threading.Event()
        self.backend.on_wound = self._wound
        self.backend.start(self._pump.put)
        self.backend.transport.pause()

    def _wound(self, state: ConsoleState) -> None:
        self._pump.replace(state)
        self._there.set()

    def to(self, position: float) -> float:
        """Seconds until the console gets a state of there."""
        self._there.clear()
        began = time.perf_counter()
        self.backend.wind(position)
        self._there.wait(120.0)
        return time.perf_counter() - began

    def until_whole(self) -> float:
        """Seconds until nothing is missing in it."""
        began = time.perf_counter()
        while self.backend.read is not None:
            time.sleep(0.01)
        return time.perf_counter() - began


def first_screen(path: Path) -> float:
    """Seconds from the start of a process to a drawn screen of the replay."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "110", "LINES": "30", "LANG": "C.UTF-8"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "agent_console", "replay", str(path), "--no-sound"]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment, close_fds=True)
    seen = b""
    while b"pause" not in seen and time.perf_counter() - began < 60:
        if select.select([master], [], [], 0.02)[0]:
            seen += os.read(master, 65536)
    taken = time.perf_counter() - began
    process.kill()
    process.wait()
    os.close(slave)
    os.close(master)
    return taken


def recording_cost(folder: Path, seconds: int) -> float:
    """CPU seconds of the whole process for each second of a session that is recorded, with sound both ways."""
    recorder = make_recorder(folder, now=lambda: 0.0)
    noise = np.random.default_rng(1).integers(-3000, 3000, 24000, dtype=np.int16)
    meter = ev.AudioMeter(-30.0, -24.0, -34.0, 0.5, 0.5)
    began = time.process_time()
    for second in range(seconds):
        for block in range(100):
            end = second + (block + 1) / 100
            recorder.sound("user", end, noise[block * 160 : block * 160 + 160], 16000)
            if block % 10 == 9:
                recorder.sound("agent", end, noise[:2400], 24000)
            if block % 3 == 0:
                recorder.event(Event(1, end, "s", None, None, meter))
            if block % 10 == 0:
                recorder.event(Event(1, end, "s", "t", None, ev.AgentText("speech", "item", "word ")))
        if second % 20 == 19:
            time.sleep(0.2)  # so that what waits stays below what is left out
    recorder.close(60.0)
    return (time.process_time() - began) / seconds


def memory_mib() -> float:
    """Resident memory of the process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def report_winding(path: Path) -> None:
    before = memory_mib()
    winding = Winding(path)
    end = winding.backend.bundle.duration
    print(f"wind to the end, cold      {winding.to(end):.3f} s")
    print(f"  all of it there after    {winding.until_whole():.2f} s more")
    far = [winding.to(end * share) for share in (0.5, 0.9, 0.1, 0.7, 0.3, 0.99, 0.01, 0.6)]
    print(f"wind anywhere, once read   {statistics.median(far):.3f} s median of {len(far)}, slowest {max(far):.3f} s")
    print(f"memory                     {memory_mib() - before:.0f} MiB more")
    winding.backend.stop()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=120)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = make_bundle(Path(folder) / "long", options.turns)
        size = (path / "events.jsonl").stat().st_size / 1e6
        bundle = Bundle.open(path)
        print(
            f"bundle                     {options.turns} turns, {bundle.duration / 3600:.1f} h, {size:.0f} MB of events"
        )
        print(f"open                       {timed(lambda: Bundle.open(path)) * 1000:.1f} ms")
        print(f"  its length, its turns    {timed(lambda: bundle.duration) + timed(lambda: bundle.turns):.3f} s")
        paints = [first_screen(path) for _ in range(5)]
        print(f"first screen               {statistics.median(paints):.3f} s median of 5, slowest {max(paints):.3f} s")
        report_winding(path)
        cost = recording_cost(Path(folder) / "recorded", options.seconds)
        print(f"recording                  {cost * 1000:.1f} ms of CPU for each second of a session")


if __name__ == "__main__":
    main()
