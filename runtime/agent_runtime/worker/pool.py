"""The processes of a worker: some wait, each runs one job, and what becomes of them is told."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from agent_runtime.clock import Clock, LoopClock
from agent_runtime.errors import JobProcessError, TooManyRestartsError
from agent_runtime.records import record
from agent_runtime.supervision import RestartPolicy, Restarts
from agent_runtime.worker.assignment import RunningJobInfo
from agent_runtime.worker.executor import ExecutorState, JobExecutor
from agent_runtime.worker.job import JobExecutorType
from agent_runtime.worker.messages import Counted, FromJob, Running, Told
from agent_runtime.worker.models import ModelProcess, can_be_shared, start_model_process
from agent_runtime.worker.plan import JobPlan, PoolOptions
from agent_runtime.worker.spawning import warm_up

if TYPE_CHECKING:
    from agent_runtime.worker.metrics import Sample

__all__ = [
    "JobEnded",
    "JobEvent",
    "JobMetrics",
    "JobPlan",
    "JobPool",
    "JobStarted",
    "JobStatus",
    "MemoryWarning",
    "PoolFailed",
    "PoolOptions",
    "ProcessDied",
    "ProcessReady",
]

logger = logging.getLogger(__name__)

RESTARTS: Final = RestartPolicy(most=5, within=60.0, first_delay=0.5, factor=2.0, longest_delay=8.0)
"""For processes that die before they have a job."""
REFILL_DELAY: Final = 1.0
"""Seconds from a job's start until another process gets ready in its place; a job that waits for one has it at once."""


@record(frozen=True, slots=True)
class JobStarted:
    """A job's entrypoint has begun."""

    job_id: str
    pid: int | None = None


@record(frozen=True, slots=True)
class JobEnded:
    """A job is over; `error` says what went wrong."""

    job_id: str
    error: str | None


@record(frozen=True, slots=True)
class JobMetrics:
    """What a job's sessions add to the worker's metrics."""

    job_id: str
    samples: tuple[Sample, ...]


@record(frozen=True, slots=True)
class MemoryWarning:
    """A job has more in memory than is to be warned of."""

    job_id: str
    memory_mb: float


@record(frozen=True, slots=True)
class ProcessReady:
    """A process waits for a job; it took `seconds` to get there."""

    pid: int | None
    seconds: float


@record(frozen=True, slots=True)
class ProcessDied:
    """A process without a job is gone, or never got ready."""

    pid: int | None
    error: str


@record(frozen=True, slots=True)
class PoolFailed:
    """No process gets ready any more, and none is started again."""

    error: str


JobEvent: TypeAlias = JobStarted | JobEnded | JobMetrics | MemoryWarning | ProcessReady | ProcessDied | PoolFailed


@record(frozen=True, slots=True)
class JobStatus:
    """A job that runs. `started_at` is in seconds since the epoch; `pid` is None for a thread."""

    id: str
    room: str
    agent_name: str
    state: ExecutorState
    started_at: float
    pid: int | None
    memory_mb: float | None


