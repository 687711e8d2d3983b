"""The command palette: every action of the registry, and the themes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.types import IgnoreReturnCallbackType

from agent_console.keys import ACTIONS, keys_of


class ConsoleCommands(Provider):
    """Actions under the words of the footer and help, with their keys."""

    def _commands(self) -> Iterator[tuple[str, str, IgnoreReturnCallbackType]]:
        from agent_console.app import ConsoleApp

        assert isinstance(self.app, ConsoleApp)
        for action in ACTIONS:
            if action.id != "palette":
                keys = " ".join(keys_of(action, self.app.keymap_in_use))
                title = f"{action.label[0].upper()}{action.label[1:]}"
                yield f"{title}  ({keys})", action.help, partial(self.screen.run_action, action.id)
        for name in sorted(self.app.available_themes):
            if name != self.app.theme and not name.startswith("textual-ansi"):
                yield f"Theme: {name}", "Draw everything in these colours.", partial(self.app.use_theme, name)

    async def discover(self) -> Hits:
        """Everything but the themes that aren't ours, before a word is typed."""
        for title, text, callback in self._commands():
            if not title.startswith("Theme: ") or title.removeprefix("Theme: ") in self.app.own_themes:  # type: ignore[attr-defined]  # a ConsoleApp
                yield DiscoveryHit(title, callback, help=text)

    async def search(self, query: str) -> Hits:
        """What matches the words typed."""
        matcher = self.matcher(query)
        for title, text, callback in self._commands():
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), callback, help=text)
