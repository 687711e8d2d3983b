"""Waiting until as many things have ended as have begun."""

from __future__ import annotations

import asyncio


class WaitGroup:
    """Counts what is under way; `wait` returns when nothing is."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    def add(self, delta: int = 1) -> None:
        """Count `delta` more.

        Raises:
            ValueError: more have ended than have begun.
        """
        if self._count + delta < 0:
            raise ValueError(f"{-delta} ended while {self._count} were under way")
        self._count += delta
        if self._count:
            self._none.clear()
        else:
            self._none.set()

    def done(self) -> None:
        """One has ended."""
        self.add(-1)

    async def wait(self) -> None:
        """Wait until nothing is under way; returns at once if nothing is."""
        await self._none.wait()
