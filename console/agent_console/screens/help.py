"""Every key and what it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from agent_console.drawing.text import wrap
from agent_console.keys import Action, keys_of
from agent_console.panels import every_action

_KEYS: Final = 11
_HINTS: Final = (
    "While you type, letters are letters: esc gives the keys back.",
    "Drag with the mouse to select text; ctrl+c copies it.",
)


class HelpScreen(ModalScreen[None]):
    """The registry of keys as a page.

    Args:
        keymap: other keys than the default ones.
        actions: those that there are here; all of the console's if left out.
        hints: what else is to be known.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,f1", "dismiss", "close"),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
    ]

    def __init__(
        self,
        keymap: Mapping[str, str],
        actions: Sequence[Action] | None = None,
        hints: Sequence[str] = _HINTS,
    ) -> None:
        super().__init__()
        self._keys_in_use = keymap
        self._actions = every_action() if actions is None else actions
        self._notes = hints

    def compose(self) -> ComposeResult:
        """See `Screen.compose`."""
        with VerticalScroll(id="dialog", classes="wide") as dialog:
            dialog.border_title = "Keys"
            dialog.border_subtitle = "esc closes"
            yield Static(id="help")

    def on_resize(self) -> None:
        """Write the page for the width there is."""
        self.call_after_refresh(self._write)

    def _write(self) -> None:
        width = self.query_one("#dialog").scrollable_content_region.width
        self.query_one("#help", Static).update(Content("\n").join(self._lines(width)))

    def _lines(self, width: int) -> list[Content]:
        lines: list[Content] = []
        group = ""
        for action in self._actions:
            if action.group != group:
                group = action.group
                lines += [Content("")] * bool(lines) + [Content.styled(group, "bold $accent")]
            keys = " ".join(keys_of(action, self._keys_in_use))
            rows = [action.help[start:end] for start, end in wrap(action.help, width - _KEYS - 2)]
            lines.append(Content.assemble((f"{keys:>{_KEYS}}", "bold $primary"), "  ", rows[0]))
            lines += [Content(" " * (_KEYS + 2) + row) for row in rows[1:]]
        for text in self._notes:
            lines += [Content(""), *(Content.styled(text[start:end], "$muted") for start, end in wrap(text, width))]
        return lines

    def action_scroll(self, step: int) -> None:
        """Scroll by a line."""
        self.query_one("#dialog").scroll_relative(y=step, animate=False)
