"""The line where one types: to the agent, or what to search for."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

PROMPT: Final = "\u276f"
"""A heavy angle: here one types."""


class LineInput(Input):
    """A borderless input that gives the keyboard back on escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("up", "older", show=False),
        Binding("down", "newer", show=False),
    ]

    class Left(Message):
        """Escape was pressed in it."""

        def __init__(self, sender: LineInput) -> None:
            super().__init__()
            self.sender = sender

        @property
        def control(self) -> LineInput:
            """The input that was left."""
            return self.sender

    def __init__(self, placeholder: str, *, id: str) -> None:
        super().__init__(placeholder=placeholder, id=id, compact=True, select_on_focus=False)
        self.cursor_blink = False
        self._history: list[str] = []
        self._at = 0

    def remember(self, text: str) -> None:
        """Keep a line that was sent, for the up key."""
        if not self._history or self._history[-1] != text:
            self._history.append(text)
        self._at = len(self._history)

    def action_older(self) -> None:
        """The line sent before."""
        self._recall(-1)

    def action_newer(self) -> None:
        """The line sent after, at last an empty one."""
        self._recall(1)

    def _recall(self, step: int) -> None:
        self._at = max(0, min(len(self._history), self._at + step))
        self.value = self._history[self._at] if self._at < len(self._history) else ""
        self.cursor_position = len(self.value)

    def action_leave(self) -> None:
        """Give the keyboard back."""
        self.post_message(self.Left(self))

    def on_paste(self, event: events.Paste) -> None:
        """Several lines become one, whatever ends them: most terminals send a return for a new line."""
        event.prevent_default()
        event.stop()
        lines = (line.strip() for line in event.text.expandtabs(1).splitlines())
        self.insert_text_at_cursor(" ".join(line for line in lines if line))
