"""Loading weights: once, in a thread, with progress, while everything else goes on."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, runtime_checkable

from agent_runtime.errors import MissingDependencyError

if TYPE_CHECKING:
    from agent_runtime.llm import ChatContext

T = TypeVar("T")

Progress = Callable[[float], None]
"""Is told how much is loaded, 0 to 1."""

EMBEDDED_COMMAND = "pip install 'agent-console[embedded]'"


@runtime_checkable
class Loadable(Protocol):
    """A provider that has weights to load. It can be used at once: the first request waits for them."""

    async def load(self, on_progress: Progress | None = None) -> None:
        """Load, if that hasn't been done. Cancelling the last one who waits stops the loading between two steps."""


@runtime_checkable
class Primable(Protocol):
    """A model that can read a conversation ahead, so that what is asked of it next has only the end of it to read."""

    async def prime(self, chat_ctx: ChatContext) -> None:
        """Read it."""


class LoadCancelled(Exception):
    """Raised inside a loading thread when nobody waits for it any more."""


class Weights(Generic[T]):
    """Something that takes long to make and is then kept.

    Args:
        make: makes it, in a thread; calls what it is given with the fraction that is done, between steps.
    """

    def __init__(self, make: Callable[[Progress], T]) -> None:
        self._make = make
        self._value: T | None = None
        self._loading: _Loading[T] | None = None

    @property
    def value(self) -> T | None:
        """What was loaded; None until then."""
        return self._value

    async def get(self, on_progress: Progress | None = None) -> T:
        """What was loaded, waiting for it; all who wait share one loading.

        A failure is raised, and the next call tries again. `on_progress` is called on the event loop of the caller.
        """
        if self._value is not None:
            if on_progress is not None:
                on_progress(1.0)
            return self._value
        if self._loading is None or not self._loading.can_be_joined():
            self._loading = _Loading(self._make)
        self._value = await self._loading.wait(on_progress)
        self._loading = None
        return self._value


class _Loading(Generic[T]):
    """One attempt, as long as somebody waits for it."""

    def __init__(self, make: Callable[[Progress], T]) -> None:
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._listeners: list[Progress] = []
        self._waiting = 0
        self._abandoned = threading.Event()
        self._task = asyncio.create_task(asyncio.to_thread(make, self._report), name="load weights")

    def can_be_joined(self) -> bool:
        return not self._task.done() and not self._abandoned.is_set() and self._loop is asyncio.get_running_loop()

    async def wait(self, on_progress: Progress | None) -> T:
        if on_progress is not None:
            self._listeners.append(on_progress)
        self._waiting += 1
        try:
            value = await asyncio.shield(self._task)
        finally:
            self._waiting -= 1
            if not self._waiting and not self._task.done():
                self._abandoned.set()
                self._task.add_done_callback(_forget_outcome)
            if on_progress is not None:
                self._listeners.remove(on_progress)
        if on_progress is not None:
            on_progress(1.0)
        return value

    def _report(self, fraction: float) -> None:
        if self._abandoned.is_set():
            raise LoadCancelled
        self._loop.call_soon_threadsafe(self._tell, fraction)

    def _tell(self, fraction: float) -> None:
        for listener in tuple(self._listeners):
            listener(fraction)


def _forget_outcome(task: asyncio.Task[T]) -> None:
    if not task.cancelled():
        task.exception()


def require(module: str, what: str) -> ModuleType:
    """Import a module of the `embedded` extra.

    Raises:
        MissingDependencyError: it isn't installed; `what` says what it is for.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as e:
        raise MissingDependencyError(what, EMBEDDED_COMMAND) from e
