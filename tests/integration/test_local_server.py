"""A server of one's own that doesn't start, or does, and is gone afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent_runtime.clock import LoopClock
from agent_runtime.errors import RoomError
from agent_runtime.room import local_server
from agent_runtime.room.joining import connect
from agent_runtime.room.local_server import LocalServer
from agent_runtime.settings import LiveKitSettings
from tests.integration.test_room_mode import Talk
from tests.support.livekit_server import binary, missing


async def test_a_program_that_ends_at_once_has_its_last_words_told(tmp_path: Path) -> None:
    program = tmp_path / "livekit-server"
    program.write_text("#!/bin/sh\necho starting\necho the port is taken >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(RoomError, match=r"livekit-server doesn't start: the port is taken"):
        await LocalServer(str(program), clock=LoopClock()).start()


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
async def test_it_lets_the_agent_in_and_ends() -> None:
    from livekit import rtc

    program = binary()
    assert program is not None
    own = LocalServer(str(program), clock=LoopClock())
    server = await own.start()
    room = rtc.Room()
    await connect(room, server, server.token("room", "agent", kind="agent"))
    await own.aclose()  # it doesn't wait for who is still there
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await room.disconnect()


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
async def test_it_is_offered_then_started_and_started_anew_when_it_died(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_server, "find_server", lambda: str(binary()))
    async with Talk(LiveKitSettings()) as talk:
        await talk.end.set_mode("room")
        (offer,) = talk.of("room_server_missing")
        assert offer.missing == "livekit.url, livekit.api_key, livekit.api_secret"
        assert talk.end.mode == "local"
        await talk.end.set_mode("room", start_server=True)
        assert talk.end.mode == "room"
        (invitation,) = talk.of("room_invitation")
        assert invitation.link
        assert not invitation.command  # it would need a secret that nobody has
        await talk.end.set_mode("local")
        assert talk.end._own_server is not None
        await talk.end._own_server.aclose()
        await talk.end.set_mode("room")
        assert talk.end.mode == "room"
        assert not talk.of("error_occurred")
        assert len({invitation.url for invitation in talk.of("room_invitation")}) == 2
