"""The command palette: every action of the registry, and the themes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.types import IgnoreReturnCallbackType

from agent_console.keys import keys_of
from agent_console.panels import screen_actions

if TYPE_CHECKING:
    from agent_console.app import ConsoleApp

_THEME: Final = "Theme: "


class ConsoleCommands(Provider):
    """Actions under the words of the footer and help, with their keys."""

    @property
    def _console(self) -> ConsoleApp:
        from agent_console.app import ConsoleApp

        assert isinstance(self.app, ConsoleApp)
        return self.app

    def _commands(self) -> Iterator[tuple[str, str, IgnoreReturnCallbackType]]:
        app = self._console
        for action in screen_actions():
            if action.id != "palette":
                keys = " ".join(keys_of(action, app.keymap_in_use))
                title = f"{action.label[0].upper()}{action.label[1:]}"
                yield f"{title}  ({keys})", action.help, partial(self.screen.run_action, action.command)
        for name in sorted(app.available_themes, key=lambda name: (name not in app.own_themes, name)):
            if name != app.theme_preview.chosen:
                yield f"{_THEME}{name}", "Draw everything in these colours.", partial(app.use_theme, name)

    async def discover(self) -> Hits:
        """Everything but the themes that aren't ours, before a word is typed."""
        for title, text, callback in self._commands():
            if not title.startswith(_THEME) or title.removeprefix(_THEME) in self._console.own_themes:
                yield DiscoveryHit(title, callback, help=text)

    async def search(self, query: str) -> Hits:
        """What matches the words typed."""
        matcher = self.matcher(query)
        for title, text, callback in self._commands():
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), callback, help=text)
