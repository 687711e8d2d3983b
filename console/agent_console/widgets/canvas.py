"""The base of our widgets: lines of styled text, repainted line by line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from agent_console.drawing.text import Line, line_width

STYLES = (
    "agent",
    "bad",
    "bar",
    "bold",
    "cut",
    "cut-mark",
    "error",
    "faint",
    "fair",
    "good",
    "heading",
    "interim",
    "key",
    "level",
    "match",
    "muted",
    "peak",
    "selected",
    "speech",
    "text",
    "tool",
    "track",
    "unheard",
    "user",
    "value",
)
"""Names that a line's spans may use; `console.tcss` says what they look like."""


class Painter:
    """Turns lines into strips in a widget's own colours."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._styles: dict[str, Style] = {}

    def forget(self) -> None:
        """The theme changed."""
        self._styles.clear()

    def style(self, names: str) -> Style:
        """The style that several names add up to, on the widget's background."""
        style = self._styles.get(names)
        if style is None:
            style = self._widget.rich_style
            for name in names.split():
                style += self._widget.get_component_rich_style(f"line--{name}", partial=True)
            self._styles[names] = style
        return style

    def strip(self, line: Line, width: int) -> Strip:
        """One line, filled up or cut to `width` cells."""
        segments = [Segment(text, self.style(names)) for text, names in line]
        return Strip(segments, line_width(line)).adjust_cell_length(width, self.style(""))


class Canvas(Widget):
    """Draws `draw(width, height)`; call `repaint()` when that may have changed."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"line--{name}" for name in STYLES}
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.painter = Painter(self)
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
        for y in range(max(len(old), len(new))):
            if y >= len(old) or y >= len(new) or old[y] != new[y]:
                self.refresh(Region(0, y, width, 1))

    def render_line(self, y: int) -> Strip:
        """See `Widget.render_line`."""
        if self._drawn_for != self.size:
            self._lines, self._drawn_for = self.draw(*self.size), self.size
        line = self._lines[y] if y < len(self._lines) else ()
        return self.painter.strip(line, self.size.width)

    def notify_style_update(self) -> None:
        """See `Widget.notify_style_update`: colours may be others now."""
        super().notify_style_update()
        self.painter.forget()
