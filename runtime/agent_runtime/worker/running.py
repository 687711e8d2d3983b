"""One run of a worker: its processes and its place on the server, from start to close."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Protocol

from livekit.protocol import agent, models

from agent_runtime.clock import Clock
from agent_runtime.errors import WorkerError
from agent_runtime.records import record
from agent_runtime.utils.aio import TaskSet
from agent_runtime.worker.assignment import RunningJobInfo
from agent_runtime.worker.channel import Connect
from agent_runtime.worker.connection import ConnectionState, WorkerConnection
from agent_runtime.worker.dispatch import Dispatcher
from agent_runtime.worker.load import CpuLoad
from agent_runtime.worker.options import LoadFunction, WorkerPermissions, WorkerType
from agent_runtime.worker.pool import JobEnded, JobEvent, JobStarted, JobStatus, PoolFailed

if TYPE_CHECKING:
    from agent_runtime.worker.assignment import JobRequest
    from agent_runtime.worker.server import AgentServer

logger = logging.getLogger(__name__)

UPDATE_LOAD_INTERVAL: Final = 0.5
"""Seconds between two readings of the load."""
UPDATE_STATUS_INTERVAL: Final = 2.5
"""Seconds between two reports to the server."""
LAST_WORDS_TIMEOUT: Final = 1.0
"""Seconds to tell the server what became of the last jobs."""


class Pool(Protocol):
    """What runs jobs; see `agent_runtime.worker.pool.JobPool`."""

    @property
    def jobs(self) -> tuple[JobStatus, ...]:
        """Those that run."""
        ...

    @property
    def ready(self) -> int:
        """How many processes wait for a job."""
        ...

    async def start(self) -> None:
        """Get the first processes ready."""

    async def launch(self, info: RunningJobInfo) -> None:
        """Run a job."""

    async def terminate(self, job_id: str, reason: str) -> None:
        """End one."""

    async def aclose(self, *, timeout: float) -> None:
        """End them all."""

    def watch(self, job_id: str, on_line: Callable[[bytes], None]) -> Callable[[], None]:
        """Have a job's events told."""
        ...

    def ask(self, job_id: str, line: bytes) -> None:
        """Pass a request on to a job."""


@record(frozen=True, slots=True)
class WorkerTerms:
    """On which terms a worker takes jobs.

    `load_threshold` is the load from which on none is taken, infinite for never; `expected_jobs` is how many are
    assumed to bring an idle worker there.
    """

    agent_name: str
    worker_type: WorkerType
    permissions: WorkerPermissions
    deployment: str
    load_threshold: float
    expected_jobs: int
    max_retry: int
    url: str


