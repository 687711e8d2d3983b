"""A conversation over a path that loses packets."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from agent_console.drawing.room import room_lines
from agent_console.state import ConsoleState, reduce_all
from agent_runtime import Agent, AgentSession
from agent_runtime.events import AnyEvent, TrackFigures
from agent_runtime.testing import Answer, ScriptedLLM
from tests.support.livekit_server import livekit_server, missing
from tests.support.lossy import RELAY, LossyPath
from tests.support.room import RATE, Caller, agents_room, caller, until
from tests.support.speech import HEAR_ME, QUESTION, Clip, likeness, recorded, transcribe

pytestmark = [
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
    pytest.mark.skipif(sys.platform != "linux", reason="loopback has one address"),
    pytest.mark.models,
]

ANSWER = "I am talking about the weather. It was raining all day yesterday."
AND_THEN = "Yes. I can hear you very well."


@dataclass
class Conversation:
    """An agent that hears and speaks by models, and somebody who talks to it over a path that loses packets."""

    path: LossyPath
    person: Caller
    llm: ScriptedLLM
    events: list[AnyEvent] = field(default_factory=list)

    async def ask(self, clip: Clip) -> None:
        """Ask aloud, and hear the answer to its end."""
        before = self.told("playout_finished")
        await self.person.speak(recorded(clip), then=2.0)
        await until(lambda: self.told("playout_finished") > before, "the answer")

    def told(self, kind: str) -> int:
        return sum(event.data.type == kind for event in self.events)

    def tracks(self, direction: str) -> list[TrackFigures]:
        """What was told of the tracks that come in or go out."""
        told = [event.data for event in self.events if event.data.type == "room_figures"]
        return [track for figures in told for track in figures.tracks if track.direction == direction]

    def panel(self) -> list[list[tuple[str, str]]]:
        """What the console's room panel says of tracks' packets."""
        state = reduce_all(ConsoleState(), self.events)
        return [list(line) for line in room_lines(state, 80, {"room": "ctrl+o"}) if line and line[0][0] == "  lost "]


@contextlib.asynccontextmanager
async def conversation(*answers: str) -> AsyncIterator[Conversation]:
    from agent_runtime.providers.embedded.stt import MoonshineSTT
    from agent_runtime.providers.embedded.tts import HibariTTS

    llm = ScriptedLLM([Answer(answer) for answer in answers])
    session: AgentSession[Any] = AgentSession(stt=MoonshineSTT(), llm=llm, tts=HibariTTS())
    with livekit_server(relay=RELAY) as server:
        path = LossyPath(server.udp_port)
        await path.start()
        try:
            async with agents_room(server) as room, caller(server) as person:
                talk = Conversation(path, person, llm)
                session.events.subscribe(talk.events.append)
                await session.start(Agent(instructions="Answer."), room=room)
                await session.room_io.wait_for_ready()
                yield talk
                await session.aclose()
        finally:
            await path.aclose()


async def test_a_tenth_of_the_packets_is_lost_and_both_are_understood_and_the_console_shows_the_loss() -> None:
    async with conversation(ANSWER) as talk:
        talk.path.share = 0.1
        await talk.ask(QUESTION)
        await until(lambda: any(track.lost for track in talk.tracks("in")), "the loss")
        await until(lambda: talk.person.words_of("agent"), "the agent's words as text")
        shown = talk.panel()
    assert 0.05 < talk.path.lost / (talk.path.lost + talk.path.passed) < 0.15
    assert max(track.loss for track in talk.tracks("in")) < 0.5
    assert [len(line) > 1 for line in shown] == [True, True], "the agent's track and the caller's"
    of_the_caller = shown[1][1]
    assert of_the_caller[0].startswith("! ")
    assert of_the_caller[1] == "bad"
    assert 2.0 <= float(of_the_caller[0].strip("! %")) < 50.0
    assert likeness(talk.llm.requests[0].items[-1].text_content or "", QUESTION.text) > 0.6
    assert likeness(transcribe(talk.person.sound, RATE), ANSWER) > 0.6
    assert talk.person.words_of("agent") == [ANSWER]


async def test_a_conversation_goes_on_over_a_path_on_which_nothing_comes_through_for_moments() -> None:
    async with conversation(ANSWER, AND_THEN) as talk:
        for clip in (QUESTION, HEAR_ME):
            talk.path.fall_silent(0.2, after=0.5)  # in the middle of what is said, and in the answers
            await talk.ask(clip)
        await until(lambda: len(talk.person.words_of("agent")) == 2, "the agent's words as text")
        await until(lambda: any(track.lost for track in talk.tracks("in")), "the loss")
        shown = talk.panel()
        assert talk.told("room_reconnecting") + talk.told("room_disconnected") == 0
    assert talk.path.lost > 10
    assert shown[1][1][0].startswith("! ")
    heard = [request.items[-1].text_content or "" for request in talk.llm.requests]
    assert likeness(heard[0], QUESTION.text) > 0.5, heard
    assert likeness(heard[-1], HEAR_ME.text) > 0.5, heard
    assert likeness(transcribe(talk.person.sound, RATE), f"{ANSWER} {AND_THEN}") > 0.5
    assert talk.person.words_of("agent") == [ANSWER, AND_THEN]
