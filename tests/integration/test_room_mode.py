"""A conversation moves between this machine and a room of a real server."""

from __future__ import annotations

import asyncio
import datetime
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from livekit import api, rtc
from pydantic import SecretStr

from agent_runtime import Agent, AgentSession
from agent_runtime.agent_loader import load_agent, parse_target
from agent_runtime.clock import LoopClock
from agent_runtime.errors import RoomError
from agent_runtime.events import AnyEvent, RoomDisconnected
from agent_runtime.host import RuntimeHost
from agent_runtime.host import room as host_room
from agent_runtime.host.room import RoomEnd
from agent_runtime.room import RoomIO
from agent_runtime.room.joining import Server, connect
from agent_runtime.settings import LiveKitSettings
from agent_runtime.settings_layers import load_settings
from agent_runtime.testing import Answer, ScriptedAudioInput, ScriptedAudioOutput, ScriptedLLM, ScriptedTTS
from tests.support.livekit_server import KEY, SECRET, LiveKitServer, livekit_server, missing
from tests.support.room import agents_room, caller, kinds, until

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@pytest.fixture(scope="module")
def server() -> Iterator[LiveKitServer]:
    with livekit_server() as running:
        yield running


def settings(server: LiveKitServer, **other: Any) -> LiveKitSettings:
    values = {"url": server.url, "api_key": SecretStr(KEY), "api_secret": SecretStr(SECRET)}
    return LiveKitSettings(**{**values, **other})


class Talk:
    """A conversation that can move."""

    def __init__(self, livekit: LiveKitSettings) -> None:
        self.llm = ScriptedLLM([Answer(f"Answer {number}.", ttft=0.0, duration=0.0) for number in range(60)])
        self.session: AgentSession[Any] = AgentSession(
            stt=None, vad=None, llm=self.llm, tts=ScriptedTTS([0.1] * 60, ttfb=0.0)
        )
        self.events: list[AnyEvent] = []
        self.session.events.subscribe(self.events.append)
        self.microphone, self.speaker = ScriptedAudioInput(), ScriptedAudioOutput()
        self.session.input.audio, self.session.output.audio = self.microphone, self.speaker
        self.end = RoomEnd(
            livekit,
            self.session,
            lambda data, cause: self.session.events.emit(data, cause=cause) and None,
            hear=lambda source: source,
            speak=lambda sink: sink,
            clock=LoopClock(),
            name="moving",
        )

    def of(self, kind: str) -> list[Any]:
        return [event.data for event in self.events if event.data.type == kind]

    async def __aenter__(self) -> Talk:
        await self.session.start(Agent(instructions=""))
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.end.aclose()
        await self.session.aclose()


async def test_it_moves_twenty_times_and_nothing_is_said_twice_or_lost(server: LiveKitServer) -> None:
    async with Talk(settings(server)) as talk, caller(server, room="moving", listens=False):
        tasks = 0
        for number in range(20):
            await talk.end.set_mode("room" if number % 2 == 0 else "local")
            assert talk.end.mode == ("room" if number % 2 == 0 else "local")
            await talk.session.generate_reply(user_input=f"Question {number}?").wait_for_playout()
            if number == 1:
                tasks = len(asyncio.all_tasks())
        assert len(asyncio.all_tasks()) <= tasks
        said = [item for item in talk.session.history.items if item.type == "message"]
    expected = [text for number in range(20) for text in (f"Question {number}?", f"Answer {number}.")]
    assert [item.text_content for item in said] == expected
    assert not any(item.interrupted for item in said)
    assert [change.mode for change in talk.of("mode_changed")] == ["room", "local"] * 10
    assert talk.session.input.audio is talk.microphone
    assert len(talk.speaker.played) == 10


