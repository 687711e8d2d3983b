"""Runs a worker in either environment."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

WORKER = Path(__file__).with_name("worker.py")
MAKE = "uv venv /tmp/reference && uv pip install --python /tmp/reference/bin/python livekit-agents==1.8.9"


def add_reference(parser: argparse.ArgumentParser) -> None:
    """`--reference`: where LiveKit Agents is installed."""
    parser.add_argument(
        "--reference",
        default=os.environ.get("LIVEKIT_AGENTS_PYTHON"),
        help=f"python of an environment with livekit-agents, as made by `{MAKE}`; unset: only our own figures",
    )


def run(python: str | None, command: str, **arguments: Any) -> dict[str, Any]:
    """The figures of one run: of LiveKit Agents under `python`, or our own if it is None."""
    side = "ours" if python is None else "reference"
    # Else every import compiles its modules again.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [python or sys.executable, WORKER, side, command, json.dumps(arguments)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


class MachineLag:
    """How late this process, which does nothing, wakes meanwhile: what others on the machine take from everybody."""

    def __enter__(self) -> MachineLag:
        self.lags: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        due = time.monotonic() + 0.02
        while not self._over.wait(due - time.monotonic()):
            self.lags.append(time.monotonic() - due)
            due = time.monotonic() + 0.02

    def over_ms(self, share: float) -> float:
        """The lag at that share of the wakes, in milliseconds."""
        return round(sorted(self.lags)[min(len(self.lags) - 1, int(len(self.lags) * share))] * 1000, 3)


def load() -> str:
    """The machine's load average over the last minute, told beside what was measured meanwhile."""
    return f"load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores"
