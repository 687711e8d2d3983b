"""Time, injected: everything that waits or stamps asks a clock, so tests can drive it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class TimerHandle(Protocol):
    """A callback that was scheduled and can still be called off."""

    def cancel(self) -> None:
        """Call it off. Doing so twice, or after it ran, does nothing."""


class Clock(Protocol):
    """Where an object takes the time from. All times are in seconds."""

    def now(self) -> float:
        """Monotonic time. Only differences mean anything."""
        ...

    def wall(self) -> float:
        """Time since the epoch, for what people and other systems read."""
        ...

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Run `callback` on the event loop once `now()` has reached `when`."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the event loop."""


class LoopClock:
    """The clock of the running event loop.

    Under a loop with virtual time (`agent_runtime.testing`) it is virtual too, and so is every
    `asyncio.sleep`, `asyncio.timeout` and `wait_for` of user code: one clock, not two.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop | None = None, *, wall: Callable[[], float] | None = None
    ) -> None:
        self._loop = loop
        self._wall = wall

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that was given, else the running one."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def now(self) -> float:
        """See `Clock.now`."""
        return self.loop.time()

    def wall(self) -> float:
        """See `Clock.wall`."""
        # Looked up each time: tests put another clock in its place.
        return time.time() if self._wall is None else self._wall()

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """See `Clock.call_at`."""
        return self.loop.call_at(when, callback)

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        await asyncio.sleep(seconds)