async def test_an_invitation_lets_somebody_in(server: LiveKitServer) -> None:
    from livekit import rtc

    async with Talk(settings(server)) as talk:
        await talk.end.set_mode("room", "invited")
        (invitation,) = talk.of("room_invitation")
        guest = rtc.Room()
        await guest.connect(invitation.url, invitation.token)
        assert guest.name == "invited"
        await until(lambda: "participant_linked" in kinds(talk.events), "the guest")
        await guest.disconnect()
        assert invitation.token in invitation.link
        assert SECRET not in invitation.command
        assert invitation.token not in repr(invitation.without_token())


async def test_a_removed_agent_goes_on_locally_and_says_why(server: LiveKitServer) -> None:
    async with Talk(settings(server)) as talk:
        await talk.end.set_mode("room", "strict")
        identity = talk.of("room_connected")[0].identity
        async with api.LiveKitAPI(server.url.replace("ws", "http"), KEY, SECRET) as admin:
            await admin.room.remove_participant(api.RoomParticipantIdentity(room="strict", identity=identity))
        await until(lambda: talk.end.mode == "local", "the way back")
        (lost,) = talk.of("room_disconnected")
        assert lost.reason == "participant_removed"
        assert "removed from the room" in lost.advice
        assert talk.session.output.audio is talk.speaker
        await talk.session.generate_reply(user_input="Still there?").wait_for_playout()
        assert len(talk.speaker.played) == 1


async def test_a_taken_identity_is_told(server: LiveKitServer) -> None:
    async with Talk(settings(server)) as talk:
        await talk.end.set_mode("room", "double")
        identity = talk.of("room_connected")[0].identity
        async with agents_room(server, room="double", identity=identity):
            await until(lambda: talk.end.mode == "local", "the way back")
        (lost,) = talk.of("room_disconnected")
        assert lost.reason == "duplicate_identity"
        assert "another identity" in lost.advice


@pytest.mark.parametrize("what", ["SIMULATE_SIGNAL_RECONNECT", "SIMULATE_FULL_RECONNECT"])
async def test_an_interrupted_connection_is_told_and_the_conversation_goes_on(server: LiveKitServer, what: str) -> None:
    from livekit.rtc.room import SimulateScenarioKind

    async with Talk(settings(server)) as talk, caller(server, room=what, listens=False):
        await talk.end.set_mode("room", what)
        await talk.session.room_io.wait_for_ready()
        await talk.session.room_io.room.simulate_scenario(SimulateScenarioKind.Value(what))
        await until(lambda: "room_reconnected" in kinds(talk.events), "the connection")
        assert "room_reconnecting" in kinds(talk.events)
        assert talk.of("room_reconnected")[0].took > 0.0
        await talk.session.generate_reply(user_input="Are you there?").wait_for_playout()
        assert talk.end.mode == "room"
        assert talk.session.room_io.linked_participant is not None
    assert [item.text_content for item in talk.session.history.items if item.type == "message"] == [
        "Are you there?",
        "Answer 0.",
    ]


async def test_it_comes_back_into_the_room_when_the_server_was_started_again() -> None:
    with livekit_server() as own:
        async with Talk(settings(own)) as talk:
            await talk.end.set_mode("room")
            own.kill()
            own.start()
            await until(lambda: len(talk.of("room_connected")) > 1 or "room_reconnected" in kinds(talk.events), "it")
            async with caller(own, room="moving", listens=False):
                await until(lambda: talk.session.room_io.linked_participant is not None, "the caller")
                await talk.session.generate_reply(user_input="Are you back?").wait_for_playout()
            assert talk.end.mode == "room"
            answer = talk.session.history.items[-1]
            assert answer.type == "message"
            assert not answer.interrupted


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ({"url": None}, "livekit.url not set"),
        ({"url": "ws://127.0.0.1:1"}, "nothing listens at ws://127.0.0.1:1"),
        ({"url": "ws://no.such.host.invalid"}, "no host of the name"),
        ({"api_key": SecretStr("stranger")}, "doesn't know the key stranger"),
        ({"api_secret": SecretStr("x" * 40)}, "secret isn't that of the key"),
    ],
)
async def test_what_is_wrong_is_told_once_and_the_conversation_stays(
    server: LiveKitServer, wrong: dict[str, Any], advice: str
) -> None:
    async with Talk(settings(server, **wrong)) as talk:
        await talk.end.set_mode("room")
        assert talk.end.mode == "local"
        (error,) = talk.of("error_occurred")
        assert advice in error.message
        assert error.recoverable
        await talk.session.generate_reply(user_input="Still there?").wait_for_playout()
        assert len(talk.speaker.played) == 1


