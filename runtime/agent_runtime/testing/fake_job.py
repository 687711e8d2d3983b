"""A job for code that asks for one, without a worker and a server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livekit import rtc

    from agent_runtime.worker.job import JobContext


@contextlib.contextmanager
def fake_job_context(
    *,
    room: rtc.Room | None = None,
    job_id: str = "fake-job",
    job_metadata: str = "",
    agent_identity: str = "fake-agent",
    inference_executor: Any | None = None,
) -> Iterator[JobContext]:
    """Be in a job: `get_job_context` gives it, and sessions that are started meanwhile are its own.

    Nothing ends with it: close sessions, and disconnect the room, yourself.

    Args:
        room: the job's room, connected by you or not at all; one that is never connected if left out.
        job_id: its id.
        job_metadata: what a dispatch would have given it.
        agent_identity: the agent's identity in the room.
        inference_executor: what is asked for inference elsewhere.
    """
    from livekit import rtc
    from livekit.protocol import agent, models

    from agent_runtime.utils import shortuuid
    from agent_runtime.worker.assignment import JobAcceptArguments, RunningJobInfo
    from agent_runtime.worker.job import JobContext, JobProcess, current_job

    room = rtc.Room() if room is None else room
    where = models.Room(name=room.name or "fake-room", sid=shortuuid("RM_"))
    job = agent.Job(id=job_id, room=where, type=agent.JobType.JT_ROOM, metadata=job_metadata)
    context = JobContext(
        proc=JobProcess(),
        info=RunningJobInfo(JobAcceptArguments("", agent_identity, ""), job, "", "", "fake", fake_job=True),
        room=room,
        on_connect=lambda: None,
        on_shutdown=lambda reason: None,
        inference_executor=inference_executor,
    )
    token = current_job.set(context)
    try:
        yield context
    finally:
        current_job.reset(token)
