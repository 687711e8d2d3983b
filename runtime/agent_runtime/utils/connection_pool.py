"""Connections that are kept and used again, for providers that speak over sockets."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from agent_runtime.utils.aio import cancel_and_wait

logger = logging.getLogger(__name__)

T = TypeVar("T")


class ConnectionPool(Generic[T]):
    """Gives out connections, one user each at a time; `connection` takes one and gives it back.

    Connections that are to be closed are closed by the next `get`, or by `aclose`. Times in seconds.

    Args:
        max_session_duration: a connection that is older isn't used again.
        mark_refreshed_on_get: count its age from its last use and not from when it was made.
        connect_cb: makes one, within so many seconds.
        close_cb: closes one.
        connect_timeout: given to `connect_cb` by `prewarm`.
    """

    def __init__(
        self,
        *,
        max_session_duration: float | None = None,
        mark_refreshed_on_get: bool = False,
        connect_cb: Callable[[float], Awaitable[T]] | None = None,
        close_cb: Callable[[T], Awaitable[None]] | None = None,
        connect_timeout: float = 10.0,
    ) -> None:
        self._max_session_duration = max_session_duration
        self._mark_refreshed_on_get = mark_refreshed_on_get
        self._connect_cb = connect_cb
        self._close_cb = close_cb
        self._connect_timeout = connect_timeout
        self._lock = asyncio.Lock()
        self._since: dict[T, float] = {}  # of all that may be used again
        self._idle: list[T] = []
        self._outdated: set[T] = set()  # in use, and not to be used again
        self._to_close: list[T] = []
        self._generation = 0
        self._prewarming: asyncio.Task[None] | None = None
        self.last_acquire_time = 0.0
        """How long the last `get` took to connect; 0 if it used a connection again."""
        self.last_connection_reused = False

    @asynccontextmanager
    async def connection(self, *, timeout: float) -> AsyncGenerator[T, None]:
        """A connection for the time of the block; one in whose block something is raised isn't used again."""
        conn = await self.get(timeout=timeout)
        try:
            yield conn
        except BaseException:
            self.remove(conn)
            raise
        self.put(conn)

    async def get(self, *, timeout: float) -> T:
        """The connection that was used last and is free, else a new one. Give it back with `put` or `remove`."""
        async with self._lock:
            await self._close_old()
            now = time.monotonic()
            while self._idle:
                conn = self._idle.pop()
                if self._max_session_duration is None or now - self._since[conn] <= self._max_session_duration:
                    if self._mark_refreshed_on_get:
                        self._since[conn] = now
                    self.last_acquire_time, self.last_connection_reused = 0.0, True
                    return conn
                self.remove(conn)
            conn = await self._connect(timeout)
            self.last_acquire_time, self.last_connection_reused = time.monotonic() - now, False
            return conn

    def put(self, conn: T) -> None:
        """Give it back, to be used again unless it was invalidated meanwhile."""
        if conn in self._outdated:
            self.remove(conn)
        elif conn in self._since and conn not in self._idle:
            self._idle.append(conn)

    def remove(self, conn: T) -> None:
        """Give it back, to be closed."""
        if conn in self._outdated or conn in self._since:
            self._outdated.discard(conn)
            self._since.pop(conn, None)
            self._to_close.append(conn)
        if conn in self._idle:
            self._idle.remove(conn)

    def invalidate(self) -> None:
        """Use none of the present connections again; those in use stay open until they are given back."""
        self._generation += 1
        for conn in self._since:
            if conn in self._idle:
                self._to_close.append(conn)
            else:
                self._outdated.add(conn)
        self._since.clear()
        self._idle.clear()

    def prewarm(self) -> None:
        """Begin to connect if there is no connection, without waiting for it."""
        if not self._since and (self._prewarming is None or self._prewarming.done()):
            self._prewarming = asyncio.create_task(self._prewarm(), name="connection pool prewarm")

    async def aclose(self) -> None:
        """Close all connections, also those in use."""
        if self._prewarming is not None:
            await cancel_and_wait(self._prewarming)
        self.invalidate()
        self._to_close += self._outdated
        self._outdated.clear()
        await self._close_old()

    async def _prewarm(self) -> None:
        try:
            async with self._lock:
                if not self._since:
                    self._idle.append(await self._connect(self._connect_timeout))
        except Exception as exc:
            # Only its kind: the message of a failed handshake may hold a key.
            logger.warning("couldn't connect ahead of time: %s", type(exc).__name__)

    async def _connect(self, timeout: float) -> T:
        if self._connect_cb is None:
            raise NotImplementedError("the pool can't connect: give it `connect_cb`")
        while True:
            generation = self._generation
            conn = await self._connect_cb(timeout)
            if generation == self._generation:
                self._since[conn] = time.monotonic()
                return conn
            # It was made with options that have changed since.
            self._to_close.append(conn)
            await self._close_old()

    async def _close_old(self) -> None:
        while self._to_close:
            conn = self._to_close[-1]
            try:
                if self._close_cb is not None:
                    await self._close_cb(conn)
            except Exception as exc:
                logger.warning("a connection failed while it was closed: %s", exc)
            # Only now: a close that is cancelled is tried again by the next one.
            if conn in self._to_close:
                self._to_close.remove(conn)
