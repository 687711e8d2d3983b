"""What an entrypoint and a request handler are given."""

from __future__ import annotations

import contextvars
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Literal, overload


class JobExecutorType(Enum):
    """Where a job runs."""

    PROCESS = "process"
    THREAD = "thread"


class AutoSubscribe(StrEnum):
    """Which tracks of a room are subscribed to without asking."""

    SUBSCRIBE_ALL = "subscribe_all"
    SUBSCRIBE_NONE = "subscribe_none"
    AUDIO_ONLY = "audio_only"
    VIDEO_ONLY = "video_only"


@dataclass
class JobAcceptArguments:
    """As whom the agent joins the room."""

    name: str
    identity: str
    metadata: str
    attributes: dict[str, str] | None = None


class JobProcess:
    """The process that jobs run in; `userdata` is for what they share, such as loaded models."""

    def __init__(
        self,
        *,
        executor_type: JobExecutorType = JobExecutorType.PROCESS,
        user_arguments: Any | None = None,
        http_proxy: str | None = None,
    ) -> None:
        self.executor_type = executor_type
        self.user_arguments = user_arguments
        self.http_proxy = http_proxy
        self.userdata: dict[Any, Any] = {}

    @property
    def pid(self) -> int | None:
        """The process's id."""
        return os.getpid()


class JobRequest:
    """A job that is offered to a worker, which accepts or rejects it."""

    def __init__(
        self,
        *,
        job: Any,
        on_reject: Callable[[bool], Awaitable[None]],
        on_accept: Callable[[JobAcceptArguments], Awaitable[None]],
    ) -> None:
        self.job = job
        self._on_reject = on_reject
        self._on_accept = on_accept

    @property
    def id(self) -> str:
        """The job's id."""
        return str(self.job.id)

    @property
    def room(self) -> Any:
        """The room that it is for, as the protocol describes it."""
        return self.job.room

    @property
    def publisher(self) -> Any:
        """The participant that it is for, if it is for one."""
        return self.job.participant

    @property
    def agent_name(self) -> str:
        """The name by which an agent was asked for."""
        return str(self.job.agent_name)

    async def reject(self, *, terminate: bool = True) -> None:
        """Leave it. `terminate`: no other worker gets it either."""
        await self._on_reject(terminate)

    async def accept(
        self, *, name: str = "", identity: str = "", metadata: str = "", attributes: dict[str, str] | None = None
    ) -> None:
        """Take it, joining the room with this identity; unset, one made of the job's id."""
        await self._on_accept(JobAcceptArguments(name, identity or f"agent-{self.id}", metadata, attributes))


class JobContext:
    """What an entrypoint is called with: the process, the job and the room."""

    def __init__(self, *, proc: JobProcess, job: Any, room: Any) -> None:
        self.proc = proc
        self.job = job
        self.room = room
        self.log_context_fields: dict[str, Any] = {}
        self.shutdown_callbacks: list[Callable[..., Awaitable[None]]] = []

    def add_shutdown_callback(self, callback: Callable[..., Awaitable[None]]) -> None:
        """Have `callback` called at the job's end, with the reason if it takes an argument."""
        self.shutdown_callbacks.append(callback)


current_job: contextvars.ContextVar[JobContext | None] = contextvars.ContextVar("current_job", default=None)


@overload
def get_job_context(*, required: Literal[True] = True) -> JobContext: ...


@overload
def get_job_context(*, required: bool) -> JobContext | None: ...


def get_job_context(*, required: bool = True) -> JobContext | None:
    """The job that the present code runs in.

    Raises:
        RuntimeError: there is none, and it is `required`.
    """
    context = current_job.get()
    if context is None and required:
        raise RuntimeError("this code doesn't run in a job: get_job_context(required=False) gives None then")
    return context
