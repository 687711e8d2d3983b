"""Brings new code into a running conversation."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, cast

from agent_runtime.agent_loader import LoadedAgent, load_agent
from agent_runtime.errors import AgentLoadError
from agent_runtime.events import EventStream, ReloadFailed, ReloadFinished, ReloadPending, ReloadStarted
from agent_runtime.project import Superseded, WatchList, short_path, without_place
from agent_runtime.reload.kept import kept_values
from agent_runtime.reload.rebinding import rebind
from agent_runtime.reload.successor import Successor, make_successor

if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.swaps import WaitsFor
    from agent_runtime.voice.turn import CompleteTurnHandling, TurnHandlingOptions

ReloadCause: TypeAlias = Literal["save", "key"]
FREEING: Final = 0.01
"""Seconds that looking for garbage may take after a reload; where it took longer, Python does it when it likes."""


class Conversation(Protocol):
    """What a reload needs of a session; an `AgentSession` is one."""

    @property
    def events(self) -> EventStream:
        """Where it tells what happens."""
        ...

    @property
    def current_agent(self) -> Agent:
        """The agent that has the conversation."""
        ...

    @property
    def swap_waits_for(self) -> WaitsFor | None:
        """What has to end before a swap can be done."""
        ...

    def swap_agent(self, agent: Agent, *, cause: str, instead_of: Agent) -> asyncio.Future[bool]:
        """Have `agent` stand in for `instead_of` at the next safe point."""
        ...

    def update_options(self, *, turn_handling: TurnHandlingOptions) -> None:
        """Handle turns like this from now on."""
        ...


class Reloader:
    """Loads the agent's code again and swaps it in, all but the swap off the event loop.

    What fails leaves the old code in use and is told as `ReloadFailed`; the next save tries again. A request that comes
    while an earlier one is under way takes its place.

    Args:
        loaded: the code in use.
        agent: the agent that was made of it.
        conversation: where it runs.
        userdata: gives what else the conversation holds on to.
        on_files: is called when other files are to be watched.
        turn_handling: what the code in use gave its own session, if it makes one.
        is_rest_set_aside: tells whether the garbage collector looks at little else than what reloads leave.
    """

    def __init__(
        self,
        loaded: LoadedAgent,
        agent: Agent,
        conversation: Conversation,
        *,
        userdata: Callable[[], Any] = lambda: None,
        on_files: Callable[[WatchList], None] = lambda files: None,
        turn_handling: CompleteTurnHandling | None = None,
        is_rest_set_aside: Callable[[], bool] = lambda: False,
    ) -> None:
        self._loaded = loaded
        self._start_agent = agent
        self._conversation = conversation
        self._events = conversation.events
        self._userdata = userdata
        self._on_files = on_files
        self._turn_handling = turn_handling
        self._is_rest_set_aside = is_rest_set_aside
        self._task: asyncio.Task[None] | None = None
        self._freeing_took = 0.0

    @property
    def watch_list(self) -> WatchList:
        """The files whose change means new code."""
        return self._loaded.code.watch_list

    def request(self, cause: ReloadCause, files: frozenset[Path] = frozenset()) -> asyncio.Task[None]:
        """Reload soon, on the running loop. The task ends when the new code is in use, or has failed."""
        before = self._task
        if before is not None:
            before.cancel()
        self._task = asyncio.get_running_loop().create_task(self._reload(cause, files or {self._loaded.path}, before))
        return self._task

    async def aclose(self) -> None:
        """Give up a reload that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _reload(
        self, cause: ReloadCause, files: frozenset[Path] | set[Path], before: asyncio.Task[None] | None
    ) -> None:
        if before is not None:
            await asyncio.wait([before])  # it puts back what it has put in place
        saved_at = self._events.now() - (_seconds_since_change(files) if cause == "save" else 0.0)
        names = tuple(sorted(short_path(path) for path in files))
        self._events.emit(ReloadStarted(names), cause=cause)
        task = asyncio.current_task()
        try:
            loaded = await asyncio.to_thread(
                load_agent,
                self._loaded.target,
                self._loaded,
                everything=cause == "key",
                wanted=lambda: self._task is task,
            )
            await self._swap(loaded, saved_at, cause)
        except Superseded:
            return
        except AgentLoadError as exc:
            # The next try is at whatever is written next: what was imported in vain may be a new file.
            self._on_files(await asyncio.to_thread(self._loaded.code.watch_list_after_failure))
            file = exc.path or str(self._loaded.path)
            self._events.emit(ReloadFailed(without_place(exc), file, exc.line, exc.details), cause=cause)

    async def _swap(self, loaded: LoadedAgent, saved_at: float, cause: ReloadCause) -> None:
        conversation = self._conversation
        while True:
            old = conversation.current_agent
            successor = await self._make(loaded, old)
            loaded_at = self._events.now()
            waits_for = conversation.swap_waits_for
            if waits_for is not None:
                name = type(successor.agent).__name__
                self._events.emit(ReloadPending(name, waits_for, successor.changes.diff), cause=cause)
            if await _unless_done(conversation.swap_agent(successor.agent, cause="reload", instead_of=old)):
                break
        before, self._loaded = self._loaded, loaded
        loaded.code.exchange.settle()
        held = [self._userdata(), *vars(old).values(), *vars(successor.agent).values(), *kept_values()]
        rebind(held, before.code, loaded.code, keep=successor.agent)
        if successor.is_start:
            self._start_agent = successor.agent
        await self._take_options(successor)
        self._on_files(self.watch_list)
        self._tell(old, successor, self._events.now() - saved_at, self._events.now() - loaded_at, cause)
        self._free_old_code()

    def _free_old_code(self) -> None:
        """Free what earlier versions left in a circle: 2 ms each time, or 30 for twenty-five saves, heard as a gap.

        Only once the host has set aside what lives as long as the process; not where there is much else to look at.
        (`gc.get_freeze_count` would tell the former, by counting: 10 ms in which no other thread runs.)
        """
        if self._is_rest_set_aside() and self._freeing_took < FREEING:
            began = time.perf_counter()
            gc.collect()
            self._freeing_took = time.perf_counter() - began

    async def _make(self, loaded: LoadedAgent, old: Agent) -> Successor:
        """Make the agent that stands in for `old`, with the new code in place for as long as that takes."""
        exchange = loaded.code.exchange
        exchange.put_in_place()
        try:
            return await make_successor(loaded, old, in_use=self._loaded, is_start=old is self._start_agent)
        finally:
            exchange.put_back()

    async def _take_options(self, successor: Successor) -> None:
        """What the new code's own session would do about turns, the running one does from now on."""
        session = successor.session
        if session is None:
            return
        wanted = session.options.turn_handling
        if wanted != self._turn_handling:
            self._turn_handling = wanted
            self._conversation.update_options(turn_handling=cast("TurnHandlingOptions", wanted))
        await session.aclose()

    def _tell(self, old: Agent, successor: Successor, duration: float, waited: float, cause: ReloadCause) -> None:
        name, before = type(successor.agent).__name__, type(old).__name__
        changes = successor.changes
        finished = ReloadFinished(
            name,
            changes.diff,
            duration,
            instructions=changes.instructions,
            tools=changes.tools,
            options=changes.options,
            modules=successor.modules,
            instead_of=None if name == before else before,
            waited=waited,
        )
        self._events.emit(finished, cause=cause)


async def _unless_done(swap: asyncio.Future[bool]) -> bool:
    """Wait for the swap. A cancellation that comes once it is done comes too late."""
    try:
        return await swap
    except asyncio.CancelledError:
        if swap.cancelled() or not swap.done():
            raise
        return swap.result()


def _seconds_since_change(files: frozenset[Path] | set[Path]) -> float:
    """How long ago the newest of the files was written; 0 where its time says nothing (a copy that keeps times)."""
    try:
        age = time.time() - max(path.stat().st_mtime for path in files)
    except (OSError, ValueError):
        return 0.0
    return age if 0.0 <= age < 10.0 else 0.0
