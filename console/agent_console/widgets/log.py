"""The log pane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from agent_console.drawing.status import clock_text
from agent_console.drawing.text import Line, Span, clean, line_width, wrap_spans
from agent_console.state import ConsoleState, LogLine
from agent_console.widgets.scroll import BlockScroll

_LEVELS: Final[Mapping[str, Span]] = {
    "debug": ("debug", "faint"),
    "info": ("info ", "muted"),
    "warning": ("warn ", "fair"),
    "error": ("error", "error"),
}
_DETAILS: Final = 4
"""Lines of a traceback or stack that are shown, from its end; the events panel has all of it."""
_ROOMY: Final = 60
"""Cells from which a logger's name is written in full, and what goes on below a line hangs under its message."""


class LogPane(BlockScroll[LogLine], can_focus=True):
    """Time, level, who and what, one record after the other."""

    def show(self, state: ConsoleState, now: float) -> None:
        """Take the state of this frame."""
        self.set_items(state.logs)

    def draw_nothing(self, y: int) -> Line:
        """See `BlockScroll.draw_nothing`."""
        margin = " " if self.text_width >= _ROOMY else ""
        return ((margin, ""), ("nothing logged yet", "faint")) if y == 0 else ()

    def draw_item(self, index: int, item: LogLine, width: int) -> Sequence[Line]:
        """See `BlockScroll.draw_item`."""
        word, style = _LEVELS[item.level]
        clock, level = (f"{clock_text(item.time):>5} ", "faint"), (f"{word} ", style)
        spans: list[Span] = [(clean(item.message).rstrip("\n"), style if item.level == "error" else "text")]
        if item.count > 1:
            spans.append((f" {item.count:,}x", "fair"))
        if item.details:
            details = clean(item.details).rstrip("\n").split("\n")
            more = ["…"] if len(details) > _DETAILS else []
            spans.append(("\n" + "\n".join([*more, *details[-_DETAILS:]]), "muted"))
        if width >= _ROOMY:
            return _hanging(((" ", ""), clock, level), [(f"{clean(item.logger)} ", "muted"), *spans], width)
        name = clean(item.logger.rpartition(".")[2])
        return _hanging((clock,), [level, (f"{name} ", "muted"), *spans], width)


def _hanging(head: Line, spans: Sequence[Span], width: int) -> list[Line]:
    indent = line_width(head)
    first, *rest = wrap_spans(spans, width - indent - 1)
    return [(*head, *first), *(((" " * indent, ""), *line) for line in rest)]
