"""A job before it runs: offered, accepted, assigned."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livekit.protocol import agent, models


@dataclass
class JobAcceptArguments:
    """As whom the agent joins the room."""

    name: str
    identity: str
    metadata: str
    attributes: dict[str, str] | None = None


@dataclass
class RunningJobInfo:
    """A job that was assigned: what it is, as whom the agent joins, where, and by which token."""

    accept_arguments: JobAcceptArguments
    job: agent.Job
    url: str
    token: str
    worker_id: str
    fake_job: bool

    def __repr__(self) -> str:
        """Without the token."""
        return f"RunningJobInfo(job={self.job.id!r}, room={self.job.room.name!r}, worker_id={self.worker_id!r})"


class JobRequest:
    """A job that is offered to a worker, which accepts or rejects it."""

    def __init__(
        self,
        *,
        job: agent.Job,
        on_reject: Callable[[bool], Awaitable[None]],
        on_accept: Callable[[JobAcceptArguments], Awaitable[None]],
    ) -> None:
        self._job = job
        self._on_reject = on_reject
        self._on_accept = on_accept

    @property
    def id(self) -> str:
        """The job's id."""
        return self._job.id

    @property
    def job(self) -> agent.Job:
        """The job, as the protocol describes it."""
        return self._job

    @property
    def room(self) -> models.Room:
        """The room that it is for, as the protocol describes it."""
        return self._job.room

    @property
    def publisher(self) -> models.ParticipantInfo | None:
        """The participant that it is for, if it is for one."""
        return self._job.participant

    @property
    def agent_name(self) -> str:
        """The name by which an agent was asked for."""
        return self._job.agent_name

    async def reject(self, *, terminate: bool = True) -> None:
        """Leave it. `terminate`: no other worker gets it either."""
        await self._on_reject(terminate)

    async def accept(
        self, *, name: str = "", identity: str = "", metadata: str = "", attributes: dict[str, str] | None = None
    ) -> None:
        """Take it, joining the room with this identity; unset, one made of the job's id."""
        await self._on_accept(JobAcceptArguments(name, identity or f"agent-{self.id}", metadata, attributes))
