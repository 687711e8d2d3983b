"""The server that the room and worker tests run against is a real one."""

from __future__ import annotations

import datetime

import pytest
from livekit import api, rtc

from tests.support.livekit_server import KEY, SECRET, LiveKitServer, livekit_server, missing

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def token(identity: str, room: str = "room") -> str:
    grants = api.VideoGrants(room_join=True, room=room)
    lasting = datetime.timedelta(minutes=5)
    return api.AccessToken(KEY, SECRET).with_identity(identity).with_grants(grants).with_ttl(lasting).to_jwt()


async def join(server: LiveKitServer, identity: str) -> rtc.Room:
    room = rtc.Room()
    await room.connect(server.url, token(identity))
    return room


async def test_two_participants_meet_and_again_after_it_was_killed() -> None:
    with livekit_server() as server:
        for _ in range(2):
            one, other = await join(server, "one"), await join(server, "other")
            assert set(other.remote_participants) == {"one"}
            await one.disconnect()
            await other.disconnect()
            server.kill()
            server.start()
