"""One process or thread for a job, as the worker sees it: made ready, given a job, looked after, over."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from enum import Enum
from typing import Final

from agent_runtime.clock import Clock
from agent_runtime.errors import JobProcessError
from agent_runtime.worker.assignment import RunningJobInfo
from agent_runtime.worker.job import JobExecutorType
from agent_runtime.worker.messages import (
    Ask,
    Counted,
    Ended,
    EndJob,
    FromJob,
    Line,
    Ping,
    Pong,
    Ready,
    RunJob,
    Running,
    ToJob,
    Told,
    Watch,
)
from agent_runtime.worker.plan import JobPlan, PoolOptions
from agent_runtime.worker.spawning import Spawned, spawn

logger = logging.getLogger(__name__)

LAST_CHANCE: Final = 5.0
"""Seconds that a process gets beyond its own time-outs before it is killed."""


class ExecutorState(Enum):
    """Where it stands. It goes down this list, and may leave states out."""

    STARTING = "starting"
    READY = "ready"
    """It waits for a job."""
    RUNNING = "running"
    ENDING = "ending"
    """It was told to end, or the job is over."""
    OVER = "over"


class JobExecutor:
    """See the module. `start`, perhaps `run` once, and in any case `wait`.

    Args:
        plan: what it runs.
        options: how.
        clock: for everything that waits.
        told: gets what the job says: that it runs, what is counted, lines for watchers.
        memory: is told of a job that has more in memory than is to be warned of, in megabytes.
    """

    def __init__(
        self,
        plan: JobPlan,
        options: PoolOptions,
        *,
        clock: Clock,
        told: Callable[[JobExecutor, FromJob], None],
        memory: Callable[[JobExecutor, float], None],
    ) -> None:
        self._plan = plan
        self._options = options
        self._clock = clock
        self._told = told
        self._memory = memory
        self._line: Line | None = None
        self._spawned: Spawned | None = None
        self._ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self._over: asyncio.Task[str | None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._verdict: str | None = None
        self._ended: Ended | None = None
        self._asked: dict[int, float] = {}
        self._warned = False
        self.state = ExecutorState.STARTING
        self.info: RunningJobInfo | None = None
        self.started_at = time.time()
        """Seconds since the epoch; of the job, once it has one."""
        self.memory_mb: float | None = None

    @property
    def pid(self) -> int | None:
        """Of its process; None for a thread."""
        return None if self._spawned is None else self._spawned.pid

    async def start(self) -> None:
        """Make it ready. Raises JobProcessError with the reason; it is over then."""
        ours, theirs = socket.socketpair()
        try:
            self._spawned = await asyncio.to_thread(spawn, self._plan, self._options, theirs)
        except BaseException:
            ours.close()
            theirs.close()
            self.state = ExecutorState.OVER
            raise
        self._line = await Line.over(ours)
        self._over = asyncio.create_task(self._listen(self._line), name="job process")
        timeout = self._options.initialize_timeout
        try:
            async with asyncio.timeout(timeout):
                ready = await self._ready
        except TimeoutError:
            ready = Ready(f"it wasn't ready after {timeout:g} s: what does the setup function wait for?")
        if ready.error is not None:
            self.kill(ready.error)
            await self._over
            raise JobProcessError(ready.error, final=ready.final)
        self.state = ExecutorState.READY
        self._tasks.append(asyncio.create_task(self._ping(), name="ping"))

    def run(self, info: RunningJobInfo) -> None:
        """Run a job. Its process ends with it."""
        assert self.state is ExecutorState.READY, self.state
        self.info, self.state, self.started_at = info, ExecutorState.RUNNING, time.time()
        self._send(RunJob.of(info))

    def end(self, reason: str) -> None:
        """Have the job end, or the process if there is none. One that doesn't is killed."""
        if self.state in (ExecutorState.ENDING, ExecutorState.OVER):
            return
        has_job = self.state is ExecutorState.RUNNING
        self.state = ExecutorState.ENDING
        self._send(EndJob(reason))
        options = self._options
        patience = options.session_end_timeout + 2 * options.shutdown_timeout if has_job else 0.0
        self._tasks.append(asyncio.create_task(self._kill_after(patience + LAST_CHANCE), name="end of a process"))

    def kill(self, why: str) -> None:
        """End it at once."""
        if self._spawned is None or self.state is ExecutorState.OVER:
            return
        self._verdict = self._verdict or why
        self._spawned.kill()
        if self._spawned.pid is None and self._line is not None:
            self._line.close()  # all that can be done to a thread

    def watch(self, watcher: int, on: bool) -> None:
        """Have the job's events told to this watcher, or not any more."""
        self._send(Watch(watcher, on))

    def ask(self, line: bytes) -> None:
        """Pass on what somebody who is attached asks."""
        self._send(Ask(line))

    async def wait(self) -> str | None:
        """Wait until it is over: how the job, or the process without one, went wrong; None if it didn't."""
        return None if self._over is None else await asyncio.shield(self._over)

    def _send(self, message: ToJob) -> None:
        if self._line is not None:
            self._line.send(message)

    async def _listen(self, line: Line) -> str | None:
        assert self._spawned is not None
        while (message := await line.receive()) is not None:
            self._take(message)  # type: ignore[arg-type]  # the other end sends no others
        how = await self._spawned.reap()
        line.close()
        self.state = ExecutorState.OVER
        for task in self._tasks:
            task.cancel()
        if not self._ready.done():
            self._ready.set_result(Ready(f"the process died before it was ready: {how}"))
        if self._verdict is not None:
            return self._verdict
        if self._ended is not None:
            return self._ended.error
        return None if self.info is None and how == "it ended with code 0" else f"the process died: {how}"

    def _take(self, message: FromJob) -> None:
        match message:
            case Ready():
                if not self._ready.done():
                    self._ready.set_result(message)
            case Pong():
                self._alive(message)
            case Ended():
                self._ended = message
                self.state = ExecutorState.ENDING
            case Running() | Counted() | Told():
                self._told(self, message)

    async def _ping(self) -> None:
        """Ask it whether it is alive. A process ends itself when its loop hangs; this is the second net."""
        options, number = self._options, 0
        while True:
            number += 1
            self._asked[number] = self._clock.now()
            self._send(Ping(number))
            await self._clock.sleep(options.ping_interval)
            oldest = min(self._asked.values(), default=self._clock.now())
            if self._clock.now() - oldest > options.ping_timeout + LAST_CHANCE:
                self.kill(f"its loop was blocked for {options.ping_timeout:g} s")
                return

    def _alive(self, pong: Pong) -> None:
        took = self._clock.now() - self._asked.pop(pong.number, self._clock.now())
        if took > self._options.slow_ping:
            logger.warning("the loop of %s was blocked for %.1f s", self._name, took, extra=self._where)
        if pong.memory_mb is None or self._options.executor_type is JobExecutorType.THREAD:
            return
        self.memory_mb = pong.memory_mb
        options = self._options
        if 0 < options.memory_limit_mb < pong.memory_mb and self._verdict is None:
            self._verdict = (
                f"it used {pong.memory_mb:.0f} MB of memory, and its limit is {options.memory_limit_mb:g} MB"
            )
            self.end(self._verdict)
        elif 0 < options.memory_warn_mb < pong.memory_mb and not self._warned:
            self._warned = True
            logger.warning("%s has %.0f MB in memory", self._name, pong.memory_mb, extra=self._where)
            self._memory(self, pong.memory_mb)

    async def _kill_after(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self.kill(f"it didn't end within {seconds:g} s and was killed")

    @property
    def _name(self) -> str:
        return f"process {self.pid}" if self.info is None else f"job {self.info.job.id}"

    @property
    def _where(self) -> dict[str, object]:
        return {"pid": self.pid} if self.info is None else {"pid": self.pid, "job_id": self.info.job.id}
