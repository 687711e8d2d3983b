"""Widgets that show one slice of the state and hold nothing of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from agent_console.drawing.text import Line
from agent_console.state import ConsoleState
from agent_console.widgets.canvas import Canvas

Draw: TypeAlias = Callable[[ConsoleState, float, int, int], Sequence[Line]]
"""Lines from the state, the session's time (seconds), and the width and height in cells."""


class Panel(Canvas):
    """Draws the state by one function."""

    def __init__(self, draw: Draw, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._draw = draw
        self._state = ConsoleState()
        self._now = 0.0

    def show(self, state: ConsoleState, now: float) -> None:
        """Take the state of this frame."""
        self._state, self._now = state, now
        self.repaint()

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """See `Canvas.draw`."""
        return self._draw(self._state, self._now, width, height)


class Notices(Panel):
    """A panel that takes as many lines as it has, and none when there is nothing to tell."""

    def show(self, state: ConsoleState, now: float) -> None:
        """Take the state of this frame, and grow or shrink."""
        self._state, self._now = state, now
        count = len(self.draw(self.app.size.width, 0))
        if count != self._count:
            self._count = count
            self.styles.height = count
            self.display = count > 0
        self.repaint()

    _count = 0
