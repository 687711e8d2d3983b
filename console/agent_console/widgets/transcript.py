"""The conversation as it happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from textual import events
from textual.message import Message

from agent_console.drawing.entries import GUTTER, Look, draw
from agent_console.drawing.text import Line, line_width
from agent_console.state import AgentSaid, ConsoleState, Entry, Latency, Note, Rule, ToolCall, UserSaid
from agent_console.widgets.scroll import BlockScroll


class Transcript(BlockScroll[Entry], can_focus=True):
    """User, agent, tools, rules and notes, with a selected turn and search."""

    class TurnSelected(Message):
        """Another turn is selected, or none."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._cursor: int | None = None
        self.query_text = ""
        self.match_position = (0, 0)
        """Which entry that matches the search is the current one, from 1, and how many there are."""
        self._match: int | None = None
        self._opened: set[str] = set()
        self._latencies: dict[str, Latency] = {}
        self._seen_latencies = 0
        self._first_answers: dict[str, int] = {}
        self._running_calls: set[int] = set()
        self._now = 0.0

    def show(self, state: ConsoleState, now: float) -> None:
        """Take the state of this frame."""
        self._now = now
        measured = self._take_latencies(state)
        self.set_items(state.entries)
        for turn_id in measured:
            if turn_id in self._first_answers:
                self.redraw(self._first_answers[turn_id])
        for index in tuple(self._running_calls):
            self.redraw(index)

    @property
    def is_timing(self) -> bool:
        """Whether a tool runs, whose time is shown counting."""
        return bool(self._running_calls)

    def latency_of(self, turn_id: str | None) -> Latency | None:
        """What was measured of a turn."""
        return self._latencies.get(turn_id or "")

    def _take_latencies(self, state: ConsoleState) -> list[str]:
        new = state.latencies[self._seen_latencies :]
        self._seen_latencies = len(state.latencies)
        for latency in new:
            if latency.turn_id is not None:
                self._latencies[latency.turn_id] = latency
        return [latency.turn_id for latency in new if latency.turn_id is not None]

    # --- drawing -------------------------------------------------------------------------------------------------

    def draw_item(self, index: int, item: Entry, width: int) -> Sequence[Line]:
        """See `BlockScroll.draw_item`."""
        turn = item.turn_id
        look = Look(width, opened=turn is not None and turn in self._opened, now=self._now)
        if isinstance(item, AgentSaid) and turn is not None and self._first_answers.setdefault(turn, index) == index:
            look = replace(look, latency=self._latencies.get(turn))
        if isinstance(item, ToolCall):
            (self._running_calls.add if item.duration is None else self._running_calls.discard)(index)
        if isinstance(item, Rule | Note) and turn is None:
            look = replace(look, opened=f"entry {index}" in self._opened)
        if index == 0 or _starts_something(self.items[index - 1], item):
            look = replace(look, gap=True)
        return draw(item, look)

    def decorate(self, index: int, line: Line) -> Line:
        """See `BlockScroll.decorate`: the selected turn's bar and the matches of the search."""
        item = self.items[index]
        if self.query_text:
            line = _mark_matches(line, self.query_text, "match bold" if index == self._match else "match")
        if line and self.selected is not None and _key(index, item) == self.selected:
            line = _mark_start(line)
        return line

    def draw_nothing(self, y: int) -> Line:
        """See `BlockScroll.draw_nothing`: an empty conversation says how to begin."""
        row = y - max(1, self.size.height // 2 - 2)
        if not 0 <= row < len(_WELCOME):
            return ()
        padding = (self.text_width - line_width(_WELCOME[row])) // 2
        return ((" " * max(0, padding), ""), *_WELCOME[row])

    # --- turns ---------------------------------------------------------------------------------------------------

    def select_turn(self, step: int) -> None:
        """Select the turn before (-1) or after (+1); the newest first. Past the newest, none."""
        position = len(self.items) if self._cursor is None else self._cursor
        while 0 <= (position := position + step) < len(self.items):
            if _key(position, self.items[position]) != self.selected:
                self.select(self._start_of(position))
                self.go_to_item(self._start_of(position))
                return
        if step > 0:
            self.select(None)
            self.go_to_end()

    def select(self, index: int | None) -> None:
        """Select the turn of the item at `index`, or none."""
        self._cursor = index
        self.refresh()
        self.post_message(self.TurnSelected())

    def go_to_turn(self, turn_id: str) -> None:
        """Select a turn by its id and bring it into view; nothing of it may be here."""
        index = self.items.rindex(lambda entry: entry.turn_id == turn_id)
        if index is not None:
            self.select(self._start_of(index))
            self.go_to_item(self._start_of(index))

    @property
    def selected(self) -> str | None:
        """The turn that is selected, by its id."""
        if self._cursor is None or self._cursor >= len(self.items):
            return None
        return _key(self._cursor, self.items[self._cursor])

    def _start_of(self, index: int) -> int:
        key = _key(index, self.items[index])
        while index > 0 and _key(index - 1, self.items[index - 1]) == key:
            index -= 1
        return index

    def toggle_turn(self) -> None:
        """Open or close the selected turn, else the newest that has an answer."""
        index = self._cursor
        if index is None:
            index = self.items.rindex(lambda entry: not isinstance(entry, UserSaid))
        if index is not None:
            self._opened ^= {_key(index, self.items[index])}
            self.lay_out()
            self.go_to_item(index)

    def copy_text(self) -> str:
        """The selected turn as plain text, else the newest."""
        if not len(self.items):
            return ""
        index = len(self.items) - 1 if self._cursor is None else self._cursor
        key = _key(index, self.items[index])
        entries = []
        for number in range(self._start_of(index), len(self.items)):
            if _key(number, self.items[number]) != key:
                break
            entries.append(_plain(self.items[number]))
        return "\n".join(entries)

    # --- search --------------------------------------------------------------------------------------------------

    def search(self, text: str) -> None:
        """Mark what matches and go to the newest; an empty text ends the search."""
        self.query_text = text.casefold()
        self._match = None
        matches = self._matches()
        if matches:
            self._go_to_match(matches, len(matches) - 1)
        else:
            self.match_position = (0, 0)
        self.refresh()

    def step_match(self, step: int) -> None:
        """Go to the next or previous match, around the ends."""
        matches = self._matches()
        if matches:
            at = matches.index(self._match) if self._match in matches else 0
            self._go_to_match(matches, (at + step) % len(matches))

    def _go_to_match(self, matches: Sequence[int], at: int) -> None:
        self._match = matches[at]
        self.match_position = (at + 1, len(matches))
        self.go_to_item(matches[at])
        self.refresh()

    def _matches(self) -> list[int]:
        if not self.query_text:
            return []
        return [index for index, entry in enumerate(self.items) if self.query_text in _plain(entry).casefold()]

    def on_click(self, event: events.Click) -> None:
        """A click selects a turn; one on its number at the right opens it."""
        index = self.index_at(event.y + self.scroll_offset.y)
        if index is None:
            return
        self.select(index)
        if event.x >= self.text_width - _NUMBER_COLUMN or event.x < GUTTER:
            self.toggle_turn()


_NUMBER_COLUMN: Final = 10

_WELCOME: Final[Sequence[Line]] = (
    (("Say something,", "text"),),
    (("or press ", "muted"), ("t", "key"), (" and type.", "muted")),
)


def _key(index: int, entry: Entry) -> str:
    return entry.turn_id if entry.turn_id is not None else f"entry {index}"


def _starts_something(before: Entry, entry: Entry) -> bool:
    if isinstance(entry, Rule) or isinstance(before, Rule):
        return not (isinstance(entry, Rule) and isinstance(before, Rule))
    return isinstance(entry, UserSaid) or (entry.turn_id != before.turn_id and not isinstance(entry, Note))


def _plain(entry: Entry) -> str:
    if isinstance(entry, UserSaid):
        return f"you: {entry.text}"
    if isinstance(entry, AgentSaid):
        cut = " ‖" if entry.state == "interrupted" else ""
        text = entry.text[: entry.heard] if entry.state == "interrupted" else entry.text
        return f"{entry.agent}: {text}{cut}"
    if isinstance(entry, ToolCall):
        return f"tool: {entry.name}({entry.arguments}) = {entry.output}"
    return entry.text


def _mark_start(line: Line) -> Line:
    (text, style), rest = line[0], line[1:]
    return (("▎", "selected"), (text[1:], style), *rest)


def _mark_matches(line: Line, query: str, style: str) -> Line:
    text = "".join(part for part, _ in line).casefold()
    if query not in text or len(text) != sum(len(part) for part, _ in line):
        return line
    marked = bytearray(len(text))
    start = text.find(query)
    while start >= 0:
        marked[start : start + len(query)] = b"\1" * len(query)
        start = text.find(query, start + len(query))
    result: list[tuple[str, str]] = []
    at = 0
    for part, old in line:
        for character in part:
            new = style if marked[at] else old
            at += 1
            if result and result[-1][1] == new:
                result[-1] = (result[-1][0] + character, new)
            else:
                result.append((character, new))
    return tuple(result)
