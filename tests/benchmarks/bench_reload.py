"""From the save of a file to the new code in use, with sound flowing both ways.

    python -m tests.benchmarks.bench_reload [--reloads 200] [--lines 500] [--silent] [--still]

A conversation runs in this process as a console runs it, with its file watcher and a virtual sound card. The agent's
module of `--lines` lines, beside three others, is saved again and again, each time with other instructions; every tenth
time while the agent speaks. A thread that wants to run every 2 ms tells how long reloads hold others up, the audio
callbacks among them. `--silent` does without sound, `--still` without saves: to see what the machine does by itself.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from agent_runtime.agent_loader import load_agent, parse_target
from agent_runtime.events import (
    AnyEvent,
    AudioDropped,
    DeviceChanged,
    LoopBlocked,
    PlayoutFinished,
    PlayoutStarted,
    ReloadFailed,
    ReloadFinished,
    SessionStarted,
)
from agent_runtime.host import RuntimeHost
from agent_runtime.settings_layers import load_settings
from tests.support.pulse import pulse_server

HEAD = '''"""A shop's agent."""

from dataclasses import dataclass
from pathlib import Path

from prices import PRICES
from words import GREETING

from agent_runtime import Agent, AgentSession, function_tool
from agent_runtime.testing import Answer, ScriptedLLM, ScriptedTTS


class Shop(Agent):
    def __init__(self) -> None:
        super().__init__(instructions=GREETING + " Version NUMBER.")


def session() -> AgentSession:
    llm, tts = ScriptedLLM([Answer("One two three.")] * 999), ScriptedTTS([2.0] * 999)
    return AgentSession(llm=llm, tts=tts, vad=None), Shop()

'''
BLOCK = '''
@dataclass
class OrderN:
    """An order of kind N."""

    dish: str = "soup N"
    count: int = 1

    def total(self) -> float:
        """What it costs."""
        price = PRICES.get(self.dish, 4.5)
        return round(price * self.count, 2)


@function_tool
async def order_N(dish: str, count: int = 1) -> str:
    """Order a dish of kind N.

    Args:
        dish: which one
        count: how many
    """
    order = OrderN(dish, count)
    return f"{order.count} x {order.dish}: {order.total()}"

