"""A sleep whose end can be moved."""

from __future__ import annotations

import asyncio
from collections.abc import Generator


class SleepFinished(Exception):
    """Raised when the end of a sleep is moved that is over."""


class Sleep:
    """`await Sleep(delay)` waits so many seconds; `reset` counts them anew meanwhile."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._done: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def reset(self, new_delay: float | None = None) -> None:
        """Count from now on, `new_delay` seconds if given.

        Raises:
            SleepFinished: it is over.
        """
        self._delay = self._delay if new_delay is None else new_delay
        if self._done is None:
            return
        if self._done.done():
            raise SleepFinished
        self._start_timer(self._done)

    def cancel(self) -> None:
        """Have who waits for it see it as cancelled; nothing if nobody does."""
        if self._done is not None:
            self._done.cancel()

    def __await__(self) -> Generator[None, None, None]:
        return self._sleep().__await__()

    async def _sleep(self) -> None:
        self._done = asyncio.get_running_loop().create_future()
        if self._delay <= 0:
            self._done.set_result(None)
            return
        self._start_timer(self._done)
        try:
            await self._done
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _start_timer(self, done: asyncio.Future[None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = done.get_loop().call_later(self._delay, _finish, done)


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def sleep(delay: float) -> Sleep:
    """A `Sleep` of so many seconds."""
    return Sleep(delay)
