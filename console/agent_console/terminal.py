"""Keeps the terminal whole: native libraries can't write into the screen, and it is given back as it was."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, TextIO

RESTORE: Final = (
    "\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l"
)
"""Undoes everything that Textual 8 turns on in a terminal, in its own order (`drivers/linux_driver.py`)."""


class TerminalGuard:
    """While it is entered, the terminal belongs to the console alone.

    File descriptors 1 and 2 lead into `on_output`, line by line, from a thread: ALSA, PortAudio and llama.cpp write
    there behind Python's back. `sys.stdout`, `sys.stderr` and their originals, by which Textual draws, still lead to
    the terminal. On the way out the terminal's settings are put back, also where the console couldn't do it itself.
    """

    def __init__(self, on_output: Callable[[str], None]) -> None:
        self._on_output = on_output
        self._saved_fds: dict[int, int] = {}
        self._saved_streams: dict[str, TextIO] = {}
        self._attributes: list[Any] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> TerminalGuard:
        self._attributes = _terminal_attributes()
        read_end, write_end = os.pipe()
        for name, fd in (("stdout", 1), ("stderr", 2)):
            stream: TextIO = getattr(sys, name)
            stream.flush()
            self._saved_fds[fd] = os.dup(fd)
            terminal = open(os.dup(fd), "w", encoding=stream.encoding, errors="replace")
            for attribute in (name, f"__{name}__"):
                self._saved_streams[attribute] = getattr(sys, attribute)
                setattr(sys, attribute, terminal)
            os.dup2(write_end, fd)
        os.close(write_end)
        self._reader = threading.Thread(target=self._read, args=(read_end,), name="native-output", daemon=True)
        self._reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.restore()
        terminals = {getattr(sys, name) for name in self._saved_streams}
        for name, stream in self._saved_streams.items():
            setattr(sys, name, stream)
        for terminal in terminals:
            terminal.close()
        for fd, saved in self._saved_fds.items():
            os.dup2(saved, fd)
            os.close(saved)
        # A child that inherited the pipe and outlives us keeps it open: don't wait for it for long.
        if self._reader is not None:
            self._reader.join(0.2)

    def restore(self) -> None:
        """Give the terminal back if the console didn't; harmless where it did."""
        if self._attributes is None or _terminal_attributes() == self._attributes:
            return
        import termios

        terminal = sys.__stderr__
        if terminal is not None:
            terminal.write(RESTORE)
            terminal.flush()
        termios.tcsetattr(0, termios.TCSANOW, self._attributes)

    def _read(self, fd: int) -> None:
        with open(fd, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if text := line.rstrip():
                    self._on_output(text)


def _terminal_attributes() -> list[Any] | None:
    """The settings of the terminal on standard input; None where it isn't one or the system has no such thing."""
    if sys.platform == "win32":
        return None
    import termios

    try:
        return termios.tcgetattr(0)
    except termios.error:
        return None
