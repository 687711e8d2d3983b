"""What the console costs: `python -m tests.benchmarks.bench_console`.

It runs in a pseudo-terminal of 120 by 40 while 100 events a second come in (30 of them levels) after 10 and after
10,000 turns, with no panel open and with each of `--panels`: CPU and frames while nobody touches it; then the way of
a key from the terminal into the process and back as what it changed on the screen; then what it does when nothing
happens. Last, the first paint of a new process: bare, with an agent's file, and with flags as well.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.benchmarks.console_terminal import Terminal

SIZE = (120, 40)
AGENT = Path(__file__).parents[2] / "examples" / "minimal_assistant.py"
STARTS: dict[str, list[str]] = {
    "bare": [],
    "an agent's file": [str(AGENT)],
    "a file and flags": [str(AGENT), "--text", "--log-level", "info"],
}
Shows = Callable[[bytes], bool]


def letters(terminal: Terminal) -> Iterator[tuple[str, str, Shows]]:
    """Letters typed into the input, each another one, so that only that key can have drawn it."""
    terminal.press("t")
    terminal.run_for(0.5)
    for number in range(0x100, 0x17F):
        letter = chr(number)
        yield "a letter", letter, lambda seen, letter=letter: letter.encode() in seen  # type: ignore[misc]  # bound


def turns(terminal: Terminal) -> Iterator[tuple[str, str, Shows]]:
    """Turns selected, up and down: the panel that tells of the selected turn names another."""
    terminal.press("\x1b")
    terminal.run_for(0.5)
    last: list[bytes] = [b""]

    def shows(seen: bytes) -> bool:
        found = re.findall(rb"turn (\d+)(?:, | \xc2\xb7 )selected", seen)
        if not found or found[-1] == last[0]:
            return False
        last[0] = found[-1]
        return True

    for _ in range(4):  # away from the turn that streams, of which nothing is measured yet
        terminal.press("k")
        terminal.watch(shows, 0.5)
    for number in range(60):
        yield "the turn before or after", "kkjj"[number % 4], shows
    terminal.press("\x1b")


def places(terminal: Terminal) -> Iterator[tuple[str, str, Shows]]:
    """The log and panels, opened and put away."""
    terminal.run_for(0.3)
    for _ in range(10):
        yield "the log", "l", lambda seen: b"bench.log" in seen
        terminal.press("l")
        terminal.run_for(0.3)
        for key, heading in (("1", b"TIMELINE"), ("6", b"EVENTS")):
            yield "a panel", key, lambda seen, heading=heading: heading in seen  # type: ignore[misc]  # bound
            terminal.run_for(0.2)
            yield "no panel", key, lambda seen: b"LATENCY" in seen


KEYS = {"": (letters, turns, places), "1": (letters, turns)}
"""What can be seen of a key's effect, by the panel that is open."""


def latencies(terminal: Terminal, panel: str) -> dict[str, list[float]]:
    """Seconds from a key's press to its effect on the terminal, while events stream in."""
    dice = random.Random(1)
    found: dict[str, list[float]] = {}
    terminal.ask({"do": "stream", "seconds": 600})
    for kind in KEYS.get(panel, (letters,)):
        for name, key, shows in kind(terminal):
            terminal.run_for(dice.uniform(0.08, 0.2))  # at any moment of a frame
            terminal.press(key)
            taken = terminal.watch(shows, 2.0)
            found.setdefault(name, []).append(2.0 if taken is None else taken)
    return found


def measure(history: int, seconds: float, panel: str) -> None:
    """Print what a streaming session costs on top of so many turns, with the panel of that digit open."""
    command = [sys.executable, "-m", "tests.benchmarks.console_stream", str(history)]
    terminal = Terminal(command, SIZE, asks=True)
    try:
        terminal.answer()
        terminal.press(panel)
        terminal.run_for(0.5)
        terminal.ask({"do": "stream", "seconds": 1})
        terminal.answer()
        drawn = terminal.drawn
        terminal.ask({"do": "stream", "seconds": seconds})
        run = terminal.answer()
        took = run["seconds"]
        print(f"{history:,} turns, panel {panel or 'none'}, load {os.getloadavg()[0]:.1f}")
        print(f"  events/s {run['events'] / took:.0f}  frames/s {run['frames'] / took:.1f}", end="  ")
        print(f"kB/s {(terminal.drawn - drawn) / took / 1000:.0f}  CPU {run['cpu'] / took:.1%} of a core", end="  ")
        print(f"({run['cpu'] / max(1, run['frames']) * 1000:.1f} ms/frame)")
        terminal.run_for(1.0)
        terminal.ask({"do": "idle", "seconds": 5})
        run = terminal.answer()
        print(f"  idle: {run['frames'] / 5:.1f} frames/s, CPU {run['cpu'] / 5:.1%} of a core")
        found = latencies(terminal, panel)
        found["all keys"] = [seconds for times in found.values() for seconds in times]
        for name, times in found.items():
            ordered = sorted(1000 * t for t in times)
            high = ordered[max(0, int(len(ordered) * 0.99) - 1)]
            print(f"  {name:<26} p50 {statistics.median(ordered):5.1f}  p99 {high:5.1f}", end="  ")
            print(f"max {ordered[-1]:5.1f} ms of {len(ordered)}")
    finally:
        terminal.close()


def first_paint(arguments: Sequence[str], runs: int) -> list[float]:
    """Seconds from the start of a process to the first bytes of a drawn screen in its terminal."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs):
            command = [sys.executable, "-m", "agent_console", *arguments]
            terminal = Terminal(command, (80, 24), cwd=folder)
            try:
                terminal.watch(lambda seen: b"quit" in seen, 20.0)
                results.append(time.perf_counter() - terminal.began)
            finally:
                terminal.close()
    return results


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of streaming without a key")
    parser.add_argument("--turns", type=int, nargs="*", default=[10, 10_000])
    parser.add_argument("--panels", nargs="*", default=["1", "6"], help="digits")
    parser.add_argument("--starts", type=int, default=7, help="of each kind")
    options = parser.parse_args(arguments)
    for history in options.turns:
        for panel in ("", *options.panels):
            measure(history, options.seconds, panel)
    for name, words in STARTS.items():
        if options.starts:
            paints = first_paint(words, options.starts)
            print(f"first paint, {name}: {statistics.median(paints):.3f} s, slowest {max(paints):.3f} s", end=" ")
            print(f"of {len(paints)}, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
