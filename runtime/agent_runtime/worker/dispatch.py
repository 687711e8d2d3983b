"""From a job that the server offers to a job that runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from livekit.protocol import agent

from agent_runtime.clock import Clock
from agent_runtime.errors import AssignmentTimeoutError, WorkerError
from agent_runtime.worker.assignment import JobAcceptArguments, JobRequest, RunningJobInfo

logger = logging.getLogger(__name__)

ASSIGNMENT_TIMEOUT: Final = 7.5
"""Seconds from the acceptance of a job to its assignment."""
ATTRIBUTE_AGENT_NAME: Final = "lk.agent.name"


class Dispatcher:
    """Answers offers and launches what is assigned.

    Args:
        request_fnc: decides about an offer.
        agent_name: is told to the room's participants.
        available: whether another job can be taken now.
        launch: runs a job; returns once it has a process.
        send: gives a message to the server.
        worker_id: the worker's id as the server knows it.
        url: of the server, where an assignment names no other.
        clock: stamps.
    """

    def __init__(
        self,
        request_fnc: Callable[[JobRequest], Awaitable[None]],
        *,
        agent_name: str,
        available: Callable[[], Awaitable[bool]],
        launch: Callable[[RunningJobInfo], Awaitable[None]],
        send: Callable[[agent.WorkerMessage], None],
        worker_id: Callable[[], str],
        url: str,
        clock: Clock,
    ) -> None:
        self._request_fnc = request_fnc
        self._agent_name = agent_name
        self._available = available
        self._launch = launch
        self._send = send
        self._worker_id = worker_id
        self._url = url
        self._clock = clock
        self._assignments: dict[str, asyncio.Future[agent.JobAssignment]] = {}
        self._reserved: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def reserved(self) -> int:
        """How many jobs were accepted, or are being thought about, and don't run yet."""
        return len(self._reserved)

    def offered(self, offer: agent.AvailabilityRequest) -> None:
        """Take it or leave it, in a task of its own."""
        self._in_background(self._answer(offer))

    def assigned(self, assignment: agent.JobAssignment) -> None:
        """The server gives a job that was accepted. One that isn't waited for any more is given back as failed."""
        waiting = self._assignments.get(assignment.job.id)
        if waiting is not None and not waiting.done():
            waiting.set_result(assignment)
            return
        job_id = assignment.job.id
        logger.warning("the assignment of job %s isn't waited for (any more); it is given back", job_id)
        self.report(job_id, agent.JobStatus.JS_FAILED, "the assignment came too late")

    def connection_lost(self) -> None:
        """What was accepted and not assigned goes to another worker."""
        for waiting in self._assignments.values():
            if not waiting.done():
                waiting.set_exception(WorkerError("the connection was lost before the job was assigned", retry=True))

    def report(self, job_id: str, status: agent.JobStatus, error: str = "") -> None:
        """Tell the server what became of a job."""
        update = agent.UpdateJobStatus(job_id=job_id, status=status, error=error)
        self._send(agent.WorkerMessage(update_job=update))

    async def settled(self) -> None:
        """Wait until every job that was accepted runs, or won't."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """Give up what isn't running yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- one offer ---------------------------------------------------------------------------------------------------

    async def _answer(self, offer: agent.AvailabilityRequest) -> None:
        job = offer.job
        if not await self._available():
            self._decline(job.id)
            return
        self._reserved.add(job.id)  # the next offer has to know, whatever the request function still thinks about
        try:
            await self._ask(job)
        finally:
            self._reserved.discard(job.id)

    async def _ask(self, job: agent.Job) -> None:
        answered = False

        async def reject(terminate: bool) -> None:
            nonlocal answered
            answered = True
            self._decline(job.id, terminate=terminate)

        async def accept(arguments: JobAcceptArguments) -> None:
            nonlocal answered
            answered = True
            await self._take(job, arguments)

        where = {"job_id": job.id, "room": job.room.name, "agent_name": job.agent_name}
        logger.info("job %s for the room %s is offered", job.id, job.room.name, extra=where)
        try:
            await self._request_fnc(JobRequest(job=job, on_reject=reject, on_accept=accept))
        except (AssignmentTimeoutError, WorkerError) as exc:
            logger.warning("job %s: %s", job.id, exc, extra=where)
        except Exception:
            logger.exception("the request function failed at job %s", job.id, extra=where)
        if not answered:
            logger.warning("the request function didn't answer about job %s: it is declined", job.id, extra=where)
            self._decline(job.id)

    async def _take(self, job: agent.Job, arguments: JobAcceptArguments) -> None:
        """Accept, wait for the assignment, launch. Raises AssignmentTimeoutError, or WorkerError if the line is cut."""
        answer = agent.AvailabilityResponse(
            job_id=job.id,
            available=True,
            participant_identity=arguments.identity,
            participant_name=arguments.name,
            participant_metadata=arguments.metadata,
            participant_attributes={ATTRIBUTE_AGENT_NAME: self._agent_name, **(arguments.attributes or {})},
        )
        waiting: asyncio.Future[agent.JobAssignment] = asyncio.get_running_loop().create_future()
        self._assignments[job.id] = waiting
        self._send(agent.WorkerMessage(availability=answer))
        try:
            async with asyncio.timeout(ASSIGNMENT_TIMEOUT):
                assignment = await waiting
        except TimeoutError:
            raise AssignmentTimeoutError(job.id, ASSIGNMENT_TIMEOUT) from None
        finally:
            del self._assignments[job.id]
        info = RunningJobInfo(
            accept_arguments=arguments,
            job=job,
            url=assignment.url or self._url,
            token=assignment.token,
            worker_id=self._worker_id(),
            fake_job=False,
        )
        try:
            await self._launch(info)
        except Exception as exc:
            logger.exception("job %s can't be launched", job.id)
            self.report(job.id, agent.JobStatus.JS_FAILED, f"{type(exc).__name__}: {exc}")

    def _decline(self, job_id: str, *, terminate: bool = False) -> None:
        answer = agent.AvailabilityResponse(job_id=job_id, available=False, terminate=terminate)
        self._send(agent.WorkerMessage(availability=answer))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="job offer")
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            logger.error("an offer couldn't be answered", exc_info=exc)
