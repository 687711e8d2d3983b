"""Starting tasks and ending them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def cancel_and_wait(*futures: asyncio.Future[Any]) -> None:
    """Cancel all of them and wait until each is done, whatever it ends with.

    What a future ends with isn't raised here and stays to be read from it.
    """
    for future in futures:
        future.cancel()
    pending = {future for future in futures if not future.done()}
    if pending:
        await asyncio.wait(pending)


gracefully_cancel = cancel_and_wait


class TaskSet:
    """Keeps a reference to tasks that nobody awaits, as the event loop itself doesn't."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    @property
    def tasks(self) -> set[asyncio.Task[Any]]:
        """A copy of the tasks that are running."""
        return self._tasks.copy()

    def create_task(self, coro: Coroutine[Any, Any, T], name: str | None = None) -> asyncio.Task[T]:
        """Start a task. Raises RuntimeError after `aclose`."""
        if self._closed:
            coro.close()
            raise RuntimeError("the task set is closed")
        task = (self._loop or asyncio.get_running_loop()).create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def aclose(self) -> None:
        """Cancel the tasks that are running and wait for them."""
        self._closed = True
        await cancel_and_wait(*self._tasks)
