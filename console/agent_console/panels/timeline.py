"""Where the time of a turn went, and what would have saved some of it."""

from __future__ import annotations

from typing import Final

from agent_console.drawing import timeline as drawing
from agent_console.drawing.text import Line, wrap
from agent_console.state import ConsoleState, Turn, turn_of
from agent_console.state.advice import TURNS_WEIGHED, Saving, savings
from agent_console.state.timeline import stages, with_loading
from agent_console.widgets.panel_view import PagePanel, PanelHost, PanelSpec

_EMPTY: Final = (
    "From your last word to the agent's first sound: each stretch of the wait shows here while it lasts, "
    "with the setting that caused it."
)


class TimelinePanel(PagePanel):
    """The waterfall of the turn that goes on, or of the one that is selected; percentiles; advice."""

    def __init__(self, host: PanelHost) -> None:
        super().__init__("Timeline", self._lines)
        self._host = host
        self._advice: tuple[object, list[Saving]] = (None, [])
        self._tall = 0

    def _turn(self, state: ConsoleState) -> Turn | None:
        return turn_of(state.turns, self._host.selected_turn) or state.turns.last

    def note(self, state: ConsoleState) -> Line:
        """See `PanelView.note`."""
        turn, selected = self._turn(state), self._host.selected_turn
        parts = stages(turn, self._now) if turn is not None else ()
        total = parts[-1].end - parts[0].start if parts else 0.0
        is_selected = turn is not None and turn.turn_id == selected
        return drawing.turn_title(turn, total, self._host.budgets, selected=is_selected)

    @property
    def is_animating(self) -> bool:
        """See `PanelView.is_animating`: a wait that goes on grows."""
        turn = self._turn(self._state)
        if turn is None or self._state.closed:
            return False
        waits = turn.start is not None and turn.audible_at is None and turn.committed_at is not None
        return waits or (turn.audible_at is not None and turn.quiet_at is None)

    def _lines(self, state: ConsoleState, now: float, width: int, height: int) -> list[Line]:
        turn, budgets = self._turn(state), self._host.budgets
        if turn is None:
            return [((_EMPTY[start:end], "faint"),) for start, end in wrap(_EMPTY, width)]
        lines = drawing.waterfall(turn, with_loading(stages(turn, now), state.loading), now, width, budgets)
        if turn.audible_at is not None:
            self._tall = len(lines)
        lines += [()] * (self._tall - len(lines))  # what is below stays where it is while a turn begins
        for block in (
            drawing.advice(self._savings(state), width),
            drawing.percentiles(state.waits, width, budgets),
        ):
            lines += [(), *block] if block else []
        return lines

    def _savings(self, state: ConsoleState) -> list[Saving]:
        """Counted again only when another turn was measured."""
        if self._advice[0] is not state.waits:
            start = max(0, len(state.turns) - TURNS_WEIGHED)
            self._advice = (state.waits, savings(state.turns[start:]))
        return self._advice[1]


PANEL: Final = PanelSpec("timeline", "1", "Timeline", "Show where the time of a turn went, and why.", TimelinePanel)