@pytest.mark.parametrize("ahead", [-7200.0, -600.0, 600.0, 7200.0])
async def test_a_clock_that_is_off_keeps_nobody_out(
    server: LiveKitServer, ahead: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, there = Server(server.url, KEY, SECRET), time.time() + ahead
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: there)
        token = own.token("clocks", "early or late")
    room = rtc.Room()
    await connect(room, own, token)
    assert room.isconnected()
    await room.disconnect()


async def test_a_clock_that_is_a_day_late_is_told_with_its_time(
    server: LiveKitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, there = Server(server.url, KEY, SECRET), time.time() - 86_400
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: there)
        token = own.token("clocks", "yesterday")
    with pytest.raises(RoomError, match=r"expired.*compare this machine's clock \(\d\d:\d\d:\d\d UTC\)"):
        await connect(rtc.Room(), own, token)


async def test_a_full_room_and_a_token_that_has_expired(server: LiveKitServer) -> None:
    own = Server(server.url, KEY, SECRET)
    grants = api.VideoGrants(room_join=True, room="small")
    base = api.AccessToken(KEY, SECRET).with_grants(grants).with_identity("first")
    first, second = rtc.Room(), rtc.Room()
    await connect(first, own, base.with_room_config(api.RoomConfiguration(max_participants=1)).to_jwt())
    with pytest.raises(RoomError, match="room may be full"):
        await connect(second, own, own.token("small", "second"))
    old = api.AccessToken(KEY, SECRET).with_grants(grants).with_identity("late").with_ttl(datetime.timedelta(hours=-1))
    with pytest.raises(RoomError, match="expired") as caught:
        await connect(second, own, old.to_jwt())
    assert "eyJ" not in str(caught.value)
    await first.disconnect()


async def test_servers_that_talk_nonsense_or_nothing() -> None:
    from livekit import rtc

    over = asyncio.Event()

    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"nonsense\r\n\r\n")
        writer.close()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    for behave, text in ((nonsense, "no LiveKit server"), (silent, "didn't answer within 0.3 s")):
        listener = await asyncio.start_server(behave, "127.0.0.1", 0)
        wrong = Server(f"ws://127.0.0.1:{listener.sockets[0].getsockname()[1]}", KEY, SECRET)
        try:
            with pytest.raises(RoomError, match=text):
                await connect(rtc.Room(), wrong, wrong.token("room", "me"), timeout=0.3 if behave is silent else None)
        finally:
            if behave is silent:
                over.set()
            listener.close()
            await listener.wait_closed()


class Broken(RuntimeError):
    """What a room's part fails with."""


