"""A process in a pseudo-terminal, watched from outside: when something shows on it, and how much it draws."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from typing import Any


class Terminal:
    """Runs a command in a terminal of its own; nothing is parsed of what it draws, so watching costs little.

    The command is told of a second file descriptor by its last argument: a line of JSON asks it for something there,
    and a line of JSON answers.
    """

    def __init__(self, command: Sequence[str], size: tuple[int, int], *, asks: bool = False, cwd: str | None = None):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        outside = {k: v for k, v in os.environ.items() if not k.startswith(("AGENT_CONSOLE_", "OPENAI_", "LIVEKIT_"))}
        outside |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        outside.pop("PYTHONDONTWRITEBYTECODE", None)
        asked, self._ask = os.pipe()
        self._answers, answer = os.pipe()
        extra = [f"{asked},{answer}"] if asks else []
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            [*command, *extra],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=outside,
            pass_fds=(asked, answer),
            cwd=cwd,
            start_new_session=True,
        )
        for descriptor in (slave, asked, answer):
            os.close(descriptor)
        self.drawn = 0
        """Bytes so far."""

    def press(self, keys: str) -> None:
        """Press keys, as bytes."""
        os.write(self._master, keys.encode())

    def watch(self, shows: Callable[[bytes], bool], timeout: float) -> float | None:
        """Seconds until what was drawn from now on `shows` it; None if it didn't in time."""
        began, seen = time.perf_counter(), b""
        while (left := began + timeout - time.perf_counter()) > 0:
            if select.select([self._master], [], [], left)[0]:
                seen += self._read()
                if shows(seen):
                    return time.perf_counter() - began
        return None

    def run_for(self, seconds: float) -> None:
        """Let it draw."""
        self.watch(lambda seen: False, seconds)

    def ask(self, request: dict[str, Any]) -> None:
        """Ask for something; `answer` waits for it."""
        os.write(self._ask, json.dumps(request).encode() + b"\n")

    def answer(self, timeout: float = 300.0) -> dict[str, float]:
        """What it answered; it may draw meanwhile."""
        deadline, line = time.perf_counter() + timeout, b""
        while not line.endswith(b"\n"):
            ready = select.select([self._master, self._answers], [], [], max(0.0, deadline - time.perf_counter()))[0]
            if self._master in ready:
                self._read()
            if self._answers in ready:
                line += os.read(self._answers, 65536)
            if not ready or self.process.poll() is not None:
                raise RuntimeError("no answer")
        found: dict[str, float] = json.loads(line)
        return found

    def _read(self) -> bytes:
        try:
            data = os.read(self._master, 1 << 20)
        except OSError as exc:
            raise RuntimeError("the process has ended") from exc
        self.drawn += len(data)
        return data

    def close(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()
        for descriptor in (self._master, self._ask, self._answers):
            os.close(descriptor)
