"""Many voice sessions in one process, beside LiveKit Agents: `python -m tests.benchmarks.bench_sessions`.

Each session hears 20 ms frames all the time and plays 20 ms frames while the agent speaks; in each cycle of 4 s the
user speaks for 1 s and the agent for 1 s. Providers answer at once, sessions start at spread phases. With `--churn`
instead: sessions that start and close one after another, and what they leave behind.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from tests.benchmarks.compared.run import MachineLag, add_reference, load, run

CYCLE = 4.0
COLUMNS = {
    "sessions": "sessions",
    "cpu_ms_per_session_second": "CPU a session-second, ms",
    "harness_ms_per_session_second": "of it microphones, ms",
    "turns_answered": "answered",
    "turns_due": "of turns",
    "answer_p50_ms": "answer p50, ms",
    "answer_p95_ms": "p95, ms",
    "frames_over_40_ms_late": "frames over 40 ms late",
    "frames": "of frames",
    "frame_late_max_ms": "latest, ms",
    "lag_p99_ms": "loop lag p99, ms",
    "resident_mb_per_session": "memory a session, MB",
    "machine_lag_p99_ms": "an idle process's lag p99, ms",
    "machine_lag_max_ms": "at most, ms",
}


def print_table(rows: list[dict[str, Any]], columns: dict[str, str]) -> None:
    """As Markdown."""
    print("| " + " | ".join(columns.values()) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(str(row[name]) for name in columns) + " |")


def churn(options: argparse.Namespace) -> None:
    """Sessions one after another."""
    figures = run(None, "churn", count=options.churn, traced=options.traced)
    names = ["sessions", "resident_mb", "objects", "tasks", "threads", *(["traced_kb"] if options.traced else [])]
    print_table(figures["rows"], {name: name.replace("_", " ") for name in names})
    print(f"\n{figures['cpu_ms_per_session']} ms of CPU a session: start, a text turn, close")


def main() -> None:
    """Run each size on its own and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_reference(parser)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10, 25, 50, 100])
    parser.add_argument("--reference-sizes", type=int, nargs="*", default=[25, 50])
    parser.add_argument("--seconds", type=float, default=12.0, help="measured after one cycle to warm up")
    parser.add_argument("--churn", type=int, metavar="COUNT", help="start and close so many instead")
    parser.add_argument("--traced", action="store_true", help="with --churn: count Python's memory exactly, slowly")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.churn:
        churn(options)
        return
    rows = []
    sizes: list[tuple[str | None, int]] = [(None, size) for size in options.sizes]
    if options.reference:
        sizes += [(options.reference, size) for size in options.reference_sizes]
    for python, size in sizes:
        with MachineLag() as machine:
            figures = run(python, "sessions", count=size, seconds=options.seconds, cycle=CYCLE)
        lag = {"machine_lag_p99_ms": machine.over_ms(0.99), "machine_lag_max_ms": machine.over_ms(1.0)}
        rows.append({"of": "ours" if python is None else "reference", **figures, **lag})
        print(f"{rows[-1]['of']}, {size} sessions: {load()}", file=sys.stderr)
    if options.json:
        print(json.dumps(rows))
    else:
        print_table(rows, {"of": "", **COLUMNS})


if __name__ == "__main__":
    main()
