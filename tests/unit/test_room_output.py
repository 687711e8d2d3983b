"""The agent's track, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from livekit import rtc

from agent_runtime.clock import LoopClock
from agent_runtime.devices.playout import SegmentedOutput
from agent_runtime.io import PlaybackFinishedEvent
from agent_runtime.media.frames import frame_from_array, to_array
from agent_runtime.room.audio_output import LEAD, TrackSink
from agent_runtime.testing import run_virtual

RATE = 24000


class Track:
    """Stands for the SDK's source: takes frames at once, remembers them."""

    def __init__(self) -> None:
        self.frames: list[rtc.AudioFrame] = []
        self.times: list[float] = []
        self.cleared = 0
        self.closed = False

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        self.frames.append(frame)
        self.times.append(asyncio.get_running_loop().time())

    def clear_queue(self) -> None:
        self.cleared += 1

    async def aclose(self) -> None:
        self.closed = True

    @property
    def sound(self) -> np.ndarray:
        return np.concatenate([to_array(frame)[:, 0] for frame in self.frames] or [np.zeros(0, np.int16)])


class Speaking:
    def __init__(self, channels: int = 1) -> None:
        self.clock = LoopClock()
        self.track = Track()
        self.sink = TrackSink(self.track, clock=self.clock, sample_rate=RATE, channels=channels)
        self.output = SegmentedOutput(self.sink, clock=self.clock, label="room")
        self.began = self.clock.now()
        self.started: list[float] = []
        self.finished: list[PlaybackFinishedEvent] = []
        self.output.on("playback_started", lambda event: self.started.append(event.at - self.began))
        self.output.on("playback_finished", self.finished.append)

    def say(self, seconds: float, value: int = 1000) -> asyncio.Task[None]:
        samples = (np.arange(round(seconds * RATE)) % 100 + value).astype(np.int16)

        async def speak() -> None:
            for start in range(0, len(samples), RATE // 10):
                await self.output.capture_frame(frame_from_array(samples[start : start + RATE // 10], RATE))
            self.output.flush()

        return asyncio.create_task(speak())

    async def aclose(self) -> None:
        await self.output.aclose()
        await self.sink.aclose()


def scene(act: Callable[[Speaking], Awaitable[None]], channels: int = 1) -> Speaking:
    async def run() -> Speaking:
        speaking = Speaking(channels)
        await act(speaking)
        await speaking.aclose()
        return speaking

    return run_virtual(run())


def test_nothing_goes_out_before_somebody_listens() -> None:
    async def act(speaking: Speaking) -> None:
        said = speaking.say(1.0)
        await asyncio.sleep(5.0)
        assert speaking.track.frames == []
        assert speaking.started == []
        speaking.sink.release()
        await said
        await asyncio.sleep(2.0)

    speaking = scene(act)
    assert speaking.started == [5.0]
    assert [(e.playback_position, e.interrupted) for e in speaking.finished] == [(1.0, False)]


def test_it_is_sent_as_it_is_due_and_nothing_is_lost() -> None:
    async def act(speaking: Speaking) -> None:
        speaking.sink.release()
        await speaking.say(1.0)
        await asyncio.sleep(1.0)

    speaking = scene(act)
    expected = (np.arange(RATE) % 100 + 1000).astype(np.int16)
    assert np.array_equal(speaking.track.sound, expected)
    sent = 0.0
    for frame, at in zip(speaking.track.frames, speaking.track.times, strict=True):
        assert sent - LEAD - 1e-6 <= at - speaking.began <= sent + 1e-6
        sent += frame.duration


def test_the_last_frame_is_filled_up_and_the_position_does_not_count_it() -> None:
    async def act(speaking: Speaking) -> None:
        speaking.sink.release()
        await speaking.say(0.013)
        await asyncio.sleep(1.0)

    speaking = scene(act)
    assert len(speaking.track.sound) == round(0.02 * RATE)
    assert [e.playback_position for e in speaking.finished] == [pytest.approx(0.013)]


def test_a_cut_takes_back_what_was_not_heard() -> None:
    async def act(speaking: Speaking) -> None:
        speaking.sink.release()
        said = speaking.say(2.0)
        await asyncio.sleep(0.5)
        said.cancel()
        speaking.output.clear_buffer()
        await asyncio.sleep(1.0)
        await speaking.say(0.1)
        await asyncio.sleep(1.0)

    speaking = scene(act)
    cut, after = speaking.finished
    assert cut.interrupted
    assert cut.playback_position == pytest.approx(0.5, abs=1e-4)
    assert speaking.track.cleared == 1
    assert (after.playback_position, after.interrupted) == (pytest.approx(0.1), False)


def test_a_pause_goes_on_where_it_stopped() -> None:
    async def act(speaking: Speaking) -> None:
        speaking.sink.release()
        said = speaking.say(1.0)
        await asyncio.sleep(0.4)
        speaking.output.pause()
        sent = len(speaking.track.frames)
        await asyncio.sleep(3.0)
        assert len(speaking.track.frames) == sent
        assert speaking.output.playback_position == pytest.approx(0.4, abs=1e-4)
        speaking.output.resume()
        await said
        await asyncio.sleep(1.0)

    speaking = scene(act)
    assert [(e.playback_position, e.interrupted) for e in speaking.finished] == [(1.0, False)]
    assert speaking.track.cleared == 1
    # What the track had and hadn't sent at the pause is sent again after it.
    assert len(speaking.track.sound) == pytest.approx(RATE + LEAD * RATE, abs=0.02 * RATE)


def test_each_channel_gets_the_same() -> None:
    async def act(speaking: Speaking) -> None:
        speaking.sink.release()
        await speaking.say(0.1)
        await asyncio.sleep(1.0)

    frame = to_array(scene(act, channels=2).track.frames[0])
    assert frame.shape == (round(0.02 * RATE), 2)
    assert np.array_equal(frame[:, 0], frame[:, 1])


def test_it_gives_its_source_back() -> None:
    async def act(speaking: Speaking) -> None:
        await asyncio.sleep(0)

    assert scene(act).track.closed
