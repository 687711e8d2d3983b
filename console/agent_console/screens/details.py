"""A text to read in full: the traceback of a failed reload, the details of an error."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from agent_console.drawing.text import clean


class DetailsScreen(ModalScreen[None]):
    """What happened, what to do, and the text behind it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,e,enter", "dismiss", "close"),
        Binding("y", "copy", "copy"),
    ]

    def __init__(self, title: str, text: str, hint: str, details: str) -> None:
        super().__init__()
        self._title = title
        self._text = clean(text)
        self._hint = clean(hint)
        self._details = clean(details)

    def compose(self) -> ComposeResult:
        """See `Screen.compose`."""
        with VerticalScroll(id="dialog", classes="wide") as dialog:
            dialog.border_title = self._title
            dialog.border_subtitle = "y copies · esc closes"
            yield Static(Content.styled(self._text, "bold $error"))
            if self._hint:
                yield Static(Content.styled(self._hint, "$muted"))
            yield Static(Content("\n" + self._details.rstrip()))

    def action_copy(self) -> None:
        """Copy the details."""
        self.app.copy_to_clipboard(self._details)
        self.notify("copied")
