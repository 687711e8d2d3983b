"""What the models used, and what that costs."""

from __future__ import annotations

from typing import Final

from agent_console.drawing.usage import usage_lines
from agent_console.widgets.panel_view import PagePanel, PanelHost, PanelSpec


class UsagePanel(PagePanel):
    """Tokens, characters, seconds of audio, and cost by the user's own table of prices."""

    def __init__(self, host: PanelHost) -> None:
        super().__init__(
            "Usage",
            lambda state, now, width, height: usage_lines(state, host.prices, width),
            lambda state: (state.spending, state.usage, host.prices),
        )


PANEL: Final = PanelSpec("usage", "7", "Usage", "Show tokens, audio, characters and cost by model.", UsagePanel)
