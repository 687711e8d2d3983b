"""What each of our Textual apps has: themes from files, keys from the settings, ASCII where there is no more."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import events, on
from textual.app import App
from textual.driver import Driver
from textual.filter import LineFilter
from textual.widgets import Input

from agent_console.attach.keys import ATTACHED
from agent_console.glyphs import PlainGlyphs, is_unicode, terminal_encoding
from agent_console.keymap import read_keymap
from agent_console.keys import BY_ID, Action
from agent_console.panels import every_action
from agent_console.replay.keys import COMPARISON, PLAYER
from agent_console.terminal_keys import tolerate_odd_keys
from agent_console.themes import DARK, files_in, load_themes, with_fallbacks
from agent_console.widgets.painted import LINE_CLASSES


def known_actions() -> tuple[Action, ...]:
    """What a key can be mapped to, in the console, a recording, two runs beside each other, a job elsewhere."""
    return (*every_action(), *PLAYER, *COMPARISON, *ATTACHED)


class BaseApp(App[None]):
    """Themes, keys and characters; a crash prints its traceback and nothing else.

    Args:
        theme: name of a bundled theme, of one of `theme_folders`, or of Textual's own.
        theme_folders: where the user's own themes are.
        keymap: other keys for actions, as `agent_console.keymap` reads them: `{"mute": "ctrl+t"}`.
        places: where settings stand (`keys.mute`), to name them where something is wrong.
        encoding: of the terminal; found out if None. Without UTF-8 everything is drawn in ASCII.
    """

    CSS_PATH = Path(__file__).with_name("console.tcss")
    COMPONENT_CLASSES: ClassVar[set[str]] = set(LINE_CLASSES)
    TITLE = "agent-console"

    def __init__(
        self,
        *,
        theme: str = DARK,
        theme_folders: Sequence[Path] = (),
        keymap: Mapping[str, Any] | None = None,
        places: Mapping[str, str] | None = None,
        encoding: str | None = None,
    ) -> None:
        encoding = terminal_encoding(os.environ, sys.stderr.encoding) if encoding is None else encoding
        self._plain = None if is_unicode(encoding) else PlainGlyphs(encoding)
        super().__init__()
        self._theme_folders = theme_folders
        self.problems = self._read_themes()
        """What is wrong with the settings, a line each."""
        if theme not in self.available_themes:
            self.problems.append(f"theme {theme!r} isn't there: {DARK} is drawn")
            theme = DARK
        self.theme = theme
        self.keymap_in_use, wrong = read_keymap(keymap or {}, known_actions(), places)
        self.problems += wrong
        self.set_keymap(dict(self.keymap_in_use))
        inputs = (self.keymap_in_use.get(name, BY_ID[name].keys) for name in ("type", "search"))
        self._input_keys = frozenset(key.strip() for keys in inputs for key in keys.split(","))

    def get_driver_class(self) -> type[Driver]:
        """See `App.get_driver_class`."""
        tolerate_odd_keys()
        return super().get_driver_class()

    async def on_event(self, event: events.Event) -> None:
        """See `App.on_event`. A key that leads to an input does so before the next is looked at.

        Otherwise what is pasted or sent right behind it would be taken for keys of the widget that had the keyboard.
        """
        if isinstance(event, events.Key) and not event.is_forwarded and self._leads_to_input(event.key):
            await self.screen.run_action(self.screen.active_bindings[event.key].binding.action)
        else:
            await super().on_event(event)

    @on(Driver.SignalResume)
    def _paint_anew(self) -> None:
        """The terminal's other screen is empty after `fg`, and of the same size there is nothing new to draw."""
        for screen in self.screen_stack:
            screen.refresh()

    def _leads_to_input(self, key: str) -> bool:
        if key not in self._input_keys or not self.screen_stack or isinstance(self.focused, Input):
            return False
        active = self.screen.active_bindings.get(key)
        return active is not None and active.enabled and active.node is self.screen

    def _fatal_error(self) -> None:
        """Print the plain traceback once the terminal is restored; Textual's own prints every local variable."""
        self.panic(Text(traceback.format_exc().rstrip()))

    # --- themes ------------------------------------------------------------------------------------------------------

    def _read_themes(self) -> list[str]:
        """Register every theme; what is wrong with the others."""
        self._theme_files = files_in(self._theme_folders)
        found = load_themes(self._theme_folders)
        for item in found.themes:
            self.register_theme(item)
        self.own_themes = frozenset(item.name for item in found.themes)
        return [f"theme {problem}" for problem in found.problems]

    def reload_saved_themes(self) -> None:
        """A theme that was saved is drawn at once; one that is broken is named and the old one stays."""
        if files_in(self._theme_folders) == self._theme_files:
            return
        before = self.current_theme
        for problem in self._read_themes():
            self.notify(problem, severity="warning")
        if self.current_theme != before:
            self.refresh_css(animate=False)

    def use_theme(self, name: str) -> None:
        """Draw everything in another theme."""
        self.theme = name

    def get_css_variables(self) -> dict[str, str]:
        """See `App.get_css_variables`: our own tokens are there whatever the theme."""
        return with_fallbacks(super().get_css_variables())

    def get_line_filters(self) -> Sequence[LineFilter]:
        """See `App.get_line_filters`: ASCII where the terminal can do no more."""
        filters = super().get_line_filters()
        return filters if self._plain is None else [*filters, self._plain]