class RunningWorker:
    """See the module. `start`, `wait`, and in the end `aclose`, with or without `drain` before it.

    Args:
        server: whose run it is; the load function gets it.
        terms: on which jobs are taken.
        make_pool: makes what runs jobs, given whom to tell what happens to them.
        connect: opens a connection to the server; None doesn't register.
        request_fnc: decides about an offer.
        load_fnc: how busy the worker is, 0 to 1.
        on_registered: the server knows the worker by this id.
        clock: for everything that waits.
        cpu: the machine's load.
    """

    def __init__(
        self,
        server: AgentServer,
        terms: WorkerTerms,
        *,
        make_pool: Callable[[Callable[[JobEvent], None]], Pool],
        connect: Connect | None,
        request_fnc: Callable[[JobRequest], Awaitable[None]],
        load_fnc: LoadFunction | None,
        on_registered: Callable[[str, models.ServerInfo], None],
        clock: Clock,
        cpu: CpuLoad,
    ) -> None:
        self._server = server
        self.terms = terms
        self.pool = make_pool(self._job_event)
        self._load_fnc = load_fnc
        self._on_registered = on_registered
        self._clock = clock
        self._cpu = cpu
        self._dispatcher = Dispatcher(
            request_fnc,
            agent_name=terms.agent_name,
            available=self._is_available,
            launch=self.launch,
            send=self._send,
            worker_id=lambda: self.id,
            url=terms.url,
            clock=clock,
        )
        self._connection = None
        if connect is not None:
            self._connection = WorkerConnection(
                connect,
                _registration(terms),
                on_registered=self._registered,
                on_message=self._message,
                on_lost=self._dispatcher.connection_lost,
                max_retry=terms.max_retry,
                clock=clock,
            )
        self._jobs: dict[str, RunningJobInfo] = {}
        self._no_jobs = asyncio.Event()
        self._no_jobs.set()
        self._ready = asyncio.Event()
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: list[asyncio.Task[None]] = []
        self._ends = TaskSet()
        self._load = 0.0
        self._full = False
        self.id = "unregistered"
        self.registrations = 0
        """How often the server took it."""
        self.draining = False
        self._closing = False
        self.job_listeners: list[Callable[[JobEvent], None]] = []
        """Are told what happens to jobs, after the server."""

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self, on_ready: Callable[[], None]) -> None:
        """Begin; `on_ready` is called when the first processes are ready for a job."""
        work = [self._get_ready(on_ready), self._measure()]
        if self._connection is not None:
            # The processes get ready meanwhile. A job that comes sooner is taken and waits for them: the server asks
            # once, and for 3 s.
            work.append(self._connection.run())
        for coroutine in work:
            task = asyncio.get_running_loop().create_task(coroutine)
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    async def wait(self) -> None:
        """Wait until it is closed. Raises WorkerError when the server refuses it or is gone for good."""
        await asyncio.shield(self._over)

    async def drain(self, timeout: float | None) -> None:
        """Take no further job and wait for those that run. Raises TimeoutError after `timeout` seconds."""
        if not self.draining:
            self.draining = True
            logger.info("draining: no further job is taken, %d run", len(self._jobs))
            self._report_status()
        async with asyncio.timeout(timeout):
            await self._dispatcher.settled()
            await self._no_jobs.wait()

    async def aclose(self, *, timeout: float) -> None:
        """End every job and leave the server; `timeout` seconds is what a job gets to shut down."""
        self.draining = self._closing = True
        self._report_status()
        await self._dispatcher.aclose()
        await self._ends.aclose()
        await self.pool.aclose(timeout=timeout)
        if self._connection is not None:
            await self._connection.flush(LAST_WORDS_TIMEOUT)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not self._over.done():
            self._over.set_result(None)

    async def _get_ready(self, on_ready: Callable[[], None]) -> None:
        await self.pool.start()
        self._ready.set()
        on_ready()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (exc := task.exception()) is not None:
            self._fail(exc)

    def _fail(self, exc: BaseException) -> None:
        # What is broken off because the worker ends, such as a process that was getting ready, is no failure.
        if not (self._over.done() or self._closing):
            self._over.set_exception(exc)

    # --- jobs --------------------------------------------------------------------------------------------------------

    @property
    def active_jobs(self) -> list[RunningJobInfo]:
        """The jobs that run."""
        return list(self._jobs.values())

    async def launch(self, info: RunningJobInfo) -> None:
        """Run a job, however many there are."""
        self._jobs[info.job.id] = info
        self._no_jobs.clear()
        try:
            await self.pool.launch(info)
        except BaseException:
            self._forget(info.job.id)
            raise

    def _job_event(self, event: JobEvent) -> None:
        """Something happened to a job."""
        if isinstance(event, JobStarted):
            self._dispatcher.report(event.job_id, agent.JobStatus.JS_RUNNING)
        elif isinstance(event, JobEnded):
            status = agent.JobStatus.JS_SUCCESS if event.error is None else agent.JobStatus.JS_FAILED
            self._dispatcher.report(event.job_id, status, event.error or "")
            self._forget(event.job_id)
        elif isinstance(event, PoolFailed):
            self._fail(WorkerError(event.error))
        for listener in self.job_listeners:
            listener(event)

    def _forget(self, job_id: str) -> None:
        self._jobs.pop(job_id, None)
        if not self._jobs:
            self._no_jobs.set()

    async def _is_available(self) -> bool:
        """Whether another job can be taken now."""
        if self.draining:
            return False
        await self._read_load()
        return not self.draining and self.effective_load < self.terms.load_threshold

    # --- load --------------------------------------------------------------------------------------------------------

    @property
    def load(self) -> float:
        """As last read, 0 to 1."""
        return self._load

    @property
    def cpu_load(self) -> float:
        """Of the machine, over the last 2.5 s, 0 to 1."""
        return self._cpu.average

    @property
    def effective_load(self) -> float:
        """The load, with what the jobs that were accepted and don't run yet are going to add."""
        if self._jobs:
            each = self._load / len(self._jobs)
        elif math.isinf(self.terms.load_threshold):
            each = 0.0
        else:
            each = self.terms.load_threshold / max(self.terms.expected_jobs, 1)
        return self._load + self._dispatcher.reserved * each

    async def _measure(self) -> None:
        next_report = self._clock.now()
        while True:
            self._cpu.sample()
            await self._read_load()
            if self._clock.now() >= next_report:
                next_report += UPDATE_STATUS_INTERVAL
                self._report_status()
            await self._clock.sleep(UPDATE_LOAD_INTERVAL)

    async def _read_load(self) -> None:
        if self._load_fnc is None:
            self._load = self._cpu.average
            return
        read: Callable[..., float] = self._load_fnc
        arguments = (self._server,) if inspect.signature(read).parameters else ()
        try:
            self._load = float(await asyncio.to_thread(read, *arguments))
        except Exception:
            logger.exception("the load function failed; the load stays %.2f", self._load)

    def _report_status(self) -> None:
        full = self.draining or self.effective_load >= self.terms.load_threshold
        if full != self._full and not self.draining:
            logger.info("load %.2f: %s", self.effective_load, "no further job is taken" if full else "jobs are taken")
        self._full = full
        status = agent.WorkerStatus.WS_FULL if full else agent.WorkerStatus.WS_AVAILABLE
        update = agent.UpdateWorkerStatus(load=self._load, status=status, job_count=len(self._jobs))
        update.draining = self.draining
        self._send(agent.WorkerMessage(update_worker=update))

    # --- the server --------------------------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Whether its first processes are ready for a job."""
        return self._ready.is_set()

    @property
    def problem(self) -> str | None:
        """Why it isn't registered; None if it is, or isn't meant to be."""
        return None if self._connection is None else self._connection.problem

    @property
    def connection(self) -> ConnectionState | None:
        """Where the worker stands with its server; None if it isn't meant to."""
        return None if self._connection is None else self._connection.state

    def _send(self, message: agent.WorkerMessage) -> None:
        if self._connection is not None:
            self._connection.send(message)

    def _registered(self, welcome: agent.RegisterWorkerResponse) -> None:
        self.id = welcome.worker_id
        self.registrations += 1
        name = f" as {self.terms.agent_name!r}" if self.terms.agent_name else ""
        logger.info("registered%s with %s: worker %s", name, self.terms.url, self.id, extra={"worker_id": self.id})
        if self._jobs:
            self._send(agent.WorkerMessage(migrate_job=agent.MigrateJobRequest(job_ids=list(self._jobs))))
        self._report_status()
        self._on_registered(self.id, welcome.server_info)

    def _message(self, message: agent.ServerMessage) -> None:
        match message.WhichOneof("message"):
            case "availability":
                self._dispatcher.offered(message.availability)
            case "assignment":
                self._dispatcher.assigned(message.assignment)
            case "termination":
                job_id = message.termination.job_id
                self._ends.create_task(self.pool.terminate(job_id, "the server ended it"))


def _registration(terms: WorkerTerms) -> agent.RegisterWorkerRequest:
    from importlib.metadata import version

    permissions = terms.permissions
    return agent.RegisterWorkerRequest(
        type=agent.JobType.Name(terms.worker_type.value),
        agent_name=terms.agent_name,
        version=version("agent-console"),
        deployment=terms.deployment,
        allowed_permissions=models.ParticipantPermission(
            can_publish=permissions.can_publish,
            can_subscribe=permissions.can_subscribe,
            can_publish_data=permissions.can_publish_data,
            can_update_metadata=permissions.can_update_metadata,
            can_publish_sources=permissions.can_publish_sources,
            hidden=permissions.hidden,
            agent=True,
        ),
    )
