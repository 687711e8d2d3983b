"""What held up or broke around the conversation."""

from __future__ import annotations

from typing import Final

from agent_console.drawing.health import health_lines
from agent_console.widgets.panel_view import PagePanel, PanelHost, PanelSpec


class HealthPanel(PagePanel):
    """Blocked loop, dropped audio, lost devices, failures by source, the console's own queue."""

    def __init__(self, host: PanelHost) -> None:
        super().__init__("Health", lambda state, now, width, height: health_lines(state, host.drawing, width))


PANEL: Final = PanelSpec("health", "8", "Health", "Show what held up or broke around the conversation.", HealthPanel)
