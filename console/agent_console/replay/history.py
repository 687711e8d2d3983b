"""What the console showed at any place of a recording, so that it needn't be played up to there again."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from agent_console.state import ConsoleState, reduce
from agent_runtime.bundle import Bundle
from agent_runtime.events import AnyEvent, RecordingChanged, SessionStarted
from agent_runtime.records import record

KEEP_EVERY: Final = 2_000
"""Events between two states that are kept; to get from one to the next takes a tenth of a second."""
NEAR: Final = 50
"""Turns before a place that are shown at once where what came before them hasn't been read yet."""


@record(frozen=True, slots=True)
class Place:
    """Between two events."""

    time: float
    """Of the event before it."""
    offset: int
    """Byte at which the next event's line begins."""
    state: ConsoleState
    """After all events before it, but those of meters."""
    whole: bool = True
    """False where what came long before is missing in the state."""


class History:
    """Reads a recording once from its beginning, a little at a time, and keeps states on the way."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._kept = [Place(0.0, 0, ConsoleState(mode="replay"))]
        self._read_to = self._kept[0]
        self._unkept = 0
        self._events: Iterator[tuple[int, AnyEvent]] | None = None
        self._upcoming: tuple[int, AnyEvent] | None = None
        self.ended = False
        """Whether there is nothing more to read."""

    @property
    def read_to(self) -> Place:
        """How far it has been read."""
        return self._read_to

    def read(self, offset: int | None = None, *, until: Callable[[], bool]) -> bool:
        """Read on, to byte `offset` at most, until it is enough; True when it is read up to there.

        Raises BundleError for an event that can't be read.
        """
        if self._events is None:
            self._events = self._bundle.events_with_offsets(meters=False)
            self._upcoming = next(self._events, None)
        while self._upcoming is not None and (offset is None or self._upcoming[0] <= offset):
            (after, event), self._upcoming = self._upcoming, None
            self._read_to = _next(self._read_to, after, event)
            self._unkept += 1
            if self._unkept == KEEP_EVERY:
                self._kept.append(self._read_to)
                self._unkept = 0
            self._upcoming = next(self._events, None)
            if until():
                break
        self.ended = self._upcoming is None
        return self.ended or (offset is not None and self._upcoming is not None and self._upcoming[0] > offset)

    def before(self, target: float, *, given_up: Callable[[], bool]) -> Place | None:
        """The place before the first event at second `target` or later; None if that is given up.

        Exact where that much has been read; else with the turns near it, and of what came before only what lasts: who
        talks, through which devices. Raises BundleError.
        """
        place = self._nearest(target)
        near = self._near(target)
        if near > place.offset and near > self._read_to.offset:
            for event in self._bundle.standing(place.offset, near):
                place = _next(place, near, event)
            place = replace(place, offset=near, whole=False)
        for after, event in self._bundle.events_with_offsets(place.offset, meters=False):
            if event.time >= target:
                break
            if given_up():
                return None
            place = _next(place, after, event)
        return place

    def _nearest(self, target: float) -> Place:
        if self._read_to.time < target:
            return self._read_to
        return self._kept[max(0, bisect_left(self._kept, target, key=lambda place: place.time) - 1)]

    def _near(self, target: float) -> int:
        """Where the stretch begins that is shown at once."""
        turns = self._bundle.turns
        first = bisect_right(turns, target, key=lambda mark: mark.time) - NEAR
        return turns[first].offset if first > 0 else 0


def as_replayed(event: AnyEvent) -> AnyEvent | None:
    """The event as it is shown again; None for what is of the recording itself."""
    if isinstance(event.data, RecordingChanged):
        return None
    if isinstance(event.data, SessionStarted):
        return replace(event, data=replace(event.data, mode="replay"))
    return event


def for_seconds(seconds: float) -> Callable[[], bool]:
    """Whether so many seconds are over."""
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() >= end


def _next(place: Place, offset: int, event: AnyEvent) -> Place:
    shown = as_replayed(event)
    state = place.state if shown is None else reduce(place.state, shown)
    return Place(event.time, offset, state, place.whole)
