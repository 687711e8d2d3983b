"""The last line: the keys that matter now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from textual import events

from agent_console.drawing.text import Line, Span
from agent_console.keys import ACTIONS, BY_ID, keys_of
from agent_console.widgets.canvas import Canvas

Situation = Literal["reading", "typing", "talking", "searching"]

_HINTS: Mapping[Situation, Sequence[tuple[str, str]]] = {
    "typing": (("enter", "send"), ("esc", "leave"), ("up", "earlier message"), ("^p", "palette")),
    "searching": (("enter", "next match"), ("esc", "done")),
}


class KeyBar(Canvas):
    """Keys and what they do, from the registry; the weightiest stay when it is narrow. Clickable."""

    def __init__(self, keymap: Mapping[str, str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._keys_in_use = keymap
        self._situation: Situation = "reading"
        self._targets: list[tuple[int, int, str]] = []

    def show_situation(self, situation: Situation) -> None:
        """Name the keys of what the user is doing."""
        if situation != self._situation:
            self._situation = situation
            self.repaint()

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """See `Canvas.draw`."""
        self._targets = []
        spans: list[Span] = [(" ", "")]
        at = 1
        for key, label, action in self._hints(width):
            spans += [(key, "key"), (f" {label}  ", "muted")]
            end = at + len(key) + len(label) + 1
            self._targets.append((at, end, action))
            at = end + 2
        return [tuple(spans)]

    def _hints(self, width: int) -> list[tuple[str, str, str]]:
        if self._situation in _HINTS:
            return [(key, label, "") for key, label in _HINTS[self._situation]]
        if self._situation == "talking":
            talk, back = (keys_of(BY_ID[name], self._keys_in_use)[0] for name in ("push_to_talk", "back"))
            return [(talk, "send", "push_to_talk"), (back, "discard", "back")]
        hints = []
        room = width - 1
        for action in sorted(ACTIONS, key=lambda action: -action.rank):
            keys = keys_of(action, self._keys_in_use)
            size = len(keys[0]) + len(action.label) + 3 if keys else 0
            if action.rank and keys and size - 2 <= room:
                hints.append((action, keys[0]))
                room -= size
        hints.sort(key=lambda hint: ACTIONS.index(hint[0]))
        return [(key, action.label, action.id) for action, key in hints]

    async def on_click(self, event: events.Click) -> None:
        """A click does what the key does."""
        for start, end, action in self._targets:
            if action and start <= event.x < end:
                await self.screen.run_action(action)
