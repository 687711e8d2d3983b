"""A server of one's own that doesn't start, or does, and is gone afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent_runtime.clock import LoopClock
from agent_runtime.errors import RoomError
from agent_runtime.room.joining import connect
from agent_runtime.room.local_server import LocalServer
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
    await room.disconnect()
    await own.aclose()
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
