"""A scrollbar that makes no garbage."""

from __future__ import annotations

from typing import Final

from rich.segment import Segment
from textual.geometry import Region
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.strip import Strip

KEPT: Final = 200
"""Rows that look different: some twenty in each of a theme's states."""


class QuietScrollBar(ScrollBar):
    """A vertical scrollbar of one column that has one strip for all rows that look the same.

    Textual makes new ones each time, and the compositor lets each hold itself: all that only the garbage collector can
    free, several thousand objects a second while a conversation scrolls, at the price of a stop of 100 ms now and then.
    """

    _strips: Final[dict[Segment, Strip]] = {}
    above = 0
    """Lines before the first that its widget knows: they count for the thumb as if they were there."""

    def validate_window_virtual_size(self, lines: int) -> int:
        """Of all lines, given those of the widget."""
        return lines + self.above

    def validate_position(self, position: float) -> float:
        """Among all lines, given that among the widget's."""
        return super().validate_position(position) + self.above

    def render_lines(self, crop: Region) -> list[Strip]:
        """See `Widget.render_lines`."""
        rows = self._rows(self.size.height)
        strips = [self._strip(row) for row in rows[crop.y : crop.bottom]]
        if filters := self.app.get_line_filters():
            ground = self.background_colors[1]
            for line_filter in filters:
                strips = [strip.apply_filter(line_filter, ground) for strip in strips]
        return strips

    def _rows(self, height: int) -> list[Segment]:
        bar = self.render()
        assert isinstance(bar, ScrollBarRender)
        style = self.app.console.get_style(bar.style)
        assert style.bgcolor is not None
        assert style.color is not None
        drawn = bar.render_bar(
            height,
            bar.virtual_size,
            bar.window_size,
            bar.position,
            back_color=style.bgcolor,
            bar_color=style.color,
        )
        return list(Segment.apply_style(drawn.segments, self.rich_style))

    def _strip(self, row: Segment) -> Strip:
        strip = self._strips.get(row)
        if strip is None:
            if len(self._strips) >= KEPT:
                self._strips.clear()
            strip = self._strips[row] = Strip([row], 1)
        return strip
