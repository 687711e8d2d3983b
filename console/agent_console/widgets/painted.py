"""The base of our widgets: lines of styled text as strips, made once for each line that looks different."""

from __future__ import annotations

from typing import Any, Final

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.containers import Horizontal, Vertical
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from agent_console.drawing.text import Line, line_width
from agent_console.widgets.scrollbar import QuietScrollBar

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
LINE_CLASSES: Final = frozenset(f"line--{name}" for name in STYLES)
"""The app's own component classes: for each widget that has some, Textual works all of them out whenever a class of
anything around it changes."""


KEPT: Final = 400
"""Strips that a painter remembers."""


class Painter:
    """Turns lines into strips in a widget's own colours: the same strip for the same line.

    Textual keeps with a strip what it was cut into and the terminal's codes for it, so a line that was there before
    costs next to nothing, wherever it scrolled to.
    """

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._styles: dict[str, Style] = {}
        self._strips: dict[tuple[Line, int, int | None], Strip] = {}

    def forget(self) -> None:
        """The theme changed."""
        self._styles.clear()
        self._strips.clear()

    def style(self, names: str) -> Style:
        """The style that several names add up to, on the widget's background."""
        style = self._styles.get(names)
        if style is None:
            style = self._widget.rich_style
            for name in names.split():
                style += self._widget.app.get_component_styles(f"line--{name}").partial_rich_style
            self._styles[names] = style
        return style

    def strip(self, line: Line, width: int, number: int | None = None) -> Strip:
        """One line, filled up or cut to `width` cells; `number` is its place in a text that can be selected."""
        key = (line, width, number)
        strip = self._strips.get(key)
        if strip is None:
            if len(self._strips) >= KEPT:
                self._strips.clear()
            segments = [Segment(text, self.style(names)) for text, names in line]
            strip = Strip(segments, line_width(line)).adjust_cell_length(width, self.style(""))
            if number is not None:
                strip = strip.apply_offsets(0, number)
            self._strips[key] = strip
        return strip


class Painted(Widget):
    """Lines of styled text. Where nothing is around them they go to the screen as they are; opacity isn't for them."""

    def __init__(self, *children: Widget, **options: Any) -> None:
        super().__init__(*children, **options)
        self.painter = Painter(self)
        self._ground: Color | None = None
        self._framed = False

    def paint(self, start: int, end: int) -> list[Strip]:
        """The strips of its rows from `start` up to `end`."""
        raise NotImplementedError

    def render_line(self, y: int) -> Strip:
        """See `Widget.render_line`."""
        return self.paint(y, y + 1)[0]

    def render_lines(self, crop: Region) -> list[Strip]:
        """See `Widget.render_lines`: for every frame in which something near it changed."""
        if self._ground is None:
            self._ground, self._framed = self.background_colors[1], bool(self.styles.gutter)
        if self._framed:
            return super().render_lines(crop)
        width, ground = self.size.width, self.painter.style("")
        strips = [strip.adjust_cell_length(width, ground) for strip in self.paint(crop.y, crop.bottom)]
        for line_filter in self.app.get_line_filters():
            strips = [strip.apply_filter(line_filter, self._ground) for strip in strips]
        if crop.column_span != (0, width):
            strips = [strip.crop(*crop.column_span) for strip in strips]
        return strips

    def notify_style_update(self) -> None:
        """See `Widget.notify_style_update`: colours may be others now."""
        super().notify_style_update()
        self.painter.forget()
        self._ground = None


class Ground(Widget):
    """Shows its background; the rest is what is in it."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """See `Widget.render_lines`."""
        ground = self.background_colors[1]
        strip = Strip.blank(crop.width, Style.from_color(None, ground.rich_color))
        for line_filter in self.app.get_line_filters():
            strip = strip.apply_filter(line_filter, ground)
        return [strip] * crop.height


class Column(Vertical, Ground):
    """Widgets one under the other."""


class Row(Horizontal, Ground):
    """Widgets beside each other."""


# Textual's own two classes tell of `scroll_to` in different words.
class PaintedScroll(ScrollView, Painted, inherit_bindings=False):  # pyright: ignore[reportIncompatibleMethodOverride]  # of Textual's own
    """Lines of styled text that scroll. Growing moves the scrollbar's thumb, and nothing else is laid out again."""

    virtual_size = Reactive(Size(0, 0), repaint=False)
    _thumb = (0, 0)

    @property
    def vertical_scrollbar(self) -> QuietScrollBar:
        """See `Widget.vertical_scrollbar`."""
        bar = self._vertical_scrollbar
        if not isinstance(bar, QuietScrollBar):
            bar = self._vertical_scrollbar = QuietScrollBar(vertical=True, name="vertical")
            bar.display = False
            self.app._start_widget(self, bar)
        return bar

    def grow(self, height: int) -> None:
        """The content is so many lines long from now on."""
        self.virtual_size = Size(self.scrollable_content_region.width, height)
        if self.scroll_offset.y > self.max_scroll_y:
            self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True)
        self._move_thumb()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """See `ScrollView.watch_scroll_y`."""
        self._move_thumb()
        if round(old_value) != round(new_value):
            self.refresh(self.size.region)

    @property
    def lines_above(self) -> int:
        """Lines before the first one there is, which the scrollbar reckons with."""
        return 0

    def _move_thumb(self) -> None:
        """Draw the scrollbar again if it looks different: it is drawn in eighths of a cell."""
        if not self.show_vertical_scrollbar:
            return
        above = self.lines_above
        window, height = self.size.height, max(1, above + self.virtual_size.height)
        thumb = (round(8 * window * (above + self.scroll_y) / height), round(8 * window * window / height))
        if thumb != self._thumb or not self.scroll_y:
            self._thumb = thumb
            bar = self.vertical_scrollbar
            bar.above = above
            bar.window_virtual_size = self.virtual_size.height
            bar.position = self.scroll_y