class JobPool:
    """See the module. `start`, then `launch` as often as there are jobs, and in the end `aclose`.

    Args:
        plan: what jobs run.
        options: how.
        clock: for everything that waits.
        on_event: is told what happens, on the loop.
    """

    def __init__(
        self,
        plan: JobPlan,
        options: PoolOptions,
        *,
        clock: Clock | None = None,
        on_event: Callable[[JobEvent], None] = lambda _: None,
    ) -> None:
        self._plan = plan
        self._options = options
        self._models: ModelProcess | None = None
        self._clock = clock or LoopClock()
        self._on_event = on_event
        self._restarts = Restarts("a job's process", RESTARTS, self._clock)
        self._ready: deque[JobExecutor] = deque()
        self._waiting: deque[asyncio.Future[JobExecutor]] = deque()
        self._jobs: dict[str, JobExecutor] = {}
        self._tasks: dict[asyncio.Task[None], JobExecutor] = {}
        self._watchers: dict[int, Callable[[bytes], None]] = {}
        self._watcher_numbers = itertools.count()
        self._starting = 0
        self._closed = False
        self._failed: str | None = None
        self._was_ready = False

    @property
    def jobs(self) -> tuple[JobStatus, ...]:
        """Those that run."""
        return tuple(_status(executor, executor.info) for executor in self._jobs.values() if executor.info is not None)

    @property
    def ready(self) -> int:
        """How many processes wait for a job."""
        return len(self._ready)

    async def start(self) -> None:
        """Get the first processes ready. Raises JobProcessError if the first one doesn't get there."""
        warm_up(self._options)
        if self._options.executor_type is JobExecutorType.PROCESS and can_be_shared():
            start = start_model_process(self._options.context, self._options.log_style)
            self._models = ModelProcess(self._clock, lambda pid, why: self._on_event(ProcessDied(pid, why)), start)
            self._options = replace(self._options, models=self._models.open())
        if self._options.num_idle_processes > 0:
            self._refill()
            first: asyncio.Future[JobExecutor] = asyncio.get_running_loop().create_future()
            self._waiting.append(first)  # after the refill, which starts one for each who waits
            self._give(await first)

    async def launch(self, info: RunningJobInfo) -> None:
        """Run a job, in a process that waits or in one that is started for it.

        Raises:
            JobProcessError: no process gets ready.
            RuntimeError: the pool is closed.
        """
        executor = await self._take()
        self._jobs[info.job.id] = executor
        executor.run(info)
        # Another process's start would take the processor from the job while it joins its room.
        self._clock.call_at(self._clock.now() + REFILL_DELAY, self._refill)

    async def terminate(self, job_id: str, reason: str) -> None:
        """End a job, and wait for that. One that is over already isn't there any more."""
        executor = self._jobs.get(job_id)
        if executor is not None:
            executor.end(reason)
            await executor.wait()

    async def aclose(self, *, timeout: float) -> None:
        """End every job and process. What still runs after `timeout` seconds is killed."""
        self._closed = True
        self._refuse(RuntimeError("the worker ends"))
        for executor in self._tasks.values():
            if executor.state is ExecutorState.STARTING:
                executor.kill("the worker ends")
            else:
                executor.end("the worker ends")
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=timeout)
            for task in late:
                self._tasks[task].kill(f"it didn't end within {timeout:g} s and was killed")
            if late:
                await asyncio.wait(late)
        if self._models is not None:
            await self._models.aclose()

    def watch(self, job_id: str, on_line: Callable[[bytes], None]) -> Callable[[], None]:
        """Have a job's events told, as lines of JSON, until the function that this returns is called.

        What happened lately is told first. Raises KeyError if there is no such job.
        """
        executor, number = self._jobs[job_id], next(self._watcher_numbers)
        self._watchers[number] = on_line
        executor.watch(number, True)

        def stop() -> None:
            if self._watchers.pop(number, None) is not None:
                executor.watch(number, False)

        return stop

    def ask(self, job_id: str, line: bytes) -> None:
        """Pass a request on to a job. Raises KeyError if there is no such job."""
        self._jobs[job_id].ask(line)

    # --- processes ---------------------------------------------------------------------------------------------------

    async def _take(self) -> JobExecutor:
        """A process that is ready."""
        if self._closed:
            raise RuntimeError("the worker ends: it takes no job")
        if self._failed is not None:
            raise JobProcessError(self._failed)
        while self._ready:
            executor = self._ready.popleft()
            if executor.state is ExecutorState.READY:
                return executor
        waiter: asyncio.Future[JobExecutor] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._refill()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._give(waiter.result())
            raise

    def _give(self, executor: JobExecutor) -> None:
        """One is ready: for who waits first, or for the next job."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(executor)
                return
        self._ready.append(executor)

    def _refill(self) -> None:
        """Start as many as are missing."""
        if self._closed or self._failed is not None:
            return
        while self._starting + len(self._ready) < self._options.num_idle_processes + len(self._waiting):
            self._start_one(0.0)

    def _start_one(self, delay: float) -> None:
        executor = JobExecutor(
            self._plan, self._options, clock=self._clock, told=self._heard, memory=self._memory_warning
        )
        self._starting += 1
        task = asyncio.create_task(self._look_after(executor, delay), name="job process")
        self._tasks[task] = executor
        task.add_done_callback(self._gone)

    async def _look_after(self, executor: JobExecutor, delay: float) -> None:
        """A process from its start to its end."""
        if delay > 0:
            await self._clock.sleep(delay)
        if self._closed:
            self._starting -= 1
            return
        began = self._clock.now()
        try:
            await executor.start()
        except JobProcessError as exc:
            self._starting -= 1
            self._died(executor, str(exc), final=exc.final and not self._was_ready)
            return
        self._starting -= 1
        self._was_ready = True
        self._restarts.worked()
        self._on_event(ProcessReady(executor.pid, self._clock.now() - began))
        if self._closed:
            executor.end("the worker ends")
        else:
            self._give(executor)
        error = await executor.wait()
        if executor.info is None:
            if executor in self._ready:
                self._ready.remove(executor)
            if not self._closed:
                self._died(executor, error or "it ended by itself")
        else:
            self._over(executor.info.job.id, error)

    def _died(self, executor: JobExecutor, error: str, *, final: bool = False) -> None:
        """One without a job is gone. Another is started, but not for ever, and not where that is in vain."""
        self._on_event(ProcessDied(executor.pid, error))
        if self._closed or self._failed is not None:
            return
        if final:
            self._refuse(JobProcessError(error))
            self._fail(error)
            return
        logger.error("a process for jobs died: %s", error, extra={"pid": executor.pid})
        self._refuse(JobProcessError(error), but=self._starting)
        try:
            delay = self._restarts.failed(error)
        except TooManyRestartsError as exc:
            self._fail(str(exc))
            return
        if self._starting + len(self._ready) < self._options.num_idle_processes:
            self._start_one(delay)

    def _fail(self, error: str) -> None:
        self._failed = error
        self._on_event(PoolFailed(error))

    def _refuse(self, exc: Exception, *, but: int = 0) -> None:
        """Those who wait get no process, but for as many as some are coming for."""
        while len(self._waiting) > but:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(exc)

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            logger.error("looking after a process failed", exc_info=exc)

    # --- jobs --------------------------------------------------------------------------------------------------------

    def _over(self, job_id: str, error: str | None) -> None:
        del self._jobs[job_id]
        if error is not None:
            logger.error("job %s failed: %s", job_id, error, extra={"job_id": job_id})
        self._on_event(JobEnded(job_id, error))

    def _heard(self, executor: JobExecutor, message: FromJob) -> None:
        if executor.info is None:
            return
        job_id = executor.info.job.id
        match message:
            case Running():
                self._on_event(JobStarted(job_id, executor.pid))
            case Counted(samples):
                self._on_event(JobMetrics(job_id, samples))
            case Told(watcher, lines) if (tell := self._watchers.get(watcher)) is not None:
                tell(lines)

    def _memory_warning(self, executor: JobExecutor, memory_mb: float) -> None:
        if executor.info is not None:
            self._on_event(MemoryWarning(executor.info.job.id, memory_mb))


def _status(executor: JobExecutor, info: RunningJobInfo) -> JobStatus:
    job = info.job
    return JobStatus(
        job.id,
        job.room.name,
        job.agent_name,
        executor.state,
        executor.started_at,
        executor.pid,
        executor.memory_mb,
    )
