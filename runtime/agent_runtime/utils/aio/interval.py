"""Doing something again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator


class Interval:
    """Ticks every `interval` seconds: counts 0 at once, then 1, 2, … each that long after the tick before.

    A consumer that is late gets the next tick at once, and the ones after it an interval later each: ticks that were
    missed don't pile up.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._count = -1
        self._next = 0.0

    def reset(self) -> None:
        """Count the interval from now on. A tick that is being waited for still comes no earlier than it was due."""
        self._next = asyncio.get_running_loop().time() + self._interval

    async def tick(self) -> int:
        """Wait for the next tick and return its number."""
        loop = asyncio.get_running_loop()
        while self._count >= 0 and (delay := self._next - loop.time()) > 0:  # noqa: ASYNC110 - `reset` moves it meanwhile
            await asyncio.sleep(delay)
        self._count += 1
        self._next = loop.time() + self._interval
        return self._count

    def __aiter__(self) -> AsyncIterator[int]:
        return self

    async def __anext__(self) -> int:
        return await self.tick()


def interval(interval: float) -> Interval:
    """An `Interval` of so many seconds, for `async for`."""
    return Interval(interval)
