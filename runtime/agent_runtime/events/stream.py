"""The one stream of events of a session."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from agent_runtime.clock import Clock
from agent_runtime.events.event import Event
from agent_runtime.events.types import AnyEvent, EventData
from agent_runtime.records import record

logger = logging.getLogger(__name__)

Subscriber = Callable[[AnyEvent], None]
Unsubscribe = Callable[[], None]


@record(frozen=True, slots=True)
class _Subscription:
    callback: Subscriber
    types: frozenset[type] | None


class EventStream:
    """Numbers and stamps what happens and hands it to every subscriber, in order, before `emit` returns.

    `emit` may be called from any thread; subscribers run in the thread that emits, so they copy the event and return
    (append to a queue, wake a loop). One that raises is logged and stays subscribed; the others still get the event.
    """

    def __init__(self, *, session_id: str, clock: Clock) -> None:
        self.session_id = session_id
        self._clock = clock
        self._epoch = clock.now()
        self._seq = 0
        self._lock = threading.RLock()
        self._subscriptions: tuple[_Subscription, ...] = ()
        self._by_type: dict[type, tuple[Subscriber, ...]] = {}
        """Who gets what, found out once for each type of data."""

    def now(self) -> float:
        """Seconds since the stream was made: the time that events carry."""
        return self._clock.now() - self._epoch

    def emit(
        self,
        data: EventData,
        *,
        turn_id: str | None = None,
        cause: str | None = None,
        time: float | None = None,
    ) -> AnyEvent:
        """Say that something happened, now unless `time` is given."""
        with self._lock:
            self._seq += 1
            event = Event(self._seq, self.now() if time is None else time, self.session_id, turn_id, cause, data)
            for callback in self._subscribers_of(type(data)):
                self._deliver(callback, event)
        return event

    def subscribe(self, callback: Subscriber, *, types: Iterable[type] | None = None) -> Unsubscribe:
        """Get every event from now on, or those of the given data types. Returns the function that ends it."""
        subscription = _Subscription(callback, None if types is None else frozenset(types))
        with self._lock:
            self._subscriptions, self._by_type = (*self._subscriptions, subscription), {}

        def unsubscribe() -> None:
            with self._lock:
                left = tuple(s for s in self._subscriptions if s is not subscription)
                self._subscriptions, self._by_type = left, {}

        return unsubscribe

    def wants(self, data_type: type) -> bool:
        """Whether anybody would get it; ask before making what is costly and frequent (`AudioMeter`)."""
        return bool(self._subscribers_of(data_type))

    def _subscribers_of(self, data_type: type) -> tuple[Subscriber, ...]:
        known = self._by_type  # a change of subscriptions puts another in its place
        found = known.get(data_type)
        if found is None:
            found = tuple(s.callback for s in self._subscriptions if s.types is None or data_type in s.types)
            known[data_type] = found
        return found

    @staticmethod
    def _deliver(callback: Subscriber, event: AnyEvent) -> None:
        try:
            callback(event)
        except Exception:
            logger.exception("a subscriber failed on %s", type(event.data).__name__)
