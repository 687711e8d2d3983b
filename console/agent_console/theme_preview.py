"""The theme that the palette's cursor is on, drawn at once; the one before comes back if none is chosen."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from textual.command import Command
from textual.timer import Timer
from textual.widgets import OptionList

if TYPE_CHECKING:
    from agent_console.base_app import BaseApp

PAUSE: Final = 0.12
"""Seconds that the cursor has to rest: to draw everything anew takes about as long."""


class ThemePreview:
    """See the module. One per app, told of what its palette does."""

    def __init__(self, app: BaseApp) -> None:
        self._app = app
        self._before: str | None = None
        self._timer: Timer | None = None

    @property
    def chosen(self) -> str:
        """The theme in use, whatever is tried."""
        return self._before if self._before is not None else self._app.theme

    def opened(self) -> None:
        """The palette opens."""
        self._before = self._app.theme

    def highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Its cursor is on another line."""
        option = event.option
        command = option.hit.command if isinstance(option, Command) else None
        is_theme = isinstance(command, partial) and command.func == self._app.use_theme
        self._draw_soon(command.args[0] if isinstance(command, partial) and is_theme else self.chosen)

    def closed(self, *, chosen: bool) -> None:
        """It is closed; what was chosen is run after this."""
        self._forget_timer()
        before, self._before = self._before, None
        if not chosen and before is not None:
            self._draw(before)

    def _draw_soon(self, name: str) -> None:
        self._forget_timer()
        self._timer = self._app.set_timer(PAUSE, partial(self._draw, name))

    def _draw(self, name: str) -> None:
        if self._app.theme != name:
            self._app.use_theme(name)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