'''


def module(lines: int) -> str:
    """The agent's module, of about that many lines."""
    text, number = HEAD, 0
    while text.count("\n") < lines:
        text += BLOCK.replace("N", str(number))
        number += 1
    return text


class Run:
    """A host, its project, and what it told."""

    def __init__(self, folder: Path, *, lines: int, silent: bool) -> None:
        (folder / ".git").mkdir()
        (folder / "prices.py").write_text("from units import EURO\n\nPRICES = {'soup 1': 4 * EURO}\n")
        (folder / "units.py").write_text("EURO = 1.0\n")
        (folder / "words.py").write_text("GREETING = 'Be brief.'\n")
        self.text = module(lines)
        self.path = folder / "bench_agent.py"
        self.write(0)
        self.events: list[AnyEvent] = []
        self._told = threading.Condition()
        settings = load_settings({"text": silent}, folder=folder, environ={}, user_file=folder / "none.toml").settings
        self.host = RuntimeHost(lambda: settings, lambda: load_agent(parse_target(str(self.path))))
        self.host.start(self._sink)
        self.wait(SessionStarted, 1)
        if not silent:
            self.wait(DeviceChanged, 2)

    def write(self, number: int) -> None:
        """Save the agent's module in its next version."""
        self.path.write_text(self.text.replace("NUMBER", str(number)))

    def of(self, kind: type) -> list[AnyEvent]:
        """What was told of a kind."""
        return [event for event in self.events if isinstance(event.data, kind)]

    def wait(self, kind: type, count: int, seconds: float = 20.0) -> AnyEvent:
        """The `count`th event of a kind, now or soon."""
        with self._told:
            assert self._told.wait_for(lambda: len(self.of(kind)) >= count, seconds), (
                f"no {kind.__name__}: {self.events}"
            )
        return self.of(kind)[count - 1]

    def _sink(self, event: AnyEvent) -> None:
        if type(event.data).__name__ != "AudioMeter":
            with self._told:
                self.events.append(event)
                self._told.notify_all()


def speak(run: Run) -> None:
    """Have the agent begin to speak."""
    spoken = len(run.of(PlayoutStarted))
    run.host.send_text("hello")
    run.wait(PlayoutStarted, spoken + 1)


def reload(run: Run, number: int, *, speaking: bool) -> tuple[float, ReloadFinished]:
    """Save once; give the seconds until the event that the new code is in use, and the event."""
    if speaking:
        speak(run)
    began = time.monotonic()
    run.write(number)
    event = run.wait(ReloadFinished, number)
    took = time.monotonic() - began
    if speaking:
        run.wait(PlayoutFinished, len(run.of(PlayoutStarted)))
    assert isinstance(event.data, ReloadFinished)
    assert f"+  Be brief. Version {number}." in event.data.diff
    return took, event.data


class Ticks:
    """A thread that wants to run every 2 ms, and how late it was."""

    def __init__(self) -> None:
        self.late: list[float] = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            began = time.perf_counter()
            time.sleep(0.002)
            self.late.append(time.perf_counter() - began - 0.002)

    def report(self) -> str:
        """How late it was, in milliseconds."""
        ordered = sorted(self.late)
        p99, p999 = (ordered[int(len(ordered) * share)] * 1000 for share in (0.99, 0.999))
        return f"another thread's delay: p99 {p99:.1f} ms, p99.9 {p999:.1f} ms, max {ordered[-1] * 1000:.1f} ms"


def memory() -> float:
    """Megabytes of this process that are in memory. A collection first would stop the sound by itself."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


@contextlib.contextmanager
def sound(silent: bool) -> Iterator[None]:
    """A virtual sound card for this process, unless it does without."""
    if silent:
        yield
        return
    with pulse_server() as pulse:
        os.environ.update(pulse.environment)
        yield


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--reloads", type=int, default=200)
    parser.add_argument("--lines", type=int, default=500)
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("--still", action="store_true")
    options = parser.parse_args()
    with sound(options.silent), tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), lines=options.lines, silent=options.silent)
        silent, pending, sizes = [], [], []
        ticks = Ticks()
        for number in range(1, options.reloads + 1):
            speaking = not options.silent and number % 10 == 0
            if options.still:
                time.sleep(0.2)
                if speaking:
                    speak(run)
                    run.wait(PlayoutFinished, len(run.of(PlayoutStarted)))
                continue
            took, finished = reload(run, number, speaking=speaking)
            (pending if speaking else silent).append(took - finished.waited if speaking else took)
            if number % (options.reloads // 4) == 0:
                sizes.append(memory())
        dropped = {event.data.where: event.data.frames for event in run.of(AudioDropped)}
        blocked = [event.data.duration for event in run.of(LoopBlocked)]
        failed = len(run.of(ReloadFailed))
        assert run.host.stop(10)
    print(f"audio frames dropped: {dropped or 'none'}; loop blocked: {[round(b, 2) for b in blocked] or 'never'}")
    print(ticks.report())
    if options.still:
        return
    ordered = sorted(silent)
    lines = run.text.count("\n")
    print(f"{options.reloads} saves of a module of {lines} lines, {failed} failed")
    print(f"save to new code in use: median {statistics.median(ordered) * 1000:.0f} ms, ", end="")
    print(
        f"p95 {ordered[int(len(ordered) * 0.95)] * 1000:.0f} ms, max {ordered[-1] * 1000:.0f} ms ({len(ordered)} saves)"
    )
    if pending:
        print(
            f"while the agent speaks, save to ready: median {statistics.median(pending) * 1000:.0f} ms ({len(pending)})"
        )
    print("MB in memory after each quarter: " + ", ".join(f"{size:.1f}" for size in sizes))


if __name__ == "__main__":
    main()
