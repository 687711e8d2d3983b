"""Everything that happens, as it happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType

from agent_console.drawing.events import event_lines, name_of
from agent_console.drawing.text import Line
from agent_console.keys import BY_ID, Action, bindings, keys_of
from agent_console.state import ConsoleState, Seq
from agent_console.state.history import KEPT, WEIGHTS, weight
from agent_console.state.sentences import facts, sentence
from agent_console.widgets.cursor_list import CursorList
from agent_console.widgets.panel_view import PanelHost, PanelSpec, PanelView
from agent_runtime.events import AnyEvent

_GROUP: Final = "In the events panel"
KEYS: Final = (
    Action("events.pause", "p", "pause", "Hold the view still while events go on, or let it go.", _GROUP, 99),
    Action("events.level", "v", "level", "Show less: from everything to errors alone, and around.", _GROUP, 98),
    Action("events.older", "up,k", "older", "Select the event before.", _GROUP),
    Action("events.newer", "down,j", "newer", "Select the event after.", _GROUP),
    Action("events.turn", "enter,o", "its turn", "Show the turn that the event belongs to.", _GROUP, 97),
)


EVERY: Final = 3
"""Frames for one look at what came in: each event moves all lines, and faster than ten times a second nobody reads."""


class EventList(CursorList[AnyEvent]):
    """Events one below the other; the selected one is written out."""

    def __init__(self, nothing: Callable[[], str]) -> None:
        super().__init__(lambda event, width, opened: event_lines(event, width, opened=opened))
        self._nothing = nothing

    def draw_nothing(self, y: int) -> Line:
        """See `BlockScroll.draw_nothing`."""
        return ((" ", ""), (self._nothing(), "faint")) if y == 0 else ()


class EventsPanel(PanelView):
    """The event stream with a level, a search and a pause. What comes in is looked at once, ten times a second."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(KEYS)]

    def __init__(self, host: PanelHost) -> None:
        super().__init__("Events")
        self._host = host
        self.list = EventList(self._why_nothing)
        self._found: Seq[AnyEvent] = Seq()
        self._seen = 0
        self._level = 0
        self._paused_at: int | None = None
        self._frames_to_wait = 0

    def content(self) -> ComposeResult:
        """See `PanelView.content`."""
        yield self.list

    def show(self, state: ConsoleState, now: float) -> None:
        """See `PanelView.show`."""
        super().show(state, now)
        if self._frames_to_wait:
            self._frames_to_wait -= 1
        elif self.is_behind:
            self._take(state)
            self._frames_to_wait = EVERY - 1
        self.list.set_items(self._found)

    @property
    def is_behind(self) -> bool:
        """See `PanelView.is_behind`."""
        return self._paused_at is None and self._seen != self._state.event_count

    def note(self, state: ConsoleState) -> Line:
        """See `PanelView.note`."""
        level = ("all", *(f"{weight}+" for weight in WEIGHTS[1:-1]), "errors")[self._level]
        line: Line = ((f"{len(self._found):,} shown · {level}", "muted"),)
        if self.query_text:
            line = ((f"/{self.query_text} ", "key"), *line)
        if self._paused_at is not None:
            line = ((f"paused, {state.event_count - self._paused_at:,} new · ", "fair bold"), *line)
        return line

    def _why_nothing(self) -> str:
        if self.query_text:
            return f"nothing has “{self.query_text}” in it: {self._key('back')} ends the search"
        if self._level:
            return f"nothing as weighty as that: {self._key('events.level')} shows more"
        return "nothing has happened yet"

    def _key(self, name: str) -> str:
        action = next(action for action in (*KEYS, BY_ID["back"]) if action.id == name)
        return " ".join(keys_of(action, self._host.keymap_in_use)[:1])

    # --- which events ------------------------------------------------------------------------------------------------

    def _take(self, state: ConsoleState) -> None:
        new = min(state.event_count - self._seen, len(state.events))
        self._seen = state.event_count
        if new == len(state.events) and not self._found:  # all of it is new when the panel is opened first
            self._found = self._wanted(state.events)
            return
        for index in range(len(state.events) - new, len(state.events)):
            event = state.events[index]
            if self._is_wanted(event):
                self._found = self._found.append(event)
        if len(self._found) > 2 * KEPT:
            self._found = self._found.trim(KEPT)
            self.list.cursor = None

    def _wanted(self, events: Seq[AnyEvent]) -> Seq[AnyEvent]:
        if self._level == 0 and not self.query_text:
            return events
        return Seq.of(event for event in events if self._is_wanted(event))

    def _is_wanted(self, event: AnyEvent) -> bool:
        if WEIGHTS.index(weight(event)) < self._level:
            return False
        query = self.query_text
        if not query or query in name_of(event) or query in event.data.type:
            return True
        return query in sentence(event).casefold() or query in facts(event).casefold()

    def _look_again(self) -> None:
        """Another level or search: choose among all that are kept."""
        until = self._paused_at if self._paused_at is not None else self._state.event_count
        kept = self._state.events
        if (later := self._state.event_count - until) > 0:
            kept = Seq.of(kept[: len(kept) - later])
        self._found = self._wanted(kept)
        self._seen = until
        self.list.cursor = None
        self.list.following = True
        self.show(self._state, self._now)

    def search(self, text: str) -> bool:
        """See `PanelView.search`: only what has the text in it stays."""
        self.query_text = text.casefold()
        self._look_again()
        return True

    # --- keys --------------------------------------------------------------------------------------------------------

    def action_pause(self) -> None:
        """Hold still, or go on."""
        if self._paused_at is None:
            self._take(self._state)
            self._paused_at = self._state.event_count
        else:
            self._paused_at = None
        self.show(self._state, self._now)

    def action_level(self) -> None:
        """The next level."""
        self._level = (self._level + 1) % len(WEIGHTS)
        self._look_again()

    def action_older(self) -> None:
        """The event before."""
        self.list.move(-1)

    def action_newer(self) -> None:
        """The event after; past the newest, none."""
        self.list.move(1)

    def action_turn(self) -> None:
        """Select the turn of the selected event, else of the newest."""
        event = self.list.selected or self._found.last
        if event is None or event.turn_id is None:
            self.notify("this event belongs to no turn")
            return
        self._host.go_to_turn(event.turn_id)


PANEL: Final = PanelSpec("events", "6", "Events", "Show everything that happens, as it happens.", EventsPanel, KEYS)
