"""What a pool runs, and how."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from agent_runtime.worker.job import JobContext, JobExecutorType, JobProcess

if TYPE_CHECKING:
    from agent_runtime.worker.logs import LogStyle


@dataclass(frozen=True)
class JobPlan:
    """The functions of an agent's file. For processes they have to be picklable: found by module and name."""

    entrypoint: Callable[[JobContext], Awaitable[None]]
    setup: Callable[[JobProcess], Any] | None = None
    session_end: Callable[[JobContext], Any] | None = None


@dataclass(frozen=True)
class PoolOptions:
    """How jobs are run. Times are in seconds, memory in megabytes.

    Args:
        executor_type: a process for each job, or a thread.
        num_idle_processes: how many wait for a job.
        initialize_timeout: what the setup function gets.
        session_end_timeout: what a session's end and its function get.
        shutdown_timeout: what the shutdown callbacks get.
        memory_warn_mb: from when on a job's memory is warned of; 0 is never.
        memory_limit_mb: from when on a job is ended for it; 0 is never.
        ping_interval: between two questions whether a process is alive.
        ping_timeout: without an answer, after which it is killed.
        slow_ping: for an answer, from when on a blocked loop is warned of.
        context: how processes are made: all forked from one that has imported what they need, or each anew.
        preload_modules: what that one imports besides.
        user_arguments: for `JobProcess.user_arguments`.
        http_proxy: for `JobProcess.http_proxy`.
        log_style: how the processes log; None leaves it to them.
        models: where the process listens that has the embedded models for all jobs; None: each process loads its own.
    """

    executor_type: JobExecutorType = JobExecutorType.PROCESS
    num_idle_processes: int = 0
    initialize_timeout: float = 10.0
    session_end_timeout: float = 300.0
    shutdown_timeout: float = 10.0
    memory_warn_mb: float = 1000.0
    memory_limit_mb: float = 0.0
    ping_interval: float = 2.5
    ping_timeout: float = 60.0
    slow_ping: float = 0.5
    context: Literal["spawn", "forkserver"] = "forkserver"
    preload_modules: tuple[str, ...] = ()
    user_arguments: Any | None = None
    http_proxy: str | None = None
    log_style: LogStyle | None = None
    models: str | None = None
