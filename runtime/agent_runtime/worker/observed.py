"""A job's sessions as others get to see them, in the job's own process.

Counted for the worker's metrics, traced where the environment asks for it, shown as lines of JSON to who watches, and
asked what those may ask. While nobody watches, an event costs a place in a queue.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, get_args

from agent_runtime import events as ev
from agent_runtime.events import AnyEvent, EventData
from agent_runtime.events.types import FIGURES
from agent_runtime.worker.figures import Figures
from agent_runtime.worker.requests import Asked

if TYPE_CHECKING:
    from agent_runtime.host.tracing import Tracing
    from agent_runtime.voice import AgentSession

logger = logging.getLogger(__name__)

KEPT: Final = 3_000
"""Events that somebody who comes late still gets; about an hour of conversation."""
SLICE: Final = 40
"""Lines that are written at a time, between which the conversation goes on: a millisecond's work."""
PAUSE: Final = 0.02
"""Seconds between two slices."""

_STANDING: Final[dict[type, str]] = {
    ev.SessionStarted: "",
    ev.AgentChanged: "",
    ev.UserStateChanged: "",
    ev.AgentStateChanged: "",
    ev.ModeChanged: "",
    ev.RoomConnected: "",
    ev.ParticipantLinked: "",
    ev.InputMuted: "",
    ev.BranchesChanged: "",
    ev.DeviceChanged: "kind",
    ev.CircuitsChanged: "part",
    ev.ModelLoading: "part",
}
"""What tells how things stand until the next of its kind, and the field by which there are several kinds."""
_NEWS: Final = tuple(kind for kind in get_args(EventData) if kind not in FIGURES)


class Recent:
    """The newest events, and those before them that still say how things stand."""

    def __init__(self, limit: int = KEPT) -> None:
        self._limit = limit
        self._events: deque[AnyEvent] = deque()
        self._standing: dict[tuple[str, type, str], AnyEvent] = {}

    def put(self, event: AnyEvent) -> None:
        """Keep one, perhaps in an older one's place."""
        self._events.append(event)
        if len(self._events) > self._limit:
            old = self._events.popleft()
            field = _STANDING.get(type(old.data))
            if field is not None:
                key = (old.session_id, type(old.data), str(getattr(old.data, field)) if field else "")
                self._standing.pop(key, None)  # the newest goes to the end: events are told in their order
                self._standing[key] = old

    def __iter__(self) -> Iterator[AnyEvent]:
        yield from tuple(self._standing.values())
        yield from tuple(self._events)


