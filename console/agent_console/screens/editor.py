"""A text to write: arguments of a tool, an item of the conversation, what a tool is to answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

Check = Callable[[str], str | None]
"""What is wrong with a text, in one line; None if it can be used."""


class _Editor(TextArea):
    """`ctrl+s` is for the screen; on one line, `enter` too."""

    def __init__(self, text: str, *, one_line: bool) -> None:
        super().__init__(text, id="editor", soft_wrap=True, tab_behavior="focus")
        self._one_line = one_line
        self.cursor_blink = False
        self.set_class(one_line, "one-line")

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter" and self._one_line:
            event.prevent_default()
            event.stop()
            await self.screen.run_action("done")
            return
        await super()._on_key(event)


class EditorScreen(ModalScreen[str | None]):
    """Gives the text that was written, or None.

    Args:
        title: what it is.
        note: one line about it.
        text: what to begin with.
        check: a text that it finds fault with can't be given.
        one_line: `enter` is done.
        typed_over: the text is selected, so that typing takes its place.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,ctrl+j", "done", "done"),
        Binding("escape", "leave", "close"),
    ]

    def __init__(
        self,
        title: str,
        note: str,
        text: str = "",
        *,
        check: Check = lambda text: None,
        one_line: bool = False,
        typed_over: bool = False,
    ) -> None:
        super().__init__()
        self._title, self._note, self._check, self._typed_over = title, note, check, typed_over
        self._editor = _Editor(text, one_line=one_line)
        self._problem = Static("", id="editor-problem")

    def compose(self) -> ComposeResult:
        """See `Screen.compose`."""
        with Vertical(id="dialog", classes="wide") as dialog:
            dialog.border_title = self._title
            dialog.border_subtitle = "ctrl+s done · esc leaves it"
            yield Static(Content(self._note), id="editor-note")
            yield self._editor
            yield self._problem

    def on_mount(self) -> None:
        """Write at the end, over what is there, or between the first quotes that hold nothing."""
        self._problem.display = False
        before, empty, _ = self._editor.text.partition('""')
        lines = f"{before}{empty[:1]}".split("\n")
        self._editor.move_cursor((len(lines) - 1, len(lines[-1])))
        if self._typed_over:
            self._editor.select_all()
        self._editor.focus()

    def action_done(self) -> None:
        """Give the text, unless something is wrong with it."""
        text = self._editor.text
        problem = self._check(text)
        if problem is None:
            self.dismiss(text)
            return
        self._problem.update(Content(problem))
        self._problem.display = True

    def action_leave(self) -> None:
        """Change nothing."""
        self.dismiss(None)
