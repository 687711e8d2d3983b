"""One key that is held or tapped, on terminals that don't tell a release.

A terminal that is held on a key repeats it. So the first press starts; a later one ends it as soon as no repeat
follows for `QUIET` seconds. Tapping twice and holding down then both do what people expect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, Protocol

QUIET: Final = 0.15
"""Seconds. Key repeat is 25 to 90 ms on the systems we know."""

Sent = Literal["press", "send", "discard"]


class _Timer(Protocol):
    def stop(self) -> None: ...


class PushToTalk:
    """Turns presses of one key into `press`, `send` and `discard`."""

    def __init__(self, do: Callable[[Sent], None], call_later: Callable[[float, Callable[[], None]], _Timer]) -> None:
        self._do = do
        self._call_later = call_later
        self._timer: _Timer | None = None
        self.talking = False

    def key(self) -> None:
        """The key was pressed, or its terminal repeated it."""
        if not self.talking:
            self.talking = True
            self._do("press")
            return
        self._cancel()
        self._timer = self._call_later(QUIET, self._send)

    def discard(self) -> None:
        """Drop what was said since the press."""
        if self.talking:
            self._end("discard")

    def is_off(self) -> None:
        """The runtime ended it."""
        self._cancel()
        self.talking = False

    def _send(self) -> None:
        if self.talking:
            self._end("send")

    def _end(self, what: Sent) -> None:
        self._cancel()
        self.talking = False
        self._do(what)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
