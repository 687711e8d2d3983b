"""Widgets that show one slice of the state and hold nothing of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from agent_console.drawing.text import Line
from agent_console.state import ConsoleState
from agent_console.widgets.canvas import Canvas

Draw: TypeAlias = Callable[[ConsoleState, float, int, int], Sequence[Line]]
"""Lines from the state, the session's time (seconds), and the width and height in cells."""
Slice: TypeAlias = Callable[[ConsoleState], tuple[object, ...]]
"""The parts of the state that a panel depends on."""


class Watched:
    """Tells whether a slice of the state is another than when it was last looked at; always, if it is of everything."""

    def __init__(self, slice_of: Slice | None) -> None:
        self._slice_of = slice_of
        self._seen: tuple[object, ...] | None = None

    def is_new(self, state: ConsoleState) -> bool:
        """Whether anything in the slice is another object; it counts as seen then."""
        if self._slice_of is None:
            return True
        before, self._seen = self._seen, self._slice_of(state)
        return before is None or any(old is not new for old, new in zip(before, self._seen, strict=True))

    def forget(self) -> None:
        """It is new again the next time."""
        self._seen = None


class Panel(Canvas):
    """Draws the state by one function: each frame, or only when the slice that it depends on is another."""

    def __init__(self, draw: Draw, slice_of: Slice | None = None, *, id: str) -> None:
        super().__init__(id=id)
        self._draw = draw
        self._slice = Watched(slice_of)
        self._state = ConsoleState()
        self._now = 0.0

    def show(self, state: ConsoleState, now: float) -> None:
        """Take the state of this frame."""
        self._state, self._now = state, now
        if self._slice.is_new(state):
            self.changed()

    def changed(self) -> None:
        """Draw what there is now."""
        self.repaint()

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """See `Canvas.draw`."""
        return self._draw(self._state, self._now, width, height)


class Notices(Panel):
    """A panel that takes as many lines as it has, and none when there is nothing to tell."""

    def changed(self) -> None:
        """Grow or shrink, and draw."""
        count = len(self.draw(self.app.size.width, 0))
        if count != (self.styles.height.value if self.styles.height is not None else 0):
            self.styles.height = count
            self.display = count > 0
        self.repaint()
