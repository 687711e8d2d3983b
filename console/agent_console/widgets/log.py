"""The log pane."""

from __future__ import annotations

from collections.abc import Sequence

from agent_console.drawing.status import clock_text
from agent_console.drawing.text import Line, clean, wrap_spans
from agent_console.state import ConsoleState, LogLine
from agent_console.widgets.scroll import BlockScroll

_LEVELS = {"debug": ("debug", "faint"), "info": ("info ", "muted"), "warning": ("warn ", "fair"), "error": ("error", "error")}


class LogPane(BlockScroll[LogLine], can_focus=True):
    """Time, level, who and what, one record after the other."""

    def show(self, state: ConsoleState, now: float) -> None:
        """Take the state of this frame."""
        self.set_items(state.logs)

    def draw_item(self, index: int, item: LogLine, width: int) -> Sequence[Line]:
        """See `BlockScroll.draw_item`."""
        word, style = _LEVELS[item.level]
        head: Line = ((f" {clock_text(item.time):>5} ", "faint"), (f"{word} ", style))
        indent = 13
        body = wrap_spans(
            [(f"{clean(item.logger)} ", "muted"), (clean(item.message).rstrip("\n"), style if style == "error" else "text")],
            width - indent - 1,
        )
        lines: list[Line] = [(*head, *body[0]), *(((" " * indent, ""), *line) for line in body[1:])]
        if item.details:
            lines += [((" " * indent, ""), *line) for line in wrap_spans([(clean(item.details).rstrip("\n"), "muted")], width - indent - 1)]
        return lines
