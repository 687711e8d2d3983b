"""Virtual time: an event loop whose clock jumps to the next timer as soon as nothing else can run.

A scenario of a minute takes milliseconds and an instant is exact. `asyncio.sleep`, `asyncio.timeout`, the engine's
timers and a scripted speaker all share the clock. Nothing real may be waited for: work in other threads is refused,
since the clock would run away from it.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import selectors
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, ParamSpec, TypeVar

from agent_runtime.clock import LoopClock

P = ParamSpec("P")
T = TypeVar("T")

EPOCH = 1_700_000_000.0
"""What the wall clock shows at virtual time 0."""


class VirtualTimeError(RuntimeError):
    """Raised when a test in virtual time waits for something that virtual time can't bring about."""


class _JumpingSelector(selectors.SelectSelector):
    """Never waits for files: it tells the loop how far the clock may jump."""

    def __init__(self) -> None:
        super().__init__()
        self.jump: Callable[[float | None], None] = lambda timeout: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout != 0:
            self.jump(timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """See the module. `time()` starts at 0.0."""

    def __init__(self) -> None:
        self._virtual_now = 0.0
        selector = _JumpingSelector()
        super().__init__(selector)
        selector.jump = self._jump
        # Two timers of the same instant, computed by different sums, must run in one round.
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Virtual seconds."""
        return self._virtual_now

    def _jump(self, timeout: float | None) -> None:
        if timeout is None:
            raise VirtualTimeError("everything waits and no timer is set: the test would hang for ever")
        scheduled = getattr(self, "_scheduled", None)
        # The next timer's own time, not now + timeout, and to the nanosecond: sums of intervals drift off the instant
        # that was meant.
        then = scheduled[0].when() if scheduled else self._virtual_now + timeout
        self._virtual_now = max(self._virtual_now, round(then, 9))

    def call_soon_threadsafe(  # type: ignore[override]  # typeshed's own signature uses a TypeVarTuple
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Only from the loop's own thread; from another one it is refused, in that thread."""
        if getattr(self, "_thread_id", None) not in (None, threading.get_ident()):
            raise VirtualTimeError("another thread spoke to a loop in virtual time; use scripted parts instead")
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]  # typeshed's own signature uses a TypeVarTuple
        """Refused: the clock would not wait for the thread."""
        raise VirtualTimeError(f"{func!r} would run in a thread, for which virtual time does not wait")


class VirtualClock(LoopClock):
    """The running virtual loop's clock, whose wall time is `EPOCH` plus virtual time."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__(loop, wall=lambda: EPOCH + self.now())


def run_virtual(coro: Coroutine[Any, Any, T], *, timeout: float = 3600.0, real_timeout: float = 60.0) -> T:
    """Run `coro` in virtual time to its end, and check that it left no task behind.

    Raises TimeoutError after `timeout` virtual seconds, and VirtualTimeError when everything waits for nothing, when
    `real_timeout` real seconds passed (something spins without waiting), or when a task is left over.
    """
    loop = VirtualTimeLoop()
    deadline = time.monotonic() + real_timeout

    async def main() -> T:
        def watch() -> None:
            if time.monotonic() > deadline:
                raise VirtualTimeError(f"{real_timeout} real seconds passed at virtual {loop.time():.3f}")
            loop.call_later(10.0, watch)

        handle = loop.call_later(10.0, watch)
        try:
            async with asyncio.timeout(timeout):
                result = await coro
        finally:
            handle.cancel()
        await asyncio.sleep(0)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if left:
            names = ", ".join(sorted(task.get_name() for task in left))
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            raise VirtualTimeError(f"tasks left running: {names}")
        return result

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main())


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Decorate an async test so that it runs in virtual time, by `run_virtual`. Its fixtures must not be async."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return run_virtual(test(*args, **kwargs))

    return run
