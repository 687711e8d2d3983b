"""A person and an agent talk in a room of a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from livekit import rtc

from agent_runtime import Agent, AgentSession, RoomOptions
from agent_runtime.events import AnyEvent
from agent_runtime.room import AudioInputOptions
from agent_runtime.testing import Answer, ScriptedLLM, ScriptedTTS
from tests.support.encoding import encoded
from tests.support.livekit_server import LiveKitServer, livekit_server, missing
from tests.support.room import RATE, Caller, agents_room, caller, kinds, token, until
from tests.support.speech import HEAR_ME, QUESTION, likeness, recorded, transcribe

pytestmark = [pytest.mark.skipif(missing() is not None, reason=str(missing())), pytest.mark.models]

ANSWER = "I am talking about the weather. It was raining all day yesterday."


@pytest.fixture(scope="module")
def server() -> Iterator[LiveKitServer]:
    with livekit_server() as running:
        yield running


def session_that_hears() -> tuple[AgentSession[Any], ScriptedLLM, list[AnyEvent]]:
    from agent_runtime.providers.embedded.stt import MoonshineSTT
    from agent_runtime.providers.embedded.tts import HibariTTS

    llm = ScriptedLLM([Answer(ANSWER), Answer("Yes, I do.")])
    session: AgentSession[Any] = AgentSession(stt=MoonshineSTT(), llm=llm, tts=HibariTTS())
    events: list[AnyEvent] = []
    session.events.subscribe(events.append)
    return session, llm, events


def session_that_speaks(*durations: float) -> tuple[AgentSession[Any], ScriptedLLM, list[AnyEvent]]:
    llm = ScriptedLLM([Answer(f"Answer number {number}.") for number in range(5)])
    session: AgentSession[Any] = AgentSession(stt=None, vad=None, llm=llm, tts=ScriptedTTS(durations, ttfb=0.0))
    events: list[AnyEvent] = []
    session.events.subscribe(events.append)
    return session, llm, events


async def test_a_person_asks_and_hears_the_answer(server: LiveKitServer) -> None:
    session, llm, events = session_that_hears()
    async with agents_room(server, room="ask") as room, caller(server, room="ask") as person:
        await session.start(Agent(instructions="Answer."), room=room)
        await session.room_io.wait_for_ready()
        await person.speak(recorded(QUESTION), then=2.0)
        await until(lambda: "playout_finished" in kinds(events), "the answer")
        await until(lambda: person.words_of("agent"), "the agent's words as text")
        await session.aclose()
    asked = llm.requests[0].items[-1].text_content or ""
    assert likeness(asked, QUESTION.text) > 0.7
    assert likeness(transcribe(person.sound, RATE), ANSWER) > 0.7
    assert person.words_of("agent") == [ANSWER]
    assert person.words_of("caller") == [asked]
    assert {"thinking", "speaking", "listening"} <= set(person.states)
    assert kinds(events)[-1] == "session_closed"


async def test_text_stops_the_agent_and_is_answered_and_the_cut_is_where_the_person_heard_it(
    server: LiveKitServer,
) -> None:
    from agent_runtime.providers.embedded.tts import HibariTTS

    llm = ScriptedLLM([Answer("Text.")])
    session: AgentSession[Any] = AgentSession(stt=None, vad=None, llm=llm, tts=HibariTTS())
    events: list[AnyEvent] = []
    session.events.subscribe(events.append)
    async with agents_room(server, room="cut") as room, caller(server, room="cut") as person:
        await session.start(Agent(instructions="Answer."), room=room)
        await session.room_io.wait_for_ready()
        session.say("One, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen.")
        await until(lambda: loud(person) > 1.0 * RATE, "a second of speech")
        await person.room.local_participant.send_text("Stop, please.", topic="lk.chat")
        await until(lambda: kinds(events).count("playout_finished") >= 2, "the answer to the text")
        await session.aclose()
    cut = next(event.data for event in events if event.data.type == "playout_finished")
    assert cut.interrupted
    assert 1.0 < cut.position < 5.0
    assert [message.text_content for message in llm.requests[0].items[-1:]] == ["Stop, please."]
    said = next(item for item in session.history.items if item.type == "message" and item.role == "assistant")
    heard = transcribe(person.sound[: round((cut.position + 1.5) * RATE)], RATE)
    assert said.interrupted
    assert "fourteen" not in (said.text_content or "")
    assert "fourteen" not in heard


async def test_it_listens_to_who_is_named_and_switches(server: LiveKitServer) -> None:
    session, llm, events = session_that_speaks(0.3, 0.3)
    async with (
        agents_room(server, room="two") as room,
        caller(server, "first", room="two") as first,
        caller(server, "second", room="two") as second,
    ):
        await session.start(Agent(instructions=""), room=room, room_options=RoomOptions(participant_identity="second"))
        await session.room_io.wait_for_ready()
        assert session.room_io.linked_participant is not None
        assert session.room_io.linked_participant.identity == "second"
        await first.room.local_participant.send_text("Ignored.", topic="lk.chat")
        await second.room.local_participant.send_text("Heard.", topic="lk.chat")
        await until(lambda: llm.requests, "the second's text")
        session.room_io.set_participant("first")
        await first.room.local_participant.send_text("Now me.", topic="lk.chat")
        await until(lambda: len(llm.requests) == 2, "the first's text")
        await session.aclose()
    said = [item.text_content for item in session.history.items if item.type == "message" and item.role == "user"]
    assert said == ["Heard.", "Now me."]
    assert [event.data.identity for event in events if event.data.type == "participant_linked"] == ["second", "first"]


async def test_the_session_ends_when_the_person_leaves_unless_it_is_told_not_to(server: LiveKitServer) -> None:
    async with agents_room(server, room="leave") as room:
        staying, _, events = session_that_speaks()
        async with caller(server, room="leave"):
            await staying.start(Agent(instructions=""), room=room, room_options=RoomOptions(close_on_disconnect=False))
            await staying.room_io.wait_for_ready()
        await until(lambda: "participant_left" in kinds(events), "that they left")
        assert staying.started
        assert staying.room_io.linked_participant is None
        await staying.aclose()

        ending, _, events = session_that_speaks()
        async with caller(server, room="leave"):
            await ending.start(Agent(instructions=""), room=room)
            await ending.room_io.wait_for_ready()
        await until(lambda: kinds(events)[-1] == "session_closed", "the end")
        assert events[-1].data.reason == "participant_disconnected"
        left = next(event.data for event in events if event.data.type == "participant_left")
        assert left.reason == "client_initiated"


async def test_a_button_takes_turns_by_call_and_by_message(server: LiveKitServer) -> None:
    session, _, events = session_that_speaks()
    async with agents_room(server, room="button") as room, caller(server, room="button") as person:
        await session.start(Agent(instructions=""), room=room)
        await session.room_io.wait_for_ready()
        session.room_io.register_push_to_talk()

        async def press(method: str) -> str:
            me = person.room.local_participant
            return await me.perform_rpc(destination_identity="agent", method=method, payload="")

        assert await press("start_turn") == "ok"
        assert session.push_to_talk.pressed
        assert await press("cancel_turn") == "ok"
        assert not session.push_to_talk.pressed
        await person.room.local_participant.publish_data(json.dumps({"method": "start_turn"}), topic="push_to_talk")
        await until(lambda: session.push_to_talk.pressed, "the press by message")
        await person.room.local_participant.publish_data("end_turn", topic="push_to_talk")
        await until(lambda: not session.push_to_talk.pressed, "the release by message")
        assert await press("auto_turns") == "ok"
        await session.aclose()
        with pytest.raises(rtc.RpcError):
            await press("start_turn")
    changes = [event.data.state for event in events if event.data.type == "push_to_talk_changed"]
    assert changes == ["pressed", "discarded", "pressed", "sent", "off"]


@pytest.mark.parametrize("mime", ["", "audio/webm;codecs=opus"], ids=["phone", "browser"])
async def test_what_was_said_before_the_connection_is_heard(server: LiveKitServer, mime: str) -> None:
    speech = recorded(HEAR_ME)
    session, llm, _ = session_that_hears()
    person = Caller()
    async with agents_room(server, room="before") as room:
        await session.start(Agent(instructions=""), room=room)
        try:
            await person.room.connect(server.url, token("caller", "before"))
            options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, preconnect_buffer=True)
            publication = await person.publish(options)
            writer = await person.room.local_participant.stream_bytes(
                "speech",
                topic="lk.agent.pre-connect-audio-buffer",
                attributes={"trackId": publication.sid, "sampleRate": str(RATE), "channels": "1"},
                mime_type=mime or "application/octet-stream",
            )
            await writer.write(encoded(speech, RATE, "webm", "libopus") if mime else speech.tobytes())
            await writer.aclose()
            await person.speak(np.zeros(0, np.int16), then=2.0)
            await until(lambda: llm.requests, "a turn")
            await session.aclose()
        finally:
            await person.aclose()
    assert likeness(llm.requests[0].items[-1].text_content or "", HEAR_ME.text) > 0.7


async def test_rooms_come_and_go_without_a_trace(server: LiveKitServer) -> None:
    async with caller(server, room="trace", listens=False):
        before = len(asyncio.all_tasks())
        for _ in range(3):
            session, _, events = session_that_speaks(0.1)
            async with agents_room(server, room="trace") as room:
                options = RoomOptions(audio_input=AudioInputOptions(sample_rate=48000))
                await session.start(Agent(instructions=""), room=room, room_options=options)
                await session.room_io.wait_for_ready()
                await session.say("Hi.")
                await session.aclose()
                assert "playout_finished" in kinds(events)
        await until(lambda: len(asyncio.all_tasks()) <= before, f"{before} tasks, of {asyncio.all_tasks()}")


def loud(person: Caller) -> int:
    """Samples from the first that isn't silence."""
    sound = np.flatnonzero(np.abs(person.sound) > 300)
    return 0 if not len(sound) else len(person.sound) - int(sound[0])


async def test_a_room_is_deleted_with_its_session_if_that_is_asked_for(
    server: LiveKitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    session, _, _ = session_that_speaks()
    async with agents_room(server, room="short") as room, caller(server, room="short", listens=False) as person:
        reasons: list[int] = []
        person.room.on("disconnected", reasons.append)
        await session.start(Agent(instructions=""), room=room, room_options=RoomOptions(delete_room_on_close=True))
        await session.room_io.wait_for_ready()
        await session.aclose()
        await until(lambda: reasons, "that the person was sent away")
        assert reasons == [rtc.DisconnectReason.ROOM_DELETED]
