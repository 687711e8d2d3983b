"""Where the time of a turn went."""

from __future__ import annotations

from typing import Final

from agent_console.drawing.latency import waterfall
from agent_console.drawing.text import Line
from agent_console.state import ConsoleState
from agent_console.widgets.panel_view import PagePanel, PanelHost, PanelSpec


class TimelinePanel(PagePanel):
    """The waterfall of the newest turn, or of the one that is selected."""

    def __init__(self, host: PanelHost) -> None:
        super().__init__("Timeline", self._lines, lambda state: (state.latencies, host.selected_turn))

    def _lines(self, state: ConsoleState, now: float, width: int, height: int) -> list[Line]:
        return waterfall(state.latencies.last, width) if state.latencies.last is not None else []


PANEL: Final = PanelSpec("timeline", "1", "Timeline", "Show where the time of a turn went.", TimelinePanel)
