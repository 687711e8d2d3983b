"""A pool of jobs without processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent_runtime.worker.assignment import RunningJobInfo
from agent_runtime.worker.pool import JobEnded, JobEvent, JobStarted, JobStatus


class FakePool:
    """Jobs run until `end`. `refusal` is raised at each launch, `problem` at the start."""

    def __init__(self, on_event: Callable[[JobEvent], None], ready_after: float = 0.0) -> None:
        self.on_event = on_event
        self.ready_after = ready_after
        self.problem: Exception | None = None
        self.refusal: Exception | None = None
        self.launched: list[RunningJobInfo] = []
        self.running: dict[str, RunningJobInfo] = {}
        self.terminated: list[tuple[str, str]] = []
        self.closed: float | None = None
        self._ready = asyncio.Event()

    @property
    def jobs(self) -> tuple[JobStatus, ...]:
        return ()

    @property
    def ready(self) -> int:
        return 1

    def watch(self, job_id: str, on_line: Callable[[bytes], None]) -> Callable[[], None]:
        raise KeyError(job_id)

    def ask(self, job_id: str, line: bytes) -> None:
        raise KeyError(job_id)

    async def start(self) -> None:
        await asyncio.sleep(self.ready_after)
        self._ready.set()
        if self.problem is not None:
            raise self.problem

    async def launch(self, info: RunningJobInfo) -> None:
        if self.refusal is not None:
            raise self.refusal
        await self._ready.wait()
        self.launched.append(info)
        self.running[info.job.id] = info
        self.on_event(JobStarted(info.job.id, 1))

    async def terminate(self, job_id: str, reason: str) -> None:
        self.terminated.append((job_id, reason))
        self.end(job_id)

    async def aclose(self, *, timeout: float) -> None:
        self.closed = timeout
        for job_id in tuple(self.running):
            self.end(job_id)

    def end(self, job_id: str, error: str | None = None) -> None:
        del self.running[job_id]
        self.on_event(JobEnded(job_id, error))
