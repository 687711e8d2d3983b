"""The console as a person has it: a real process in a real pseudo-terminal, whose screen can be read."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import pexpect
import pyte

KEYS: Final = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "backspace": "\x7f",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "end": "\x1b[F",
    "home": "\x1b[H",
    "ctrl+c": "\x03",
    "ctrl+p": "\x10",
    "ctrl+q": "\x11",
    "ctrl+z": "\x1a",
    "space": " ",
}


class ConsoleProcess:
    """A command in a pseudo-terminal of a given size.

    Use it as a context manager: the process is gone at the end whatever happened. What it draws is kept as a screen
    (`screen_text`) and as raw bytes (`output`).
    """

    def __init__(
        self,
        arguments: Sequence[str] = (),
        *,
        size: tuple[int, int] = (120, 40),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        command: Sequence[str] = (sys.executable, "-m", "agent_console"),
    ) -> None:
        self.size = size
        self._argv = [*command, *arguments]
        # None of the developer's own settings or keys may decide what a test sees.
        outside = {k: v for k, v in os.environ.items() if not re.match(r"AGENT_CONSOLE_|OPENAI_|LIVEKIT_|TEXTUAL", k)}
        self._env = {**outside, "TERM": "xterm-256color", "LANG": "C.UTF-8", "COLORTERM": "truecolor", **(env or {})}
        self._env.pop("NO_COLOR", None) if "NO_COLOR" not in (env or {}) else None
        self._cwd = cwd
        self._screen = _Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self.output = b""
        self.started_at = 0.0
        self._child: pexpect.spawn[bytes] | None = None
        self.attributes_before: list[Any] = []

    def __enter__(self) -> ConsoleProcess:
        columns, rows = self.size
        self.started_at = time.monotonic()
        self._child = pexpect.spawn(
            self._argv[0],
            self._argv[1:],
            dimensions=(rows, columns),
            env=self._env,  # type: ignore[arg-type]  # typeshed says os._Environ; any mapping does
            cwd=None if self._cwd is None else str(self._cwd),
            timeout=None,
            encoding=None,
        )
        self._child.delaybeforesend = None
        self.attributes_before = termios.tcgetattr(self.child.child_fd)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if exc is not None:
            print(f"--- the screen when {type(exc).__name__} was raised\n{self.screen_text}\n---", file=sys.stderr)
        if self.child.isalive():
            self.child.kill(signal.SIGKILL)
        self._drain(0.05)
        self.child.close(force=True)

    @property
    def child(self) -> pexpect.spawn[bytes]:
        """The process. Only between enter and exit."""
        assert self._child is not None, "use it as a context manager"
        return self._child

    @property
    def screen_text(self) -> str:
        """What the screen shows now, line by line without trailing blanks."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def wait_for(self, pattern: str | Callable[[str], bool], timeout: float = 10.0) -> str:
        """Read the screen until it shows `pattern`, a regular expression, and return it. Fails after `timeout` s."""
        matches = pattern if callable(pattern) else lambda text: re.search(pattern, text) is not None
        deadline = time.monotonic() + timeout
        while not matches(self.screen_text):
            if time.monotonic() > deadline:
                raise AssertionError(f"{pattern!r} didn't show within {timeout} s on\n{self.screen_text}")
            if not self._drain(0.02) and not self.child.isalive():
                self._drain(0.05)
                if matches(self.screen_text):
                    break
                raise AssertionError(f"the process ended before {pattern!r} showed on\n{self.screen_text}")
        return self.screen_text

    def type(self, text: str) -> None:
        """Type text."""
        self.child.send(text.encode())

    def press(self, *keys: str) -> None:
        """Press keys one after the other, by name (`enter`, `ctrl+p`) or as one character."""
        for key in keys:
            self.child.send(KEYS.get(key, key).encode())
            # What follows an escape at once is part of its sequence.
            self.run_for(0.25 if key == "escape" else 0.03)

    def run_for(self, seconds: float) -> None:
        """Let it run, reading what it draws."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not self._drain(left) and not self.child.isalive():
                return

    def seconds_until(self, drawn: bytes, timeout: float = 5.0) -> float:
        """Seconds until it writes these bytes; what the screen shows is worked out afterwards, which takes long."""
        began, seen = time.monotonic(), b""
        while drawn not in seen and time.monotonic() < began + timeout:
            with contextlib.suppress(pexpect.TIMEOUT):
                seen += self.child.read_nonblocking(65536, timeout=timeout)
        taken = time.monotonic() - began
        self._take(seen)
        assert drawn in seen, f"{drawn!r} wasn't drawn within {timeout} s on\n{self.screen_text}"
        return taken

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self.size = (columns, rows)
        self._screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self.child.kill(number)

    def wait_for_exit(self, timeout: float = 10.0) -> int:
        """Wait for the end and return the exit code, or the negative number of the signal that killed it."""
        deadline = time.monotonic() + timeout
        while self.child.isalive():
            if time.monotonic() > deadline:
                raise AssertionError(f"still running after {timeout} s:\n{self.screen_text}")
            self._drain(0.02)
        self._drain(0.05)
        if self.child.signalstatus is not None:
            return -self.child.signalstatus
        assert self.child.exitstatus is not None
        return self.child.exitstatus

    def assert_terminal_restored(self) -> None:
        """The terminal is as it was: cooked with echo, main screen, cursor shown, no mouse, paste or focus reports."""
        after = termios.tcgetattr(self.child.child_fd)
        assert after[:4] == self.attributes_before[:4], "the terminal's settings were not put back"
        for mode in (1049, 1000, 1003, 1006, 2004, 1004):
            assert self._last(mode) in (None, "l"), f"mode {mode} was left on"
        assert self._last(25) in (None, "h"), "the cursor was left hidden"
        assert self.output.count(b"\x1b[<u") >= self.output.count(b"\x1b[>25u"), "the kitty keyboard was left on"

    def _last(self, mode: int) -> str | None:
        found: list[bytes] = re.findall(rb"\x1b\[\?%d([hl])" % mode, self.output)
        return found[-1].decode() if found else None

    def _drain(self, timeout: float) -> bool:
        """Take what the process has written, waiting for at most `timeout` seconds; whether there was anything."""
        got = False
        with contextlib.suppress(pexpect.TIMEOUT, pexpect.EOF, OSError):
            while True:
                data = self.child.read_nonblocking(65536, timeout=timeout)
                got = True
                self._take(data)
                timeout = 0
        return got

    def _take(self, data: bytes) -> None:
        self.output += data
        # pyte doesn't know the kitty keyboard's sequences and would print their tails.
        self._stream.feed(re.sub(rb"\x1b\[[<>=][0-9;]*u", b"", data))


class _Screen(pyte.Screen):
    """pyte's screen, taking the private sequences of `CSI ? … $ p` and `CSI > … q` for what they are: nothing."""

    def report_device_status(self, mode: int, **kwargs: object) -> None:
        pass

    def set_margins(self, *args: object, **kwargs: object) -> None:
        if not kwargs.get("private"):
            super().set_margins(*args)
