"""How events get from the runtime's thread to the screen: into a queue, and out of it once per frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Final

from agent_console.state import ConsoleState, reduce
from agent_runtime.events import AnyEvent

BUDGET: Final = 0.010
"""Seconds of one frame that may go into events. What is left waits for the next frame; nothing is dropped."""
BACKLOG: Final = 2_000
"""Events from which catching up counts more than an even frame: three times the budget."""


class EventPump:
    """Takes events from any thread; `wake` is called, from that thread, when the first comes after a rest."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._events: deque[AnyEvent | ConsoleState] = deque()
        self._wake = wake
        self._awake = False
        self._closed = False

    def put(self, event: AnyEvent) -> None:
        """The sink that a backend gets: returns at once, whatever the thread."""
        self._put(event)

    def replace(self, state: ConsoleState) -> None:
        """Go on from another state, whatever the thread: a recording was wound. What is waiting is dropped."""
        self._events.clear()
        self._put(state)

    def _put(self, item: AnyEvent | ConsoleState) -> None:
        if self._closed:
            return
        self._events.append(item)
        if not self._awake:
            self._awake = True
            self._wake()

    def drain(self, state: ConsoleState) -> ConsoleState:
        """The state after what has come in, or after as much of it as a frame's budget allows."""
        deadline = perf_counter() + (BUDGET if len(self._events) < BACKLOG else 3 * BUDGET)
        while self._events:
            item = self._events.popleft()
            state = item if isinstance(item, ConsoleState) else reduce(state, item)
            if perf_counter() > deadline:
                break
        return state

    def rest(self) -> bool:
        """Go to sleep until `put` wakes us. False if something came in meanwhile."""
        self._awake = False
        if self._events:
            self._awake = True
            return False
        return True

    @property
    def waiting(self) -> int:
        """Events that no frame has taken yet."""
        return len(self._events)

    def close(self) -> None:
        """Take nothing more."""
        self._closed = True
        self._events.clear()
