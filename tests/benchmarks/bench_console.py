"""What the console costs: `python -m tests.benchmarks.bench_console`.

First paint of a new process in a pty; CPU of a frame while audio flows and text streams, after 10 and after 10,000
turns, with no panel open and with each of `--panels`; a key's way to the screen meanwhile; and how long the ticker runs
on when nothing happens.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import pty
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from textual import events as textual_events

from agent_console.app import ConsoleApp
from agent_runtime import events as ev
from agent_runtime.events import AnyEvent, Event
from tests.support.backend import ScriptedBackend
from tests.support.conversation import long_history
from tests.support.screenshots import settle

STARTER = "from tests.support.demo import main; main()"


class Stream:
    """A conversation in full flow: 31 meter events a second, words ten times a second, a hundred other events."""

    def __init__(self, backend: ScriptedBackend, seq: int, start: float) -> None:
        self._backend = backend
        self._seq = seq
        self._start = start

    def _send(self, data: ev.EventData, time: float) -> None:
        self._seq += 1
        event: AnyEvent = Event(self._seq, self._start + time, "session-1", "turn-live", None, data)
        self._backend.send(event)

    async def run(self, seconds: float) -> None:
        """Send for that long, in real time."""
        began = time.perf_counter()
        self._send(ev.TurnStarted(99_999), 0.0)
        text, count = "", 0
        while (now := time.perf_counter() - began) < seconds:
            level = -30.0 + 20.0 * ((count * 7919) % 100) / 100
            probability = (count * 31 % 100) / 100
            self._send(ev.AudioMeter(level, level + 6, level - 4, probability, 0.5), now)
            for number in range(3):
                self._send(ev.LogWritten("info", "agent_runtime.session", f"line {count}.{number}"), now)
            if count % 3 == 0:
                self._send(ev.AgentText("live", f"live-{count // 150}", f"word{count} "), now)
                text = f"{text} word{count}" if count % 150 else f"word{count}"
                self._send(ev.AgentHeard("live", f"live-{count // 150}", text.strip(), now), now)
            count += 1
            await asyncio.sleep(max(0.0, count * 0.032 - (time.perf_counter() - began)))


class TimedApp(ConsoleApp):
    """Counts frames and knows when each was shown."""

    def __init__(self, backend: ScriptedBackend) -> None:
        super().__init__(backend)
        self.frames: list[float] = []
        self.pressed: float | None = None
        self.latencies: list[float] = []

    def post_display_hook(self) -> None:
        """A frame is on the screen."""
        now = time.perf_counter()
        self.frames.append(now)
        if self.pressed is not None:
            self.latencies.append(now - self.pressed)
            self.pressed = None

    def press(self, key: str) -> None:
        """As the terminal driver would."""
        assert self._driver is not None
        self._driver.send_message(textual_events.Key(key, None))
        self.pressed = time.perf_counter()


async def measure(turns: int, seconds: float, panel: str = "") -> dict[str, float]:
    """A streaming session on top of so many turns, with the panel of that digit open."""
    history = list(long_history(turns))
    backend = ScriptedBackend(history)
    app = TimedApp(backend)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, 120)
        await pilot.press(*panel)
        gc.collect()
        gc.freeze()  # as the runtime's host does once its models are loaded: a full collection takes 60 ms
        await asyncio.sleep(0.3)
        stream = asyncio.create_task(Stream(backend, len(history), history[-1].time).run(seconds))
        await asyncio.sleep(0.2)
        app.frames.clear()
        cpu, began = time.process_time(), time.perf_counter()
        keys = 0
        while not stream.done():
            if app.pressed is None:
                app.press(("j", "k", "l")[keys % 3])
                keys += 1
            await asyncio.sleep(0.1)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - began
        frames = len(app.frames)
        await asyncio.sleep(1.5)
        app.frames.clear()
        await asyncio.sleep(3.0)
        idle = len(app.frames)
    latencies = sorted(app.latencies)
    return {
        "turns": turns,
        "frames/s": frames / wall,
        "CPU ms/frame": cpu / frames * 1000,
        "CPU % of a core": cpu / wall * 100,
        "key p50 ms": statistics.median(latencies) * 1000,
        "key p99 ms": latencies[max(0, int(len(latencies) * 0.99) - 1)] * 1000,
        "frames in 3 idle s": idle,
    }


def first_paint(runs: int) -> list[float]:
    """Seconds from the start of a process to the first bytes of a drawn screen in its terminal."""
    results = []
    for _ in range(runs):
        master, slave = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24", "LANG": "C.UTF-8"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", STARTER], stdin=slave, stdout=slave, stderr=slave, env=environment, close_fds=True
        )
        seen = b""
        while b"quit" not in seen and time.perf_counter() - began < 20:
            if select.select([master], [], [], 0.05)[0]:
                seen += os.read(master, 65536)
        results.append(time.perf_counter() - began)
        os.write(master, b"q")
        deadline = time.perf_counter() + 5
        while process.poll() is None and time.perf_counter() < deadline:
            if select.select([master], [], [], 0.05)[0]:
                os.read(master, 65536)
        process.kill()
        process.wait()
        os.close(slave)
        os.close(master)
    return results


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--turns", type=int, nargs="*", default=[10, 10_000])
    parser.add_argument("--panels", nargs="*", default=["1", "6"], help="digits")
    options = parser.parse_args(arguments)
    paints = first_paint(5)
    print(f"first paint        {statistics.median(paints):.3f} s median of {len(paints)}, slowest {max(paints):.3f} s")
    for turns in options.turns:
        for panel in ("", *options.panels):
            print(f"{'panel':<18} {panel or 'none'}")
            for name, value in asyncio.run(measure(turns, options.seconds, panel)).items():
                print(f"{name:<18} {value:.1f}")
            print()


if __name__ == "__main__":
    main()
