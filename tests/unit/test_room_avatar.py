"""Avatars: somebody in the room who speaks in the agent's stead, told by data streams and RPCs."""

from __future__ import annotations

import asyncio
import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from livekit import api, rtc

from agent_runtime import Agent
from agent_runtime.room.avatar import AvatarSession, DataStreamAudioOutput
from agent_runtime.testing import in_virtual_time, scripted_session
from agent_runtime.worker.job import current_job


class Writer:
    """A byte stream on its way to the avatar."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.data = b""
        self.closed = False

    async def write(self, data: bytes) -> None:
        self.data += data

    async def aclose(self) -> None:
        self.closed = True


class Room(rtc.EventEmitter[str]):
    """A room as far as avatars see it."""

    name = "room"

    def __init__(self, *, connected: bool = True) -> None:
        super().__init__()
        self.connected = connected
        self.remote_participants: dict[str, Any] = {}
        self.local_participant = self
        self.identity = "agent"
        self.kind = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        self.track_publications: dict[str, Any] = {}
        self.writers: list[Writer] = []
        self.rpc: dict[str, Any] = {}
        self.called: list[str] = []
        self.refuses = False

    def isconnected(self) -> bool:
        return self.connected

    @property
    def connection_state(self) -> rtc.ConnectionState.ValueType:
        return rtc.ConnectionState.CONN_CONNECTED if self.connected else rtc.ConnectionState.CONN_DISCONNECTED

    def register_rpc_method(self, name: str, handler: Any) -> None:
        self.rpc[name] = handler

    async def perform_rpc(self, *, destination_identity: str, method: str, payload: str) -> str:
        self.called.append(f"{destination_identity} {method}")
        if self.refuses:
            raise rtc.RpcError(rtc.RpcError.ErrorCode.RECIPIENT_NOT_FOUND, "gone")
        return "ok"

    async def stream_bytes(self, **options: Any) -> Writer:
        self.writers.append(Writer(options))
        return self.writers[-1]

    def join(self, identity: str = "face", *, with_picture: bool = True) -> None:
        picture = SimpleNamespace(kind=rtc.TrackKind.KIND_VIDEO, track=None)
        tracks = {"t": picture} if with_picture else {}
        kind = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        who = SimpleNamespace(identity=identity, kind=kind, attributes={}, track_publications=tracks)
        self.remote_participants[identity] = who
        self.emit("participant_connected", who)

    def tells(self, method: str, payload: dict[str, Any] | None = None, *, identity: str = "face") -> str:
        call = rtc.RpcInvocationData("1", identity, json.dumps(payload or {}), 10.0)
        answer: str = self.rpc[method](call)
        return answer


def frame() -> rtc.AudioFrame:
    return rtc.AudioFrame(bytes(320), 16000, 1, 160)


class Played:
    """What an output reported."""

    def __init__(self, room: Room, **options: Any) -> None:
        # A stand-in for a room; connecting a real one takes a server.
        self.output = DataStreamAudioOutput(room, destination_identity="face", **options)  # type: ignore[arg-type]
        self.started = 0
        self.finished: list[tuple[float, bool]] = []
        self.output.on("playback_started", lambda _: setattr(self, "started", self.started + 1))
        self.output.on(
            "playback_finished", lambda event: self.finished.append((event.playback_position, event.interrupted))
        )


@in_virtual_time
async def test_speech_goes_as_a_stream_a_segment_once_the_avatar_is_there():
    room = Room()
    played = Played(room, wait_remote_track=rtc.TrackKind.KIND_VIDEO, sample_rate=16000)
    first = asyncio.create_task(played.output.capture_frame(frame()))
    await asyncio.sleep(5)
    assert room.writers == []
    room.join()
    await first
    await played.output.capture_frame(frame())
    played.output.flush()
    await played.output.capture_frame(frame())
    await asyncio.sleep(0)
    one, two = room.writers
    assert (len(one.data), one.closed, len(two.data), two.closed) == (640, True, 320, False)
    assert one.options["topic"] == "lk.audio_stream"
    assert one.options["destination_identities"] == ["face"]
    assert one.options["attributes"] == {"sample_rate": "16000", "num_channels": "1"}
    assert played.started == 2
    assert (played.output.sample_rate, played.output.can_pause) == (16000, False)
    assert room.tells("lk.playback_finished", {"playback_position": 0.02, "interrupted": False}) == "ok"
    assert played.finished == [(0.02, False)]
    await played.output.aclose()


@in_virtual_time
async def test_an_avatar_that_tells_when_it_is_heard():
    room = Room()
    room.join()
    played = Played(room, wait_playback_start=True)
    await played.output.capture_frame(frame())
    assert played.started == 0
    assert room.tells("lk.playback_started") == "ok"
    assert played.started == 1
    await played.output.aclose()


@in_virtual_time
async def test_a_room_that_is_connected_later():
    room = Room(connected=False)
    played = Played(room)
    room.join()
    capture = asyncio.create_task(played.output.capture_frame(frame()))
    await asyncio.sleep(1)
    assert not capture.done()
    room.connected = True
    room.emit("connection_state_changed", rtc.ConnectionState.CONN_CONNECTED)
    await capture
    await played.output.aclose()


@in_virtual_time
async def test_the_avatar_stops_and_tells_where():
    room = Room()
    room.join()
    played = Played(room)
    played.output.clear_buffer()
    await played.output.capture_frame(frame())
    await played.output.capture_frame(frame())
    played.output.flush()
    played.output.clear_buffer()
    played.output.clear_buffer()
    newer = asyncio.create_task(played.output.capture_frame(frame()))
    await asyncio.sleep(0.5)
    assert room.called == ["face lk.clear_buffer"]
    assert not newer.done()
    room.tells("lk.playback_finished", {"playback_position": 0.01, "interrupted": True})
    await newer
    assert played.finished == [(0.01, True)]
    await played.output.aclose()


@pytest.mark.parametrize(("refuses", "seconds"), [(False, 2.0), (True, 0.0)])
def test_an_avatar_that_does_not_tell_counts_as_heard(refuses: bool, seconds: float):
    @in_virtual_time
    async def scenario() -> None:
        room = Room()
        room.refuses = refuses
        room.join()
        played = Played(room)
        await played.output.capture_frame(frame())
        played.output.flush()
        began = asyncio.get_running_loop().time()
        played.output.clear_buffer()
        await played.output.wait_for_playout()
        assert asyncio.get_running_loop().time() - began == pytest.approx(seconds, abs=0.01)
        assert played.finished == [(0.01, True)]
        room.tells("lk.playback_finished", {"playback_position": 0.005, "interrupted": True})
        assert played.finished == [(0.01, True)]
        await played.output.aclose()

    scenario()


@in_virtual_time
async def test_two_avatars_are_told_apart_and_strangers_are_not_listened_to(caplog: pytest.LogCaptureFixture):
    room = Room()
    room.join()
    room.join("other")
    played = Played(room)
    other: Any = DataStreamAudioOutput(room, destination_identity="other")  # type: ignore[arg-type]
    await played.output.capture_frame(frame())
    await other.capture_frame(frame())
    told = {"playback_position": 0.01, "interrupted": False}
    assert room.tells("lk.playback_finished", told, identity="stranger") == "reject"
    room.tells("lk.playback_finished", told, identity="other")
    assert played.finished == []
    room.tells("lk.playback_finished", told)
    assert played.finished == [(0.01, False)]
    assert "stranger isn't asked to play anything" in caplog.text
    await played.output.aclose()
    await other.aclose()
    assert room.tells("lk.playback_finished", told) == "reject"


class Face(AvatarSession):
    """A vendor's."""

    @property
    def avatar_identity(self) -> str:
        return "face"

    @property
    def provider(self) -> str:
        return "faces"


