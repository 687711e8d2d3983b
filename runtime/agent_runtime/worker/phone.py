"""Phone calls of a job's room: dial somebody in, and pass a caller on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livekit import api as livekit_api
    from livekit import rtc

    from agent_runtime.worker.job import JobContext

logger = logging.getLogger(__name__)


async def dial(
    job: JobContext, *, call_to: str, trunk_id: str, identity: str, name: str | None
) -> livekit_api.SIPParticipantInfo:
    """Call a number (`+15550100`) or SIP address; who answers comes into the room as `identity`."""
    from livekit import api

    if job.is_fake_job():
        logger.warning("a fake job has no room to call somebody into: %s isn't called", call_to)
        return api.SIPParticipantInfo()
    request = api.CreateSIPParticipantRequest(
        room_name=job.job.room.name,
        participant_identity=identity,
        sip_trunk_id=trunk_id,
        sip_call_to=call_to,
        participant_name=name,
    )
    return await job.api.sip.create_sip_participant(request)


async def transfer(job: JobContext, identity: str, transfer_to: str, *, play_dialtone: bool) -> None:
    """Pass a caller on to another number or SIP address; they leave the room."""
    from livekit import api

    if job.is_fake_job():
        logger.warning("a fake job has no callers: %s isn't passed on to %s", identity, transfer_to)
        return
    request = api.TransferSIPParticipantRequest(
        room_name=job.job.room.name,
        participant_identity=identity,
        transfer_to=transfer_to,
        play_dialtone=play_dialtone,
    )
    await job.api.sip.transfer_sip_participant(request)


def identity_of_caller(participant: rtc.RemoteParticipant | str) -> str:
    """Who is meant. Raises ValueError for somebody who isn't on the phone."""
    from livekit.rtc import ParticipantKind

    if isinstance(participant, str):
        return participant
    if participant.kind != ParticipantKind.PARTICIPANT_KIND_SIP:
        raise ValueError(f"{participant.identity} isn't on the phone: only a SIP participant can be passed on")
    return participant.identity
