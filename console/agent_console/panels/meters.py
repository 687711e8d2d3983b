"""Levels, the VAD's probability, and the end of the turn, with room to read them."""

from __future__ import annotations

from typing import Final

from agent_console.drawing.meters import meter_lines
from agent_console.widgets.panel_view import PagePanel, PanelHost, PanelSpec


class MetersPanel(PagePanel):
    """The instruments, large."""

    def __init__(self, host: PanelHost) -> None:
        super().__init__("Meters", lambda state, now, width, height: meter_lines(state, now, width, height))

    @property
    def is_animating(self) -> bool:
        """See `PanelView.is_animating`."""
        return self._state.endpointing is not None


PANEL: Final = PanelSpec("meters", "2", "Meters", "Show levels, speech and the end of the turn, large.", MetersPanel)