class Job:
    """A job as far as avatars see it."""

    def __init__(self, error: api.TwirpError | None = None) -> None:
        self.callbacks: list[Any] = []
        self.removed: list[str] = []
        self.error = error
        self.api = SimpleNamespace(room=self)

    def add_shutdown_callback(self, callback: Any) -> None:
        self.callbacks.append(callback)

    async def remove_participant(self, who: api.RoomParticipantIdentity) -> None:
        if self.error is not None:
            raise self.error
        self.removed.append(f"{who.room}/{who.identity}")


@in_virtual_time
async def test_an_avatar_joins_is_measured_and_leaves_with_the_job():
    async with scripted_session([]) as stage:
        room, face, job = Room(), Face(), Job()
        await stage.session.start(Agent(instructions=""))
        current_job.set(job)  # type: ignore[arg-type]
        measured: list[Any] = []
        told: list[Any] = []
        face.on("metrics_collected", measured.append)
        stage.session.on("metrics_collected", lambda event: told.append(event.metrics))
        await face.wait_for_join()
        await face.start(stage.session, room)  # type: ignore[arg-type]
        with pytest.raises(TimeoutError):
            await face.wait_for_join(timeout=1.0)
        room.join()
        await face.wait_for_join()
        (joined,) = measured
        assert joined.avatar_joined_time >= joined.session_started_time
        assert (joined.metadata.model_provider, told) == ("faces", [joined])
        await stage.session.say("Hello.").wait_for_playout()
        assert [(m.avatar_joined_time, m.playback_latency >= 0) for m in measured[1:]] == [(None, True)]
        assert job.callbacks == [face.aclose]
        await face.aclose()
        await face.aclose()
        assert job.removed == ["room/face"]


@pytest.mark.parametrize(("code", "logged"), [("not_found", 0), ("unavailable", 1)])
def test_an_avatar_that_cannot_be_removed(code: str, logged: int, caplog: pytest.LogCaptureFixture):
    @in_virtual_time
    async def scenario() -> None:
        async with scripted_session([]) as stage:
            room, face = Room(), Face()
            current_job.set(Job(api.TwirpError(code, "no", status=404)))  # type: ignore[arg-type]
            await face.start(stage.session, room)  # type: ignore[arg-type]
            await face.aclose()

    scenario()
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == logged
