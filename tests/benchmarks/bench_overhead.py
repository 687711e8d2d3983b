"""What the engine adds to its providers, beside LiveKit Agents: `python -m tests.benchmarks.bench_overhead`.

Both sides run the same providers and devices (`tests/benchmarks/compared/fakes.py`) in processes that take turns, and
the median of the rounds counts: CPU time bears a busy machine, waiting times bear it as far as both wait alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
from typing import Any

from tests.benchmarks.compared.run import add_reference, load, run

TABLE = [
    ("turns", "text_turn_ms", "CPU of a text turn, ms", 0.25),
    ("turns", "text_turn_after_history_ms", "the same after 200 turns, ms", 0.25),
    ("turns", "tool_turn_ms", "CPU of a turn with one tool, ms", 0.25),
    ("turns", "tool_turn_after_history_ms", "the same after 200 turns, ms", 0.25),
    ("answers", "p50_ms", "end of speech told to first frame out, p50, ms", 0.25),
    ("answers", "p95_ms", "the same, p95, ms", 0.25),
    ("answers", "cpu_p50_ms", "CPU in that time, p50, ms", 0.25),
    ("interruptions", "cleared_p50_ms", "deciding VAD window to cleared buffer, p50, ms", 1.0),
    ("interruptions", "cleared_p95_ms", "the same, p95, ms", 1.0),
    ("interruptions", "silent_p50_ms", "the same to the end of the block in play (10 ms), p50, ms", 1.0),
    ("interruptions", "silent_p95_ms", "the same, p95, ms", 1.0),
]
"""Command, figure, what it is, and at most which share of the reference's it should be."""


def measure(sides: list[str | None], rounds: int) -> list[dict[str, Any]]:
    """The median of each side's figures, named `command.figure`."""
    found: list[dict[str, list[float]]] = [{} for _ in sides]
    for _ in range(rounds):
        for command, arguments in (
            ("turns", {"count": 100, "history": 200}),
            ("answers", {"count": 40, "spoken": 0.1, "cycle": 0.3}),
            ("interruptions", {"count": 12, "cycle": 0.5, "min_duration": 0.09}),
        ):
            for side, figures in zip(sides, found, strict=True):
                for name, value in run(side, command, **arguments).items():
                    figures.setdefault(f"{command}.{name}", []).append(value)
    return [{name: statistics.median(values) for name, values in figures.items()} for figures in found]


def main() -> None:
    """Measure both sides and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_reference(parser)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sides: list[str | None] = [None, *([options.reference] if options.reference else [])]
    before = load()
    medians = measure(sides, options.rounds)
    if options.json:
        print(json.dumps(dict(zip(("ours", "reference"), medians, strict=False))))
        return
    print(f"before: {before}; after: {load()}; median of {options.rounds} rounds\n")
    print("| | ours | reference | share | goal |\n|---|---|---|---|---|")
    for command, figure, text, goal in TABLE:
        values = [side[f"{command}.{figure}"] for side in medians]
        theirs = f"{values[1]:.2f} | {values[0] / values[1]:.2f}" if len(values) > 1 else "|"
        print(f"| {text} | {values[0]:.2f} | {theirs} | {goal} |")


if __name__ == "__main__":
    main()
