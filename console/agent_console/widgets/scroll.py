"""A scrolling column of items drawn as blocks of lines: stays at the live end, or where the reader is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final, Generic, TypeVar

from textual import events
from textual.scrollbar import ScrollTo
from textual.selection import Selection
from textual.strip import Strip

from agent_console.drawing.text import Line
from agent_console.state import Seq
from agent_console.widgets.painted import PaintedScroll

T = TypeVar("T")

SPARE: Final = 20
"""Items that are laid out beside those that fill the screen. Older ones are when the reader scrolls up to them, so a
frame costs the same after 10,000 turns as after 10, and another width little."""


@dataclass(slots=True)
class Block(Generic[T]):
    """An item as it is drawn."""

    item: T
    lines: Sequence[Line]
    top: int


class BlockScroll(PaintedScroll, Generic[T], inherit_bindings=False):
    """Draws a `Seq` of items; subclasses say how one looks.

    Versions of the sequence are compared by identity: only what differs is laid out and painted again.
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.items: Seq[T] = Seq()
        self._laid_out: Seq[T] = Seq()
        self.following = True
        self._first = 0
        self._blocks: list[Block[T]] = []
        self._laid_out_for = 0
        self._moving = False

    def draw_item(self, index: int, item: T, width: int) -> Sequence[Line]:
        """The lines of one item."""
        raise NotImplementedError

    # --- what is shown -------------------------------------------------------------------------------------------

    def set_items(self, items: Seq[T]) -> None:
        """Show these; costs as much as there is new."""
        self.items = items
        if not self.is_attached or not self.display or not self.size.width:
            return
        if self._laid_out_for != self.text_width:
            self.lay_out()
        elif items is not self._laid_out:
            self._lay_out_from(items.first_difference(self._laid_out))

    def lay_out(self) -> None:
        """Draw everything in the window again: another width, other options."""
        self._laid_out_for = self.text_width
        newest = max(0, len(self.items) - self._window)
        self._first = newest if self.following else min(self._first, newest)
        self._blocks.clear()
        self._lay_out_from(self._first)
        self.refresh()

    def redraw(self, index: int) -> None:
        """One item looks different, though it is the same."""
        offset = index - self._first
        if not 0 <= offset < len(self._blocks):
            return
        block = self._blocks[offset]
        lines = self.draw_item(index, block.item, self.text_width)
        if lines == block.lines:
            return
        if len(lines) != len(block.lines):
            self._lay_out_from(index)
            return
        block.lines = lines
        self.refresh_lines(block.top, len(lines))

    def _lay_out_from(self, index: int) -> None:
        if self.following and len(self.items) - self._first > 4 * self._window:
            index = self._first = len(self.items) - self._window
            self._blocks.clear()
        self._laid_out = self.items
        if index < self._first:  # others are in view now, and maybe fewer
            index = self._first = max(0, min(self._first, len(self.items) - self._window))
        del self._blocks[index - self._first :]
        start = self._height
        self._blocks += self._draw(index, len(self.items), start)
        top = self._height
        self._moving = True
        self.grow(top)
        if self.following:
            self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True)
        self._moving = False
        self.refresh_lines(start, max(1, self.size.height + top - start))

    def _draw(self, first: int, end: int, top: int) -> list[Block[T]]:
        """The items from `first` up to `end`, the first of them at line `top`."""
        blocks, width = [], self.text_width
        for number in range(first, end):
            item = self.items[number]
            blocks.append(Block(item, self.draw_item(number, item, width), top))
            top += len(blocks[-1].lines)
        return blocks

    @property
    def _window(self) -> int:
        """How many items fill it for certain: each has a line at least."""
        return self.size.height + SPARE

    @property
    def lines_above(self) -> int:
        """See `PaintedScroll.lines_above`: those that were never laid out, by the others' height."""
        return round(self._first * self._height / len(self._blocks)) if self._blocks else 0

    @property
    def _height(self) -> int:
        return self._blocks[-1].top + len(self._blocks[-1].lines) if self._blocks else 0

    @property
    def text_width(self) -> int:
        """Cells that a line may take."""
        return self.scrollable_content_region.width

    @property
    def lines_below(self) -> int:
        """Lines after the last one in view."""
        return max(0, self._height - self.scroll_offset.y - self.size.height)

    # --- where the reader is -------------------------------------------------------------------------------------

    def go_to_end(self) -> None:
        """Follow the live end."""
        self.following = True
        self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True)

    def go_to_start(self) -> None:
        """To the first item there is."""
        self._widen(0)
        self.scroll_to(y=0, animate=False, immediate=True)

    def go_to_item(self, index: int) -> None:
        """Bring an item into view, a third from the top; nothing before there is room to draw in."""
        if not self._blocks:
            return
        self._widen(index)
        block = self._blocks[index - self._first]
        inside = self.scroll_offset.y <= block.top < self.scroll_offset.y + self.size.height - len(block.lines)
        if not inside:
            self.scroll_to(y=max(0, block.top - self.size.height // 3), animate=False, immediate=True)

    def index_at(self, y: int) -> int | None:
        """The item that line `y` of the content belongs to."""
        offset = bisect_right(self._blocks, y, key=lambda block: block.top) - 1
        if offset < 0 or y >= self._height:
            return None
        return self._first + offset

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """See `ScrollView`: scrolling up stops following, reaching the end starts it."""
        super().watch_scroll_y(old_value, new_value)
        if self._moving:
            return
        self.following = round(new_value) >= self.max_scroll_y
        if new_value < old_value and round(new_value) <= self.size.height and self._first > 0:
            self._widen(self._first - self._window)

    def _on_scroll_to(self, message: ScrollTo) -> None:
        """See `Widget._on_scroll_to`: the scrollbar may ask for lines that aren't laid out yet."""
        if message.y is not None and self._blocks:
            missing = self.lines_above - message.y
            message.y = max(0, -missing)
            if missing > 0:
                self._widen(self._first - ceil(missing * len(self._blocks) / self._height))
                message.y = 0
        super()._on_scroll_to(message)

    def _widen(self, index: int) -> None:
        """Lay out items from `index` on as well, without moving what is in view."""
        index = max(0, index)
        if index >= self._first:
            return
        older = self._draw(index, self._first, 0)
        shift = older[-1].top + len(older[-1].lines)
        for block in self._blocks:
            block.top += shift
        self._first, self._blocks = index, older + self._blocks
        self._moving = True
        self.grow(self._height)
        self.scroll_to(y=self.scroll_offset.y + shift, animate=False, immediate=True)
        self._moving = False
        self.refresh()

    # --- painting ------------------------------------------------------------------------------------------------

    def decorate(self, index: int, line: Line) -> Line:
        """A line as it is painted now: marks that move more often than the layout."""
        return line

    def draw_nothing(self, y: int) -> Line:
        """Line `y` while there are no items."""
        return ()

    def paint(self, start: int, end: int) -> list[Strip]:
        """See `Painted.paint`."""
        width, top = self.text_width, self.scroll_offset.y
        strips = [self._strip(y, top + y, width) for y in range(start, end)]
        selection = self.text_selection
        if selection is None:
            return strips
        style = self.screen.get_component_rich_style("screen--selection")
        for number, strip in enumerate(strips):
            if (span := selection.get_span(top + start + number)) is not None:
                first, last = span
                parts = strip.divide([first, width if last == -1 else last, width])
                strip = Strip.join([parts[0], parts[1].apply_style(style), *parts[2:]])
                strips[number] = strip.apply_offsets(0, top + start + number)  # what is cut in two begins elsewhere
        return strips

    def _strip(self, y: int, number: int, width: int) -> Strip:
        index = self.index_at(number)
        if index is None:
            return self.painter.strip(() if self._blocks else self.draw_nothing(y), width)
        block = self._blocks[index - self._first]
        return self.painter.strip(self.decorate(index, block.lines[number - block.top]), width, number)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """See `Widget.get_selection`."""
        lines = ["".join(text for text, _ in line).rstrip() for block in self._blocks for line in block.lines]
        return selection.extract("\n".join(lines)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """See `Widget.selection_updated`."""
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        """Wrap again for the new width; the live end stays in view if it was."""
        if self._laid_out_for != self.text_width:
            self.lay_out()
        elif self.following:
            self.go_to_end()
