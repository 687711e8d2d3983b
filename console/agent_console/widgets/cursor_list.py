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
    """Items one below the other; the selected one has a bar at its left and is written out.

    Args:
        draw: the lines of an item.
        has_end: whether new items come at the end and are followed there, past the last one, with none selected.
        rests_on: whether an item can be selected by going up and down.
    """

    def __init__(
        self, draw: DrawItem[T], *, has_end: bool = True, rests_on: Callable[[T], bool] = lambda item: True
    ) -> None:
        super().__init__()
        self._draw_one = draw
        self._has_end = has_end
        self._rests_on = rests_on
        self.following = has_end
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

    def move(self, step: int) -> None:
        """Select the next item that can be, up (-1) or down (1)."""
        count = len(self.items)
        nowhere = count if self._has_end else -1
        at = (nowhere if self.cursor is None else self.cursor) + step
        while 0 <= at < count and not self._rests_on(self.items[at]):
            at += step
        if 0 <= at < count:
            self.select(at)
        elif at >= count and self._has_end:
            self.select(None)
            self.go_to_end()

    @property
    def selected(self) -> T | None:
        """The selected item."""
        return self.items[self.cursor] if self.cursor is not None and self.cursor < len(self.items) else None

    def on_click(self, event: events.Click) -> None:
        """A click selects."""
        self.select(self.index_at(event.y + self.scroll_offset.y))
