"""A job that no server gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.protocol import agent, models

from agent_runtime.access_token import participant_token
from agent_runtime.utils import shortuuid
from agent_runtime.worker.assignment import JobAcceptArguments, RunningJobInfo

if TYPE_CHECKING:
    from agent_runtime.worker.channel import ServerAddress


def simulated_job(
    address: ServerAddress,
    room: str,
    *,
    fake_job: bool,
    identity: str | None,
    room_info: models.Room | None,
    token: str | None,
    agent_name: str,
    worker_id: str,
) -> RunningJobInfo:
    """A job in a room of this name, for `AgentServer.simulate_job`, which describes the rest.

    Raises ValueError if something is missing.
    """
    if token is not None:
        from livekit import api

        identity = api.TokenVerifier("-", "-").verify(token, verify_signature=False).identity
    if not fake_job and (identity is None or room_info is None):
        raise ValueError("a job that isn't fake needs agent_identity and room_info")
    identity = identity or shortuuid("fake-agent-")
    job = agent.Job(
        id=shortuuid("mock-job-" if fake_job else "job-"),
        room=room_info or models.Room(sid=shortuuid("SRM_"), name=room),
        type=agent.JobType.JT_ROOM,
        agent_name=agent_name,
    )
    return RunningJobInfo(
        accept_arguments=JobAcceptArguments(name="", identity=identity, metadata=""),
        job=job,
        url=address.url,
        token=token if token is not None else _join_token(address, room, identity),
        worker_id=worker_id,
        fake_job=fake_job,
    )


def _join_token(address: ServerAddress, room: str, identity: str) -> str:
    """Lets the agent in; empty without a key to make it with."""
    if not (address.key and address.secret):
        return ""
    grants = {"roomJoin": True, "room": room, "agent": True, "canUpdateOwnMetadata": True}
    return participant_token(address.key, address.secret, identity, grants, kind="agent", name=identity)
