"""A page of lines drawn from the state, that scrolls when it is longer than the room for it."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip

from agent_console.drawing.text import Line
from agent_console.state import ConsoleState
from agent_console.widgets.painted import PaintedScroll
from agent_console.widgets.panels import Draw, Slice, Watched


class Page(PaintedScroll, can_focus=True, inherit_bindings=False):
    """Draws the state by one function: each frame, or only when the slice that it depends on is another.

    Like `Panel`, but as long as it needs to be: the function may return more lines than the height that it is told.
    """

    def __init__(self, draw: Draw, slice_of: Slice | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._draw = draw
        self._slice = Watched(slice_of)
        self._state = ConsoleState()
        self._now = 0.0
        self._lines: Sequence[Line] = ()

    def show(self, state: ConsoleState, now: float) -> None:
        """Take the state of this frame."""
        self._state, self._now = state, now
        if self._slice.is_new(state):
            self.repaint()

    def repaint(self) -> None:
        """Draw again and send the lines that differ to the screen."""
        region = self.scrollable_content_region
        if not self.is_attached or not region.width or not region.height:
            self._slice.forget()
            return
        old, self._lines = self._lines, self._draw(self._state, self._now, region.width, region.height)
        if len(old) != len(self._lines) or self.virtual_size.width != region.width:
            self.grow(len(self._lines))
            self.refresh()
            return
        for y, (before, line) in enumerate(zip(old, self._lines, strict=True)):
            if before != line:
                self.refresh_lines(y)

    def paint(self, start: int, end: int) -> list[Strip]:
        """See `Painted.paint`."""
        top, width, lines = self.scroll_offset.y, self.scrollable_content_region.width, self._lines
        rows = range(top + start, top + end)
        return [self.painter.strip(lines[row] if row < len(lines) else (), width) for row in rows]

    def on_resize(self) -> None:
        """Draw for the room there is now."""
        self.repaint()
