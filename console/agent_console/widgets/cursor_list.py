"""A scrolling column of items with a cursor: the item under it is drawn opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeAlias, TypeVar

from textual import events

from agent_console.drawing.text import Line
from agent_console.widgets.scroll import BlockScroll

T = TypeVar("T")

DrawItem: TypeAlias = Callable[[T, int, bool], Sequence[Line]]
"""Lines of an item for a width in cells; the flag says whether it is opened."""


class CursorList(BlockScroll[T], Generic[T], can_focus=True):
    """Items one below the other; the selected one has a bar at its left and is written out."""

    def __init__(self, draw: DrawItem[T]) -> None:
        super().__init__()
        self._draw_one = draw
        self.cursor: int | None = None

    def draw_item(self, index: int, item: T, width: int) -> Sequence[Line]:
        """See `BlockScroll.draw_item`."""
        return self._draw_one(item, width, index == self.cursor)

    def decorate(self, index: int, line: Line) -> Line:
        """See `BlockScroll.decorate`: a bar at the selected item."""
        if index != self.cursor or not line:
            return line
        (text, style), rest = line[0], line[1:]
        return (("▎", "selected"), (text[1:], style), *rest)

    def select(self, index: int | None) -> None:
        """Select an item, or none, and bring it into view."""
        before, self.cursor = self.cursor, index
        for changed in (before, index):
            if changed is not None and changed < len(self.items):
                self.redraw(changed)
        if index is not None:
            self.go_to_item(index)
        self.refresh()

    @property
    def selected(self) -> T | None:
        """The selected item."""
        return self.items[self.cursor] if self.cursor is not None and self.cursor < len(self.items) else None

    def on_click(self, event: events.Click) -> None:
        """A click selects."""
        self.select(self.index_at(event.y + self.scroll_offset.y))
