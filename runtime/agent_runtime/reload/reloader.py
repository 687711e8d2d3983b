"""Brings new code into a running conversation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from agent_runtime.agent_loader import LoadedAgent, load_agent
from agent_runtime.errors import AgentLoadError
from agent_runtime.events import EventStream, ReloadFailed, ReloadFinished, ReloadStarted
from agent_runtime.project import short_path, without_place
from agent_runtime.reload.differences import agent_diff

if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent

ReloadCause: TypeAlias = Literal["save", "key"]

Swap: TypeAlias = Callable[["Agent"], Awaitable[None]]
"""Puts the new agent in the old one's place at a safe point, keeping the conversation; returns once it is done."""


class Reloader:
    """Loads the agent's code again and swaps it in, all but the swap off the event loop.

    What fails leaves the old code in use and is told as `ReloadFailed`; the next save tries again. A request that comes
    while an earlier one is under way takes its place.
    """

    def __init__(self, loaded: LoadedAgent, agent: Agent, *, events: EventStream, swap: Swap) -> None:
        self._loaded = loaded
        self._agent = agent
        self._events = events
        self._swap = swap
        self._task: asyncio.Task[None] | None = None

    @property
    def files(self) -> frozenset[Path]:
        """The files whose change means new code."""
        return frozenset({self._loaded.path})

    def request(self, cause: ReloadCause, files: frozenset[Path] = frozenset()) -> asyncio.Task[None]:
        """Reload soon, on the running loop. The task ends when the new code is in use, or has failed."""
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.get_running_loop().create_task(self._reload(cause, files or self.files))
        return self._task

    async def aclose(self) -> None:
        """Give up a reload that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _reload(self, cause: ReloadCause, files: frozenset[Path]) -> None:
        waited = _seconds_since_change(files) if cause == "save" else 0.0
        started = self._events.now()
        names = tuple(sorted(short_path(path) for path in files))
        self._events.emit(ReloadStarted(names), cause=cause)
        try:
            loaded = await asyncio.to_thread(load_agent, self._loaded.target)
            agent, _ = await loaded.build()
        except AgentLoadError as exc:
            file = exc.path or str(self._loaded.path)
            self._events.emit(ReloadFailed(without_place(exc), file, exc.line, exc.details), cause=cause)
            return
        diff = agent_diff(self._agent, agent)
        await self._swap(agent)
        self._loaded, self._agent = loaded, agent
        duration = waited + self._events.now() - started
        self._events.emit(ReloadFinished(type(agent).__name__, diff, duration), cause=cause)


def _seconds_since_change(files: frozenset[Path]) -> float:
    """How long ago the newest of the files was written; 0 where its time says nothing (a copy that keeps times)."""
    try:
        age = time.time() - max(path.stat().st_mtime for path in files)
    except OSError:
        return 0.0
    return age if 0.0 <= age < 10.0 else 0.0
