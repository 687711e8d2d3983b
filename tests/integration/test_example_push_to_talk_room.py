"""The push-to-talk example in a room of a real server: a participant presses its button."""

from __future__ import annotations

import pytest

from agent_runtime.testing import Answer, ScriptedLLM, ScriptedTTS
from tests.support.examples import load_example
from tests.support.livekit_server import livekit_server, missing
from tests.support.room import agents_room, caller

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


async def test_a_participant_takes_turns_by_calls() -> None:
    example = load_example("push_to_talk")
    session, agent = example.push_to_talk()
    session.update_options(llm=ScriptedLLM([Answer("Yes.")]), stt=None, vad=None, tts=ScriptedTTS((0.1,), ttfb=0.0))
    with livekit_server() as server:
        async with agents_room(server, room="home") as room, caller(server, room="home") as person:
            await example.join(room, session, agent)
            states = []
            for method in ("start_turn", "cancel_turn", "start_turn", "end_turn"):
                me = person.room.local_participant
                assert await me.perform_rpc(destination_identity="agent", method=method, payload="") == "ok"
                states.append(session.push_to_talk.pressed)
            assert states == [True, False, True, False]
            await session.aclose()
