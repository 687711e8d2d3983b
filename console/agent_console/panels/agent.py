"""The agent that has the conversation."""

from __future__ import annotations

from typing import Final

from agent_console.drawing.agent import agent_lines
from agent_console.drawing.text import Line, clean
from agent_console.state import ConsoleState
from agent_console.widgets.panel_view import PagePanel, PanelHost, PanelSpec


class AgentPanel(PagePanel):
    """Instructions, tools, models, handoffs, and what the last reload changed."""

    def __init__(self, host: PanelHost) -> None:
        super().__init__("Agent", lambda state, now, width, height: agent_lines(state, width), _parts)

    def note(self, state: ConsoleState) -> Line:
        """See `PanelView.note`."""
        return ((clean(state.agent), "agent"),)


def _parts(state: ConsoleState) -> tuple[object, ...]:
    return (state.instructions, state.tools, state.model, state.voice, state.handoffs, state.agent, state.last_reload)


PANEL: Final = PanelSpec("agent", "5", "Agent", "Show instructions, tools, handoffs and the last reload.", AgentPanel)
