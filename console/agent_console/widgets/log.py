"""The log pane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from agent_console.drawing.status import clock_text
from agent_console.drawing.text import Line, Span, clean, wrap_spans
from agent_console.state import ConsoleState, LogLine
from agent_console.widgets.scroll import BlockScroll

_LEVELS: Final[Mapping[str, Span]] = {
    "debug": ("debug", "faint"),
    "info": ("info ", "muted"),
    "warning": ("warn ", "fair"),
    "error": ("error", "error"),
}
_INDENT: Final = 13
_ROOMY: Final = 60
"""Cells from which a logger's name is written in full."""


class LogPane(BlockScroll[LogLine], can_focus=True):
    """Time, level, who and what, one record after the other."""

    def show(self, state: ConsoleState, now: float) -> None:
        """Take the state of this frame."""
        self.set_items(state.logs)

    def draw_nothing(self, y: int) -> Line:
        """See `BlockScroll.draw_nothing`."""
        return ((" ", ""), ("nothing logged yet", "faint")) if y == 0 else ()

    def draw_item(self, index: int, item: LogLine, width: int) -> Sequence[Line]:
        """See `BlockScroll.draw_item`."""
        word, style = _LEVELS[item.level]
        head: Line = ((f" {clock_text(item.time):>5} ", "faint"), (f"{word} ", style))
        name = clean(item.logger if width >= _ROOMY else item.logger.rpartition(".")[2])
        message = (clean(item.message).rstrip("\n"), style if item.level == "error" else "text")
        body = wrap_spans([(f"{name} ", "muted"), message], width - _INDENT - 1)
        if item.details:
            body += wrap_spans([(clean(item.details).rstrip("\n"), "muted")], width - _INDENT - 1)
        return [(*head, *body[0]), *(((" " * _INDENT, ""), *line) for line in body[1:])]