class ObservedJob:
    """The sessions of one job. Everything in here is called on the job's loop, but for its events.

    Args:
        log_level: the least severe lines of the process's log that are told to who watches.
    """

    def __init__(self, *, log_level: int = logging.INFO) -> None:
        self.figures = Figures()
        self._log_level = log_level
        self._loop = asyncio.get_running_loop()
        self._recent = Recent()
        self._session: AgentSession[Any] | None = None
        self._tracings: list[Tracing] = []
        self._stops: list[Callable[[], None]] = []
        self._watchers: list[_Lines] = []
        self._while_watched: list[Callable[[], None]] = []

    def follow(self, session: AgentSession[Any]) -> None:
        """A session begins: from now on it is the one that is asked."""
        from agent_runtime.host.tracing import Tracing

        self._session = session
        events = session.events
        self._stops += [self.figures.follow(events), events.subscribe(self._happened, types=_NEWS)]
        tracing = Tracing(events.emit)
        tracing.follow(events)
        self._tracings.append(tracing)
        if self._watchers:
            self._look_closely(session)

    def watch(self, send: Callable[[bytes], None]) -> Callable[[], None]:
        """Tell what happens, from what happened lately on: lines of JSON, each an event of the published schema.

        Returns the function that ends it.
        """
        lines = _Lines(self._loop, send)
        for event in self._recent:
            lines.put(event)
        self._watchers.append(lines)
        if self._session is not None and not self._while_watched:
            self._look_closely(self._session)

        def unwatch() -> None:
            lines.close()
            if lines in self._watchers:
                self._watchers.remove(lines)
            if not self._watchers:
                self._look_away()

        return unwatch

    def ask(self, line: str | bytes) -> None:
        """Do what somebody asks; what can't be done is told as an event."""
        asked: Asked | None = None
        try:
            asked = Asked.from_json(line)
            if self._session is None:
                raise RuntimeError("there is no session yet")
            _do(asked, self._session)
        except (ValueError, RuntimeError) as exc:
            logger.warning("a request from outside can't be done: %s", exc)
            if self._session is not None:
                name = "?" if asked is None else asked.request
                self._session.events.emit(ev.RequestRefused(name, str(exc)))

    def close(self) -> None:
        """The job is over: tell what is left. The last traces get half a second."""
        for lines in self._watchers:
            lines.flush()
            lines.close()
        self._watchers.clear()
        self._look_away()
        for stop in self._stops:
            stop()
        for tracing in self._tracings:
            tracing.close()

    def _happened(self, event: AnyEvent) -> None:
        self._recent.put(event)
        self._tell(event)

    def _tell(self, event: AnyEvent) -> None:
        for lines in tuple(self._watchers):
            lines.put(event)

    def _look_closely(self, session: AgentSession[Any]) -> None:
        """While somebody watches: also the meters, the log, and what blocks the loop."""
        from agent_runtime.host.logs import EventLogHandler
        from agent_runtime.host.watchdog import LoopWatchdog
        from agent_runtime.redaction import Redactor

        self._look_away()
        events = session.events
        handler = EventLogHandler(events.emit, Redactor())
        handler.setLevel(self._log_level)
        watchdog = LoopWatchdog(self._loop, events.emit)
        logging.getLogger().addHandler(handler)
        watchdog.start()
        self._while_watched += [
            events.subscribe(self._tell, types=FIGURES),
            lambda: logging.getLogger().removeHandler(handler),
            watchdog.stop,
        ]

    def _look_away(self) -> None:
        for stop in self._while_watched:
            stop()
        self._while_watched.clear()


class _Lines:
    """Writes events as lines, a few at a time; from whatever thread they come."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Callable[[bytes], None]) -> None:
        from agent_runtime.bundle.scrubbing import Scrubber

        self._loop = loop
        self._send = send
        self._scrub: Scrubber = Scrubber()
        self._waiting: deque[AnyEvent] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._awake = False
        self._closed = False

    def put(self, event: AnyEvent) -> None:
        """Write it soon."""
        self._waiting.append(event)
        if not self._awake and not self._closed:
            self._awake = True
            self._loop.call_soon_threadsafe(self._wake)

    def flush(self) -> None:
        """Write everything now."""
        while self._waiting and not self._closed:
            self._write()

    def close(self) -> None:
        """Write nothing more."""
        self._closed = True
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _wake(self) -> None:
        if not self._closed:
            self._write()
            self._timer = self._loop.call_later(PAUSE, self._go_on)

    def _go_on(self) -> None:
        self._awake = False  # before the look: who comes after it wakes us
        if self._waiting:
            self._awake = True
            self._wake()

    def _write(self) -> None:
        from agent_runtime.events.codec import dumps

        lines = []
        for _ in range(min(SLICE, len(self._waiting))):
            event = self._waiting.popleft()
            if isinstance(event.data, ev.RoomInvitation):
                event = replace(event, data=event.data.without_token())
            try:
                lines.append(self._scrub.line(dumps(event)))
            except ValueError:
                logger.warning("an event of the type %s can't be written", event.data.type)
        if lines:
            self._send("\n".join(lines).encode())


def _do(asked: Asked, session: AgentSession[Any]) -> None:
    if asked.request == "text":
        session.send_text(asked.text)
    elif asked.request == "interrupt":
        session.interrupt(cause="key")
    else:
        session.set_input_muted(asked.muted)
