"""A worker as a process of its own, with its log at hand."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.livekit_server import LiveKitServer

AGENT = Path(__file__).with_name("worker_agent.py")
PATIENCE = 40.0
"""Seconds that something may take on a loaded machine before a test gives up."""


class WorkerProcess:
    """`command` after the interpreter; `environment` on top of this process's own."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.log: list[dict[str, Any]] = []
        self.other: list[str] = []
        self._new: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        left_out = ("LIVEKIT_", "PYTHONDONTWRITEBYTECODE")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        self.process = subprocess.Popen(
            [sys.executable, *command],
            env=clean | dict(environment),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                try:
                    told = json.loads(line)
                except ValueError:
                    self.other.append(line.rstrip())
                else:
                    self.log.append(told)
                    self._new.put(told)
        self._new.put(None)

    def wait_for(self, text: str) -> dict[str, Any]:
        """The next line of the log with this in its message."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                line = self._new.get(timeout=max(deadline - time.monotonic(), 0.01))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"{text!r} was never logged:\n{self.told()}")
            if text in line["message"]:
                return line

    def told(self) -> str:
        """Everything that it wrote."""
        return "\n".join([*(json.dumps(line) for line in self.log), *self.other])

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Its exit code."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def family(self) -> set[int]:
        """Its process and all that it started, and they."""
        return family_of(self.process.pid)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(PATIENCE)


@contextlib.contextmanager
def worker(
    server: LiveKitServer, *, command: Sequence[str] | None = None, **environment: str
) -> Iterator[WorkerProcess]:
    """A worker at this server; gone at the end."""
    process = WorkerProcess(command or [str(AGENT), "start"], server.environment | environment)
    try:
        yield process
    finally:
        process.close()


def family_of(pid: int) -> set[int]:
    """A process and all that it started, and they."""
    parents = dict(_parents())
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def alive(pids: set[int]) -> set[int]:
    """Those that still run."""
    return {pid for pid, _ in _parents() if pid in pids}


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    yield int(folder.name), int(parent)
