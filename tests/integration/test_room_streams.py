"""Several participants of a real server: who is heard, seen, and forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest
from livekit import rtc

from agent_runtime.room.streams import StreamManager
from agent_runtime.room.video_input import RoomVideoInput
from agent_runtime.room.waiting import wait_for_agent, wait_for_participant, wait_for_track_publication
from tests.support.livekit_server import LiveKitServer, livekit_server, missing
from tests.support.room import RATE, Caller, agents_room, caller, token, until

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

MICROPHONE = rtc.TrackSource.SOURCE_MICROPHONE


@pytest.fixture(scope="module")
def server() -> Iterator[LiveKitServer]:
    with livekit_server() as running:
        yield running


def tone(hertz: float, seconds: float) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.int16)


async def hear(manager: StreamManager, into: list[np.ndarray]) -> None:
    async for frame in manager.audio:
        into.append(np.frombuffer(frame.data, np.int16).copy())


def strength(sound: np.ndarray, hertz: float, rate: int) -> float:
    """How much of a frequency there is."""
    spectrum = np.abs(np.fft.rfft(sound.astype(float)))
    place = round(hertz * len(sound) / rate)
    return float(spectrum[max(0, place - 20) : place + 20].max() / len(sound))


async def test_two_voices_are_heard_at_once_and_one_that_is_not_wanted_is_not(server: LiveKitServer) -> None:
    async with (
        agents_room(server, room="mix") as room,
        caller(server, "low", room="mix", listens=False) as low,
        caller(server, "high", room="mix", listens=False) as high,
    ):
        manager, heard = StreamManager(room), []
        manager.start()
        listening = asyncio.create_task(hear(manager, heard))
        await until(lambda: len(manager.subscribed) == 2, "two microphones")
        assert set(manager.participants) == {"low", "high"}
        await asyncio.gather(low.speak(tone(300, 2.0)), high.speak(tone(1500, 2.0)))
        both = np.concatenate(heard)
        assert strength(both, 300, 24000) > 100
        assert strength(both, 1500, 24000) > 100

        manager.unsubscribe("high", MICROPHONE)
        await until(lambda: manager.subscribed == (("low", MICROPHONE),), "one microphone")
        heard.clear()
        await asyncio.gather(low.speak(tone(300, 2.0)), high.speak(tone(1500, 2.0)))
        one = np.concatenate(heard)
        assert strength(one, 300, 24000) > 100
        assert strength(one, 1500, 24000) < 10

        manager.subscribe("high", MICROPHONE)
        await until(lambda: len(manager.subscribed) == 2, "two microphones again")
        await manager.aclose()
        await listening
        assert manager.participants == ()


async def test_a_late_track_a_muted_one_and_one_that_is_replaced(server: LiveKitServer) -> None:
    late = Caller()
    async with agents_room(server, room="late") as room:
        manager = StreamManager(room)
        manager.start()
        await late.room.connect(server.url, token("late", "late"))
        await until(lambda: manager.participants == ("late",), "the participant")
        assert manager.subscribed == ()
        first = await late.publish()
        await until(lambda: manager.subscribed, "the late track")
        assert first.track is not None
        first.track.mute()  # type: ignore[union-attr]  # an audio track
        await until(lambda: next(iter(room.remote_participants.values())).track_publications[first.sid].muted, "mute")
        assert manager.subscribed == (("late", MICROPHONE),)
        await late.room.local_participant.unpublish_track(first.sid)
        await until(lambda: not manager.subscribed, "no track")
        await late.publish()
        await until(lambda: manager.subscribed, "the next track")
        await late.aclose()
        await until(lambda: not manager.participants, "that they left")
        assert manager.audio.voices == ()
        await manager.aclose()


async def test_the_screen_is_seen_rather_than_the_camera(server: LiveKitServer) -> None:
    async with agents_room(server, room="see") as room, caller(server, room="see", listens=False) as person:
        seen = RoomVideoInput(room)
        seen.set_participant("caller")

        async def show(width: int, source: rtc.TrackSource.ValueType) -> tuple[str, asyncio.Task[None]]:
            picture = rtc.VideoSource(width, 64)
            track = rtc.LocalVideoTrack.create_video_track("video", picture)
            options = rtc.TrackPublishOptions(source=source, simulcast=False)
            publication = await person.room.local_participant.publish_track(track, options)

            async def film() -> None:
                while True:
                    frame = rtc.VideoFrame(width, 64, rtc.VideoBufferType.RGBA, bytes(width * 64 * 4))
                    picture.capture_frame(frame)
                    await asyncio.sleep(0.05)

            return publication.sid, asyncio.create_task(film())

        async def width_becomes(width: int) -> None:
            async with asyncio.timeout(30):
                while (await seen.__anext__()).width != width:
                    pass

        _, camera = await show(128, rtc.TrackSource.SOURCE_CAMERA)
        await width_becomes(128)
        sid, screen = await show(256, rtc.TrackSource.SOURCE_SCREENSHARE)
        await width_becomes(256)
        await person.room.local_participant.unpublish_track(sid)
        screen.cancel()
        await width_becomes(128)
        camera.cancel()
        await seen.aclose()
        assert len([frame async for frame in seen]) <= 1  # the newest, at most


async def test_waiting_for_somebody_and_something(server: LiveKitServer) -> None:
    async with agents_room(server, room="wait") as room, caller(server, room="wait", listens=False) as person:
        assert (await wait_for_participant(room, identity="caller")).identity == "caller"
        track = await wait_for_track_publication(room, kind=rtc.TrackKind.KIND_AUDIO, wait_for_subscription=True)
        assert track.track is not None
        assert (await wait_for_agent(person.room)).identity == "agent"
        assert (await wait_for_participant(room, include_local=True)).identity == "agent"
        waiting = asyncio.create_task(wait_for_agent(room, agent_name="nobody"))
        await asyncio.sleep(0)
        await room.disconnect()
        with pytest.raises(RuntimeError, match="was left"):
            await waiting
        with pytest.raises(RuntimeError, match="isn't connected"):
            await wait_for_participant(room)
