"""What others see of a running worker: health, metrics, and its jobs for consoles that attach."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from agent_runtime.clock import Clock
from agent_runtime.utils.memory import resident_mb
from agent_runtime.worker.access import AttachOptions, Gate, TokenFile, is_loopback, tell_token
from agent_runtime.worker.connection import ConnectionState
from agent_runtime.worker.exported import ExportedMetrics
from agent_runtime.worker.feed import Feed
from agent_runtime.worker.health import HealthServer, health_pages
from agent_runtime.worker.pool import (
    JobEnded,
    JobEvent,
    JobMetrics,
    JobStarted,
    JobStatus,
    MemoryWarning,
    ProcessDied,
    ProcessReady,
)
from agent_runtime.worker.prometheus import WorkerMetrics
from agent_runtime.worker.report import JobReport, WorkerReport, WorkerState

if TYPE_CHECKING:
    from agent_runtime.worker.running import RunningWorker

_STATES: Final[dict[ConnectionState, WorkerState]] = {
    ConnectionState.IDLE: "starting",
    ConnectionState.CONNECTING: "connecting",
    ConnectionState.REGISTERING: "connecting",
    ConnectionState.WAITING: "connecting",
    ConnectionState.REGISTERED: "registered",
    ConnectionState.FAILED: "failed",
    ConnectionState.CLOSED: "closed",
}


class Outside:
    """Serves them while a worker runs: `start`, and in the end `aclose`.

    Args:
        worker: whose.
        host: the address to listen at; empty for this machine alone.
        port: 0 is any free one.
        metrics_port: one that has `/metrics` alone; None for none.
        clock: for times.

    Raises:
        WorkerError: the variables for attaching are wrong.
    """

    def __init__(self, worker: RunningWorker, *, host: str, port: int, metrics_port: int | None, clock: Clock) -> None:
        self._worker = worker
        self._started_at = clock.wall()
        options = AttachOptions.from_environment()
        self._gate = Gate(options, host)
        self._metrics = WorkerMetrics(self.report)
        self._exported = ExportedMetrics(self._metrics, clock)
        self._feed = Feed(self._gate, self.report, worker.pool)
        self._is_local = is_loopback(host)
        pages = health_pages(self._public_report) | {"/metrics": self._metrics.page}
        self._health = HealthServer(pages, host=host, port=port, sockets=self._feed, tls=options.tls())
        self._servers = [self._health]
        if metrics_port is not None:
            self._servers.append(HealthServer({"/metrics": self._metrics.page}, host=host, port=metrics_port))
        self._token_file: TokenFile | None = None

    @property
    def port(self) -> int:
        """Where health is told."""
        return self._health.port

    async def start(self) -> None:
        """Begin to listen. Raises WorkerError if an address can't be had."""
        for server in self._servers:
            await server.start()
        if self._gate.is_made_up and not self._gate.why_closed:
            self._token_file = TokenFile(self.port)
            self._token_file.write(self._gate.token)
        tell_token(self._gate, self._health.url)
        self._exported.start()

    async def aclose(self) -> None:
        """Hang up on everybody."""
        await self._exported.aclose()
        if self._token_file is not None:
            self._token_file.remove()
        for server in self._servers:
            await server.aclose()

    def job_event(self, event: JobEvent) -> None:
        """Something happened to a job or a process."""
        metrics = self._metrics
        match event:
            case JobStarted():
                metrics.job_started()
            case JobEnded(job_id, error):
                metrics.job_ended(job_id, failed=error is not None)
                self._feed.job_over(job_id, error)
            case JobMetrics(job_id, samples):
                metrics.job_counted(job_id, samples)
            case ProcessReady(_, seconds):
                metrics.process_ready(seconds)
            case ProcessDied():
                metrics.process_died()
            case MemoryWarning():
                metrics.memory_warning()

    def report(self) -> WorkerReport:
        """How the worker does now."""
        worker, terms = self._worker, self._worker.terms
        return WorkerReport(
            state=self._state(),
            worker_id=worker.id if worker.registrations else "",
            agent_name=terms.agent_name,
            worker_type=f"JT_{terms.worker_type.name}",
            worker_load=worker.load,
            load_threshold=None if math.isinf(terms.load_threshold) else terms.load_threshold,
            active_jobs=len(worker.active_jobs),
            jobs=tuple(map(_job_report, worker.pool.jobs)),
            ready_processes=worker.pool.ready,
            sdk_version=version("agent-console"),
            pid=os.getpid(),
            started_at=self._started_at,
            memory_mb=resident_mb(),
            problem=worker.problem,
            registrations=worker.registrations,
            attach="off" if self._gate.why_closed else "write" if self._gate.allows_requests else "read",
        )

    def _public_report(self) -> WorkerReport:
        """Without the jobs, where others than this machine may read it: rooms have telling names."""
        return self.report() if self._is_local else replace(self.report(), jobs=())

    def _state(self) -> WorkerState:
        worker = self._worker
        state = _STATES[worker.connection] if worker.connection is not None else "starting"
        if state in ("failed", "closed"):
            return state
        if worker.draining:
            return "draining"
        return "starting" if state == "registered" and not worker.is_ready else state


def _job_report(job: JobStatus) -> JobReport:
    return JobReport(job.id, job.room, job.agent_name, job.state.value, job.started_at, job.pid, job.memory_mb)
