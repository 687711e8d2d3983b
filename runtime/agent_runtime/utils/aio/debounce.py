"""Something that is done once it hasn't been asked for again for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Debounced(Generic[T]):
    """Runs `func` `delay` seconds after it was asked for last."""

    def __init__(self, func: Callable[[], Coroutine[Any, Any, T]], delay: float) -> None:
        self._func = func
        self._delay = delay
        self._task: asyncio.Task[T] | None = None

    def schedule(self) -> asyncio.Task[T]:
        """Ask for it; what was asked for before is called off."""
        return self._start(self._later())

    def run(self) -> asyncio.Task[T]:
        """Do it now; what was asked for before is called off."""
        return self._start(self._func())

    def cancel(self) -> None:
        """Call it off."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def is_running(self) -> bool:
        """Whether it is asked for, or being done."""
        return self._task is not None and not self._task.done()

    def __call__(self) -> asyncio.Task[T]:
        """The same as `run`."""
        return self.run()

    async def _later(self) -> T:
        await asyncio.sleep(self._delay)
        return await self._func()

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        self.cancel()
        self._task = asyncio.get_running_loop().create_task(work)
        return self._task


def debounced(delay: float) -> Callable[[Callable[[], Coroutine[Any, Any, T]]], Debounced[T]]:
    """Make a function one; see `Debounced`."""
    return lambda func: Debounced(func, delay)
