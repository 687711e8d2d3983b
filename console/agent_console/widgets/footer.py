"""The last line: the keys that matter now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from textual import events

from agent_console.drawing.text import Line, Span
from agent_console.keys import ACTIONS, BY_ID, Action, keys_of
from agent_console.panels import panels
from agent_console.widgets.canvas import Canvas
from agent_console.widgets.panel_view import PanelView

Situation = Literal["reading", "typing", "talking", "searching", "filtering"]

_HINTS: Mapping[Situation, Sequence[tuple[str, str]]] = {
    "typing": (("enter", "send"), ("esc", "panels and other keys"), ("up", "earlier message"), ("^p", "palette")),
    "searching": (("enter", "next match"), ("esc", "done")),
    "filtering": (("enter", "look at what it found"),),
}


class KeyBar(Canvas):
    """Keys and what they do, from the registry; the weightiest stay when it is narrow. Clickable."""

    def __init__(self, keymap: Mapping[str, str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._keys_in_use = keymap
        self._situation: Situation = "reading"
        self._own: Sequence[Action] = ()
        self._idle: Collection[str] = ()
        self._targets: list[tuple[int, int, str]] = []

    def show_situation(self, situation: Situation, own: Sequence[Action] = (), idle: Collection[str] = ()) -> None:
        """Name the keys of what the user is doing; first those of the panel that has the keyboard.

        Not those of actions that can do nothing now, `idle` by their ids.
        """
        if (situation, own, idle) != (self._situation, self._own, self._idle):
            self._situation, self._own, self._idle = situation, own, idle
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
            ends = (("push_to_talk", "send"), ("back", "discard"))
            keyed = [(keys_of(BY_ID[name], self._keys_in_use), label, name) for name, label in ends]
            return [(keys[0], label, name) for keys, label, name in keyed if keys]
        hints: list[tuple[int, str, Action]] = []
        room = width - 1
        for place, action, key in sorted(self._offered(), key=lambda offer: -offer[1].rank):
            size = len(key) + len(action.label) + 3
            if size - 2 <= room:
                hints.append((place, key, action))
                room -= size
        return [(key, action.label, action.id) for _, key, action in sorted(hints, key=lambda hint: hint[0])]

    def _offered(self) -> list[tuple[int, Action, str]]:
        """What there is to name: the focused panel's own keys, the panels as one, and the console's actions."""
        offered = [replace(action, rank=100) for action in self._own if action.rank]
        first, last = (keys_of(spec.action, self._keys_in_use) for spec in (panels()[0], panels()[-1]))
        keys = {action.id: keys_of(action, self._keys_in_use)[:1] for action in (*self._own, *ACTIONS)}
        if first and last and not offered:
            every = Action("panels", "", "panels", "", "Panels", 72)
            # On the keyboard 0 is after 9, but people read it the other way.
            keys[every.id] = ["0-9" if (first[0], last[0]) == ("1", "0") else f"{first[0]}-{last[0]}"]
            offered.append(every)
        offered += [action for action in ACTIONS if action.rank and action.id not in self._idle]
        return [(place, action, keys[action.id][0]) for place, action in enumerate(offered) if keys[action.id]]

    async def on_click(self, event: events.Click) -> None:
        """A click does what the key does."""
        for start, end, action in self._targets:
            if action and start <= event.x < end:
                await self._run(action)

    async def _run(self, name: str) -> None:
        own = next((action for action in self._own if action.id == name), None)
        if own is not None and self.screen.focused is not None:
            await self._panel().run_action(own.command)
        elif name == "panels":
            await self.screen.run_action(panels()[0].action.command)
        else:
            await self.screen.run_action(name)

    def _panel(self) -> PanelView:
        """The panel that has the keyboard."""
        focused = self.screen.focused
        assert focused is not None
        return next(node for node in focused.ancestors if isinstance(node, PanelView))
