"""Jump mode: a letter on each part of the screen; pressing it sends the keyboard there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

LETTERS: Final = "asdfghjkl"
"""The home row, in the order in which parts get them."""


class JumpScreen(ModalScreen[Widget | None]):
    """Lies over the console; gives the part that was chosen, or None for any other key."""

    def __init__(self, targets: Sequence[Widget]) -> None:
        super().__init__()
        self._targets = dict(zip(LETTERS, targets, strict=False))

    def compose(self) -> ComposeResult:
        """See `Screen.compose`."""
        for letter, target in self._targets.items():
            label = Static(f" {letter} ", classes="jump", markup=False)
            label.styles.offset = (target.region.x, target.region.y)
            yield label
        yield Static(" a letter goes there · any other key goes back", id="jump-hint", markup=False)

    def on_key(self, event: events.Key) -> None:
        """Go there, or back."""
        event.stop()
        event.prevent_default()
        self.dismiss(self._targets.get(event.key))

    def on_click(self) -> None:
        """A click anywhere goes back."""
        self.dismiss(None)
