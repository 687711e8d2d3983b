"""One model, the thread that computes with it, and who is next."""

from __future__ import annotations

import asyncio
import itertools
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

R = TypeVar("R")


@dataclass(slots=True, eq=False)
class _Waiting:
    """Somebody who waits for the thread."""

    holder: object
    urgent: bool
    number: int
    begin: asyncio.Future[None]


class Lane:
    """Computes one thing at a time, for several who want more than that.

    What is urgent goes first. Of the others, and among those that are urgent, it is the turn of whoever was served the
    longest ago: one who asks for much doesn't keep the rest waiting.

    Args:
        name: of the thread.
        stuck: is called where one thing takes more than `patience` seconds: nothing else can end it.
    """

    def __init__(self, name: str, stuck: Callable[[str], None], patience: float = 60.0) -> None:
        self._name = name
        self._stuck = stuck
        self._patience = patience
        self._thread = ThreadPoolExecutor(1, name)
        self._numbers = itertools.count(1)
        self._waiting: list[_Waiting] = []
        self._served: weakref.WeakKeyDictionary[object, int] = weakref.WeakKeyDictionary()
        self.busy = False

    async def run(self, holder: object, compute: Callable[[], R], *, urgent: bool) -> R:
        """What a function gives, in the thread. Cancelling takes it out of the line; what has begun is finished."""
        mine = _Waiting(holder, urgent, next(self._numbers), asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        self._next()
        try:
            await mine.begin
        except asyncio.CancelledError:
            if mine in self._waiting:
                self._waiting.remove(mine)
            else:
                self._free()
            raise
        loop = asyncio.get_running_loop()
        alarm = loop.call_later(self._patience, self._stuck, self._name)
        computing = loop.run_in_executor(self._thread, compute)
        computing.add_done_callback(lambda _: alarm.cancel())
        computing.add_done_callback(self._over)
        return await asyncio.shield(computing)

    def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _over(self, computing: asyncio.Future[R]) -> None:
        if not computing.cancelled():
            computing.exception()  # where nobody waits any more, nobody is told
        self._free()

    def _free(self) -> None:
        self.busy = False
        self._next()

    def _next(self) -> None:
        if self.busy or not self._waiting:
            return
        first = min(self._waiting, key=lambda one: (not one.urgent, self._served.get(one.holder, 0), one.number))
        self._waiting.remove(first)
        self._served[first.holder] = first.number
        self.busy = True
        first.begin.set_result(None)
