"""Holds the turn machine to its tests: every branch is run, and every row of its tables is taken.

python -m tests.support.turn_machine_coverage
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VOICE = ROOT / "runtime" / "agent_runtime" / "voice"
FILES = [
    VOICE / f"{name}.py"
    for name in ("turn_machine", "turn_inputs", "turn_memory", "user_half", "floor_half", "turn_driver")
]
TESTS = [
    *(f"tests/unit/test_{name}.py" for name in ("turn_machine", "turn_machine_rows", "timings")),
    *(
        f"tests/unit/test_session_{name}.py"
        for name in (
            "turns",
            "interruptions",
            "backchannels",
            "dynamic_endpointing",
            "turn_limits",
            "transcripts",
            "push_to_talk",
            "speech",
            "agents",
            "errors",
            "close",
            "realtime",
        )
    ),
]
_ROWS = "TURN_MACHINE_ROWS"


def measure() -> list[str]:
    """Run the scenarios; returns what they left out, a line each. Raises RuntimeError if one of them fails."""
    with tempfile.TemporaryDirectory() as folder:
        data, report, rows = (Path(folder, name) for name in ("data", "report.json", "rows.json"))
        included = ",".join(map(str, FILES))
        run = [sys.executable, "-m", "coverage", "run", "--branch", f"--data-file={data}", f"--include={included}"]
        run += ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.support.turn_machine_coverage", *TESTS]
        done = subprocess.run(run, cwd=ROOT, env={**os.environ, _ROWS: str(rows)}, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the scenarios fail:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
        made = [sys.executable, "-m", "coverage", "json", "-q", f"--data-file={data}", "-o", str(report)]
        subprocess.run(made, cwd=ROOT, check=True)
        return _left_out(json.loads(report.read_text("utf-8"))) + json.loads(rows.read_text("utf-8"))


def _left_out(report: dict[str, dict[str, dict[str, list[list[int] | int]]]]) -> list[str]:
    measured = {Path(path).name: told for path, told in report["files"].items()}
    lines = []
    for path in FILES:
        told = measured[path.name]
        lines += [f"{path.name}:{line} is not run" for line in told["missing_lines"]]
        lines += [f"{path.name}: no way from line {a} to {b}" for a, b in told["missing_branches"]]  # type: ignore[misc]
    return lines


def pytest_configure() -> None:
    """As a plugin of the measured run: watch which rows are taken, and write at its end which weren't."""
    from agent_runtime.voice.turn_machine import FLOOR, USER, Row, Table, TurnMachine

    left = {
        id(row): f"no test takes row {number} of ({state.name if state else 'Any'}, {kind.__name__})"
        for table in (USER, FLOOR)
        for (state, kind), rows in table.items()
        for number, row in enumerate(rows, start=1)
    }
    find = TurnMachine._row

    def watched(machine: TurnMachine, table: Table, state: object, event: object) -> Row | None:
        row = find(machine, table, state, event)  # type: ignore[arg-type]  # handed on as it came
        left.pop(id(row), None)
        return row

    TurnMachine._row = watched  # type: ignore[method-assign]  # the run is this plugin's own
    atexit.register(lambda: Path(os.environ[_ROWS]).write_text(json.dumps(list(left.values())), "utf-8"))


if __name__ == "__main__":
    missing = measure()
    print("\n".join(missing) or "every branch is run and every row is taken")
    sys.exit(bool(missing))