async def test_a_room_that_cant_be_used_leaves_the_conversation_where_it_was(
    server: LiveKitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Talk(settings(server)) as talk:
        with monkeypatch.context() as patch:
            patch.setattr(RoomIO, "register_push_to_talk", lambda self: (_ for _ in ()).throw(Broken("no button")))
            with pytest.raises(Broken):
                await talk.end.set_mode("room")
        assert talk.end.mode == "local"
        with pytest.raises(RuntimeError, match="isn't in a room"):
            _ = talk.session.room_io
        assert (talk.session.input.audio, talk.session.output.audio) == (talk.microphone, talk.speaker)
        await talk.end.set_mode("room")
        assert talk.end.mode == "room"


@pytest.mark.parametrize("failure", [RoomError("the room is full", retry=True), Broken("the track is gone")])
async def test_a_room_that_cant_be_joined_again_gives_the_conversation_back(
    server: LiveKitServer, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    async def start(self: Any) -> None:
        raise failure

    async with Talk(settings(server)) as talk:
        await talk.end.set_mode("room")
        monkeypatch.setattr(host_room, "RETRY_DELAYS", (0.0, 0.0))
        monkeypatch.setattr(RoomIO, "start", start)
        talk.session.events.emit(RoomDisconnected("signal_close", ""))
        await until(lambda: talk.end.mode == "local", "the way back")
        assert (talk.session.input.audio, talk.session.output.audio) == (talk.microphone, talk.speaker)
        await until(lambda: bool(talk.of("error_occurred")), "the reason")
        assert str(failure) in talk.of("error_occurred")[-1].message
        await talk.session.generate_reply(user_input="Still there?").wait_for_playout()
        assert len(talk.speaker.played) == 1


AGENT = """
from agent_runtime import Agent, AgentSession
from agent_runtime.testing import Answer, ScriptedLLM, ScriptedTTS

def session() -> AgentSession:
    return AgentSession(llm=ScriptedLLM([Answer("Hi there.")]), tts=ScriptedTTS(), vad=None), Agent(instructions="")
"""


class Hosted:
    """A host without devices, its events, and the file that they are written to."""

    def __init__(self, folder: Path, livekit: dict[str, str]) -> None:
        agent, self.written = folder / "roomy_agent.py", folder / "events.jsonl"
        agent.write_text(AGENT)
        flags = {"text": True, "events": str(self.written), **{f"livekit.{k}": v for k, v in livekit.items()}}
        resolved = load_settings(flags, folder=folder, environ={}, user_file=folder / "none.toml")
        self.events: list[AnyEvent] = []
        self.host = RuntimeHost(lambda: resolved.settings, lambda: load_agent(parse_target(str(agent))))
        self.host.start(self.events.append)

    async def of(self, kind: str) -> Any:
        await until(lambda: kind in kinds(self.events), kind)
        return next(event.data for event in self.events if event.data.type == kind)


async def test_a_host_joins_and_writes_down_no_token(server: LiveKitServer, tmp_path: Path) -> None:
    hosted = Hosted(tmp_path, {"url": server.url, "api_key": KEY, "api_secret": SECRET})
    try:
        hosted.host.set_mode("room", "hosted")
        token = (await hosted.of("room_invitation")).token
        assert (await hosted.of("mode_changed")).room == "hosted"
        async with caller(server, room="hosted", listens=False) as person:
            await hosted.of("participant_linked")
            await person.room.local_participant.send_text("Hello?", topic="lk.chat")
            await hosted.of("playout_finished")
    finally:
        assert hosted.host.stop(10)
        sys.modules.pop("roomy_agent", None)
    written = hosted.written.read_text()
    assert "room_invitation" in written
    assert token not in written


async def test_a_host_in_an_encrypted_room_invites_with_its_key_and_writes_it_nowhere(
    server: LiveKitServer, tmp_path: Path
) -> None:
    key = "among-ourselves"
    hosted = Hosted(tmp_path, {"url": server.url, "api_key": KEY, "api_secret": SECRET, "encryption_key": key})
    try:
        hosted.host.set_mode("room", "sealed")
        assert (await hosted.of("room_invitation")).link.endswith(f"#{key}")
        await hosted.of("mode_changed")
    finally:
        assert hosted.host.stop(10)
        sys.modules.pop("roomy_agent", None)
    written = hosted.written.read_text()
    assert "room_invitation" in written
    assert key not in written


async def test_a_host_without_a_server_says_how_to_get_one(tmp_path: Path) -> None:
    hosted = Hosted(tmp_path, {})
    try:
        hosted.host.set_mode("room")
        error = await hosted.of("error_occurred")
        assert "livekit-server --dev" in error.message
        assert error.recoverable
    finally:
        assert hosted.host.stop(10)
        sys.modules.pop("roomy_agent", None)
