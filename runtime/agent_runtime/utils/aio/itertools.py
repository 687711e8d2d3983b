"""What `itertools` is for iterators, for async iterators."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class Tee(Generic[T]):
    """Several independent iterators over one source, each of which sees every item.

    There is no task behind it: whichever peer runs out first takes the next item from the source, for all of them.
    An exception of the source reaches every peer, each after the items that came before it. The source is closed with
    the last peer, so close each one that you don't run to its end (or use the tee as an async context manager).

    Cancelling a peer while it waits cancels what the source waits for; if the source is an async generator, that ends
    it for the other peers too.
    """

    def __init__(self, iterator: AsyncIterable[T], n: int = 2) -> None:
        self._source = aiter(iterator)
        self._lock = asyncio.Lock()
        self._error: Exception | None = None
        self._exhausted = False
        self._open: set[TeePeer[T]] = set()
        self._peers = tuple(TeePeer(self) for _ in range(n))
        self._open.update(self._peers)

    def __len__(self) -> int:
        return len(self._peers)

    @overload
    def __getitem__(self, item: int) -> AsyncIterator[T]: ...

    @overload
    def __getitem__(self, item: slice) -> tuple[AsyncIterator[T], ...]: ...

    def __getitem__(self, item: int | slice) -> AsyncIterator[T] | tuple[AsyncIterator[T], ...]:
        return self._peers[item]

    def __iter__(self) -> Iterator[AsyncIterator[T]]:
        yield from self._peers

    async def __aenter__(self) -> Tee[T]:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every peer, and with them the source."""
        for peer in self._peers:
            await peer.aclose()

    async def _pull(self, peer: TeePeer[T]) -> None:
        """Put the next item of the source in every open peer's buffer, unless `peer` got one meanwhile."""
        async with self._lock:
            if peer.buffer or peer not in self._open:
                return
            if self._error is not None:
                raise self._error
            if self._exhausted:
                raise StopAsyncIteration
            try:
                item = await anext(self._source)
            except StopAsyncIteration:
                self._exhausted = True
                raise
            except Exception as e:
                self._error = e
                raise
            for other in self._open:
                other.buffer.append(item)

    async def _release(self, peer: TeePeer[T]) -> None:
        if peer not in self._open:
            return
        self._open.remove(peer)
        if not self._open:
            close: Any = getattr(self._source, "aclose", None)
            if close is not None:
                await close()


class TeePeer(Generic[T]):
    """One of a `Tee`'s iterators."""

    def __init__(self, tee: Tee[T]) -> None:
        self._tee = tee
        self.buffer: deque[T] = deque()
        """Items that another peer took from the source and this one hasn't yielded yet."""

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while not self.buffer:
            if self not in self._tee._open:
                raise StopAsyncIteration
            try:
                await self._tee._pull(self)
            except Exception:
                await self.aclose()
                raise
        return self.buffer.popleft()

    async def aclose(self) -> None:
        """Stop here. The source is closed with the last peer."""
        self.buffer.clear()
        await self._tee._release(self)


tee = Tee
