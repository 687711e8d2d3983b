"""A conversation over a path that loses packets."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from agent_runtime import Agent, AgentSession
from agent_runtime.events import AnyEvent, TrackFigures
from agent_runtime.testing import Answer, ScriptedLLM
from tests.support.livekit_server import livekit_server, missing
from tests.support.lossy import RELAY, LossyPath
from tests.support.room import RATE, agents_room, caller, until
from tests.support.speech import QUESTION, likeness, recorded, transcribe

pytestmark = [
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
    pytest.mark.skipif(sys.platform != "linux", reason="loopback has one address"),
    pytest.mark.models,
]

ANSWER = "I am talking about the weather. It was raining all day yesterday."


def tracks(events: list[AnyEvent], direction: str) -> list[TrackFigures]:
    """What was told of the tracks that come in or go out."""
    told = [event.data for event in events if event.data.type == "room_figures"]
    return [track for figures in told for track in figures.tracks if track.direction == direction]


async def test_a_tenth_of_the_packets_is_lost_and_both_are_understood_and_the_loss_is_told() -> None:
    from agent_runtime.providers.embedded.stt import MoonshineSTT
    from agent_runtime.providers.embedded.tts import HibariTTS

    llm = ScriptedLLM([Answer(ANSWER)])
    session: AgentSession[Any] = AgentSession(stt=MoonshineSTT(), llm=llm, tts=HibariTTS())
    events: list[AnyEvent] = []
    session.events.subscribe(events.append)
    with livekit_server(relay=RELAY) as server:
        path = LossyPath(server.udp_port)
        await path.start()
        try:
            async with agents_room(server) as room, caller(server) as person:
                await session.start(Agent(instructions="Answer."), room=room)
                await session.room_io.wait_for_ready()
                path.share = 0.1
                await person.speak(recorded(QUESTION), then=2.0)
                await until(lambda: any(e.data.type == "playout_finished" for e in events), "the answer")
                await until(lambda: any(track.lost for track in tracks(events, "in")), "the loss")
                await until(lambda: person.words_of("agent"), "the agent's words as text")
                await session.aclose()
        finally:
            await path.aclose()
    assert 0.05 < path.lost / (path.lost + path.passed) < 0.15
    assert max(track.loss for track in tracks(events, "in")) < 0.5
    assert likeness(llm.requests[0].items[-1].text_content or "", QUESTION.text) > 0.6
    assert likeness(transcribe(person.sound, RATE), ANSWER) > 0.6
    assert person.words_of("agent") == [ANSWER]
