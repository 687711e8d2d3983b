"""The LiveKit room that the conversation is in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.binding import BindingType

from agent_console.drawing.room import room_lines
from agent_console.drawing.text import Line
from agent_console.keys import BY_ID, Action, bindings, keys_of
from agent_console.state import ConsoleState
from agent_console.widgets.panel_view import PagePanel, PanelHost, PanelSpec

_GROUP: Final = "In the room panel"
KEYS: Final = (
    Action("room.link", "y", "copy link", "Copy a link that lets somebody in by a browser.", _GROUP, 99),
    Action("room.command", "c", "copy command", "Copy a command that joins from a terminal.", _GROUP, 98),
    Action("room.token", "T", "copy token", "Copy a token that lets one participant in.", _GROUP, 97),
)


class RoomPanel(PagePanel):
    """Connection, people, tracks, and what lets somebody else in: copied by a key and never shown."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(KEYS)]

    def __init__(self, host: PanelHost) -> None:
        keymap = host.keymap_in_use
        keys = {action.id: " ".join(keys_of(action, keymap)) for action in (BY_ID["room"], *KEYS)}
        super().__init__(
            "Room", lambda state, now, width, height: room_lines(state, width, keys), lambda state: (state.room,)
        )

    def note(self, state: ConsoleState) -> Line:
        """See `PanelView.note`."""
        return (("in the room", "good"),) if state.room.here else (("on this machine", "muted"),)

    def offered(self, keys: Sequence[Action]) -> Sequence[Action]:
        """See `PanelView.offered`: only what there is to copy."""
        invitation = self._state.room.invitation
        return [key for key in keys if invitation is not None and getattr(invitation, key.id.removeprefix("room."))]

    def action_link(self) -> None:
        """Copy the link."""
        self._copy("link")

    def action_command(self) -> None:
        """Copy the command."""
        self._copy("command")

    def action_token(self) -> None:
        """Copy the token."""
        self._copy("token")

    def _copy(self, what: str) -> None:
        invitation = self._state.room.invitation
        if invitation is None:
            self.notify("there is no room to invite to", severity="warning")
            return
        if not getattr(invitation, what):
            self.notify(f"no {what}: it needs the secret of a server that the console started", severity="warning")
            return
        self.app.copy_to_clipboard(getattr(invitation, what))
        self.notify(f"the {what} is copied; whoever has it can join for some hours")


PANEL: Final = PanelSpec(
    "room", "9", "Room", "Show who is in the LiveKit room, and how it comes through.", RoomPanel, KEYS
)
