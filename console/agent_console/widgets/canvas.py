"""Lines of styled text in a fixed place, repainted line by line."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Region, Size
from textual.strip import Strip

from agent_console.drawing.text import Line
from agent_console.widgets.painted import Painted


class Canvas(Painted):
    """Draws `draw(width, height)`; call `repaint()` when that may have changed."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: Sequence[Line] = ()
        self._drawn_for: Size | None = None

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """The lines to show; fewer than `height` leave the rest empty."""
        raise NotImplementedError

    def repaint(self) -> None:
        """Draw again and send the lines that differ to the screen."""
        width, height = self.size
        if not width or not height or not self.is_attached:
            return
        old, new = self._lines, self.draw(width, height)
        self._lines, self._drawn_for = new, self.size
        changed = [
            Region(0, y, width, 1)
            for y in range(max(len(old), len(new)))
            if y >= len(old) or y >= len(new) or old[y] != new[y]
        ]
        if changed:
            self.refresh(*changed)

    def paint(self, start: int, end: int) -> list[Strip]:
        """See `Painted.paint`."""
        if self._drawn_for != self.size:
            self._lines, self._drawn_for = self.draw(*self.size), self.size
        width, lines = self.size.width, self._lines
        return [self.painter.strip(lines[y] if y < len(lines) else (), width) for y in range(start, end)]
