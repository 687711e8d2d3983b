"""A room whose sound is encrypted from end to end, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from livekit import rtc
from pydantic import SecretStr

from agent_runtime import Agent, AgentSession
from agent_runtime.events import AnyEvent
from agent_runtime.room.joining import encrypted
from agent_runtime.settings import LiveKitSettings
from agent_runtime.testing import ScriptedLLM, ScriptedTTS
from tests.support.livekit_server import LiveKitServer, livekit_server, missing
from tests.support.room import RATE, Caller, token, until

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

TONE = (8000 * np.sin(2 * np.pi * 440 * np.arange(4 * RATE) / RATE)).astype(np.int16)


@pytest.fixture(scope="module")
def server() -> Iterator[LiveKitServer]:
    with livekit_server() as running:
        yield running


def options(key: str | None) -> rtc.RoomOptions:
    return encrypted(LiveKitSettings(encryption_key=None if key is None else SecretStr(key)))


def told(events: list[AnyEvent]) -> list[tuple[str, str]]:
    return [(e.data.identity, e.data.state) for e in events if e.data.type == "encryption_changed"]


@pytest.mark.parametrize(
    ("agents_key", "callers_key", "state"),
    [
        ("one key", "one key", "ok"),
        ("one key", "another key", "wrong_key"),
        ("one key", None, "unencrypted"),
        (None, "one key", "no_key"),
    ],
)
async def test_who_can_be_understood_is_told(
    server: LiveKitServer, agents_key: str | None, callers_key: str | None, state: str
) -> None:
    room, person, name = rtc.Room(), Caller(), f"sealed-{state}"
    session: AgentSession[Any] = AgentSession(stt=None, vad=None, llm=ScriptedLLM([]), tts=ScriptedTTS([0.5]))
    events: list[AnyEvent] = []
    session.events.subscribe(events.append)
    person.listen()
    understood: list[str] = []
    person.room.on(
        "e2ee_state_changed",
        lambda who, now: understood.append(who.identity) if now == rtc.EncryptionState.OK else None,
    )
    try:
        await room.connect(server.url, token("agent", name, kind="agent"), options(agents_key))
        await session.start(Agent(instructions=""), room=room)
        await person.room.connect(server.url, token("caller", name), options(callers_key))
        await person.publish()
        await session.room_io.wait_for_ready()
        await person.speak(TONE)
        await until(lambda: told(events), "what is told of the caller")
        assert told(events) == [("caller", state)]
        if state == "ok":
            await session.say("Hello.")
            await until(lambda: "agent" in understood, "the agent's voice")
    finally:
        await session.aclose()
        await person.aclose()
        await room.disconnect()
