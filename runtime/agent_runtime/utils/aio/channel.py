"""A queue that can be closed: how a producer hands values to a consumer of the same event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
T_contra = TypeVar("T_contra", contravariant=True)


class ChanClosed(Exception):
    """Raised when a value is sent to a closed channel, or received from one that is closed and empty."""


class ChanFull(Exception):
    """Raised when a value can't be sent at once because the channel is full."""


class ChanEmpty(Exception):
    """Raised when a value can't be received at once because the channel is empty."""


class ChanSender(Protocol[T_contra]):
    """The end of a channel that values go into."""

    async def send(self, value: T_contra) -> None:
        """See `Chan.send`."""

    def send_nowait(self, value: T_contra) -> None:
        """See `Chan.send_nowait`."""

    def close(self) -> None:
        """See `Chan.close`."""


class ChanReceiver(Protocol[T_co]):
    """The end of a channel that values come out of."""

    async def recv(self) -> T_co:
        """See `Chan.recv`."""
        ...

    def recv_nowait(self) -> T_co:
        """See `Chan.recv_nowait`."""
        ...

    def close(self) -> None:
        """See `Chan.close`."""

    def __aiter__(self) -> AsyncIterator[T_co]: ...

    async def __anext__(self) -> T_co: ...


class Chan(Generic[T]):
    """First in, first out, between tasks of one event loop; not for use across threads.

    Closing it ends the receivers' iteration once they have had every value that was sent before. `maxsize` 0 has no
    bound. It can be made outside of a running loop.
    """

    def __init__(self, maxsize: int = 0, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._maxsize = max(maxsize, 0)
        self._loop = loop
        self._queue: deque[T] = deque()
        self._receivers: deque[asyncio.Future[None]] = deque()
        self._senders: deque[asyncio.Future[None]] = deque()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether `close` was called; values may still be queued."""
        return self._closed

    def qsize(self) -> int:
        """How many values wait to be received."""
        return len(self._queue)

    def empty(self) -> bool:
        """Whether `recv` would wait."""
        return not self._queue

    def full(self) -> bool:
        """Whether `send` would wait."""
        return 0 < self._maxsize <= len(self._queue)

    async def send(self, value: T) -> None:
        """Queue a value, waiting for room. Raises `ChanClosed`, also when it is closed while this waits."""
        while self.full() and not self._closed:
            await self._wait_in(self._senders)
        self.send_nowait(value)

    def send_nowait(self, value: T) -> None:
        """Queue a value at once. Raises `ChanClosed` or `ChanFull`."""
        if self._closed:
            raise ChanClosed
        if self._maxsize and self.full():
            raise ChanFull
        self._queue.append(value)
        if self._receivers:
            _wake_one(self._receivers)

    async def recv(self) -> T:
        """The next value, waiting for it. Raises `ChanClosed` when there will be none."""
        while not self._queue and not self._closed:
            await self._wait_in(self._receivers)
        return self.recv_nowait()

    def recv_nowait(self) -> T:
        """The next value. Raises `ChanClosed` or `ChanEmpty`."""
        if not self._queue:
            raise ChanClosed if self._closed else ChanEmpty
        value = self._queue.popleft()
        if self._senders:
            _wake_one(self._senders)
        return value

    def close(self) -> None:
        """No value comes any more. Doing so twice does nothing."""
        self._closed = True
        for waiters in (self._receivers, self._senders):
            while waiters:
                _wake_one(waiters)

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        # Each frame of audio comes through here several times: not one coroutine inside of another.
        while not self._queue:
            if self._closed:
                raise StopAsyncIteration
            await self._wait_in(self._receivers)
        return self.recv_nowait()

    async def _wait_in(self, waiters: deque[asyncio.Future[None]]) -> None:
        loop = self._loop or asyncio.get_running_loop()
        waiter = loop.create_future()
        waiters.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter in waiters:
                waiters.remove(waiter)
            # Woken and cancelled at the same moment: what we were woken for goes to the next in line.
            elif self._queue if waiters is self._receivers else not self.full():
                _wake_one(waiters)
            raise


def _wake_one(waiters: deque[asyncio.Future[None]]) -> None:
    while waiters:
        waiter = waiters.popleft()
        if not waiter.done():
            waiter.set_result(None)
            return
