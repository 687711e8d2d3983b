"""Every key and what it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from agent_console.keys import ACTIONS, keys_of


class HelpScreen(ModalScreen[None]):
    """The registry of keys as a page."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,f1", "dismiss", "close"),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
    ]

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__()
        self._keys_in_use = keymap

    def compose(self) -> ComposeResult:
        """See `Screen.compose`."""
        with VerticalScroll(id="dialog", classes="wide") as dialog:
            dialog.border_title = "Keys"
            dialog.border_subtitle = "esc closes"
            yield Static(self._content())

    def _content(self) -> Content:
        lines: list[Content] = []
        group = ""
        for action in ACTIONS:
            if action.group != group:
                group = action.group
                lines += [Content(""), Content.styled(group, "bold $accent")] if lines else [Content.styled(group, "bold $accent")]
            keys = " ".join(keys_of(action, self._keys_in_use))
            lines.append(Content.assemble((f"{keys:>11}", "bold $primary"), "  ", action.help))
        lines += [
            Content(""),
            Content.styled("While you type, letters are letters: esc gives the keys back.", "$muted"),
            Content.styled("Drag with the mouse to select text; ctrl+c copies it.", "$muted"),
        ]
        return Content("\n").join(lines)

    def action_scroll(self, step: int) -> None:
        """Scroll by a line."""
        self.query_one("#dialog").scroll_relative(y=step, animate=False)
