"""A participant's microphone as the session's."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from livekit import rtc

from agent_runtime.io import AudioInput
from agent_runtime.media.frames import frame_from_array, to_array
from agent_runtime.media.framing import Framer
from agent_runtime.media.mix import to_mono
from agent_runtime.media.resample import resample
from agent_runtime.room.options import AudioInputOptions, NoiseCancellationParams
from agent_runtime.room.pre_connect import PreConnectAudio
from agent_runtime.room.tracks import FrameStream, TrackReader

STEP_MS: Final = 20
"""Length of a frame; longer ones would make everything that is heard late by half of it."""
SILENCE: Final = 0.5
"""Seconds of silence that follow a track that is gone, so that speech that it cut off ends."""
QUEUED: Final = 30.0
"""Seconds that may wait to be heard; of more, the oldest are dropped."""

MICROPHONE: Final = (rtc.TrackSource.SOURCE_MICROPHONE,)


class RoomAudioInput(AudioInput):
    """Hears the participant that `set_participant` names: their microphone's track, when there is one.

    Args:
        room: the room.
        options: rate and number of channels of the frames, and what is done to the sound.
        pre_connect: knows what participants said before they were connected.
    """

    def __init__(
        self,
        room: rtc.Room,
        options: AudioInputOptions,
        *,
        pre_connect: PreConnectAudio | None = None,
    ) -> None:
        super().__init__(label="room")
        if options.frame_size_ms < 1:
            raise ValueError(f"frame_size_ms is 1 at least, not {options.frame_size_ms}")
        self._options = options
        self._step_ms = min(STEP_MS, options.frame_size_ms)
        self._pre_connect = pre_connect
        self._frames: deque[rtc.AudioFrame] = deque(maxlen=round(QUEUED * 1000 / self._step_ms))
        self._arrived = asyncio.Event()
        self._attached = True
        self._closed = False
        self._level = _levelling(options)
        self._reader: TrackReader[rtc.AudioFrame] = TrackReader(
            room,
            sources=MICROPHONE,
            open_stream=self._open,
            on_frame=self._take,
            on_end=self._pause,
            before=None if pre_connect is None else self._said_before,
        )

    @property
    def identity(self) -> str | None:
        """Who is heard."""
        return self._reader.identity

    def set_participant(self, identity: str | None) -> None:
        """Hear this one from now on, even if they aren't there yet; None hears nobody."""
        self._reader.follow(identity)

    async def __anext__(self) -> rtc.AudioFrame:
        while not self._frames:
            if self._closed:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return self._frames.popleft()

    @property
    def latency(self) -> float:
        """Half of a frame on average; what the network adds isn't known."""
        return self._step_ms / 1000

    def on_attached(self) -> None:
        """See `AudioInput.on_attached`."""
        self._attached = True

    def on_detached(self) -> None:
        """See `AudioInput.on_detached`."""
        self._attached = False
        self._frames.clear()

    async def aclose(self) -> None:
        """Stop reading; the frames end."""
        self._closed = True
        await self._reader.aclose()
        self._arrived.set()

    def _open(self, track: rtc.Track, participant: rtc.RemoteParticipant) -> FrameStream:
        cancellation: Any = self._options.noise_cancellation
        if callable(cancellation) and not isinstance(cancellation, rtc.FrameProcessor):
            cancellation = cancellation(NoiseCancellationParams(participant, track))
        return rtc.AudioStream.from_track(
            track=track,
            sample_rate=self._options.sample_rate,
            num_channels=self._options.num_channels,
            frame_size_ms=self._step_ms,
            noise_cancellation=cancellation,
        )

    def _take(self, frame: rtc.AudioFrame) -> None:
        if self._attached:
            self._frames.append(self._level(frame))
            self._arrived.set()

    def _pause(self) -> None:
        rate, channels = self._options.sample_rate, self._options.num_channels
        self._take(rtc.AudioFrame.create(rate, channels, round(SILENCE * rate)))

    async def _said_before(self, publication: rtc.RemoteTrackPublication) -> list[rtc.AudioFrame]:
        assert self._pre_connect is not None
        heard = await self._pre_connect.audio_of(publication, timeout=self._options.pre_connect_audio_timeout)
        if heard is None:
            return []
        rate, channels = self._options.sample_rate, self._options.num_channels
        samples = resample(to_mono(to_array(heard)), heard.sample_rate, rate)
        frames = (frame_from_array(piece, rate) for piece in Framer(rate * self._step_ms // 1000).push(samples))
        return [_with_channels(frame, channels) for frame in frames]


def _with_channels(frame: rtc.AudioFrame, channels: int) -> rtc.AudioFrame:
    return frame if channels == 1 else frame_from_array(to_array(frame).repeat(channels, axis=1), frame.sample_rate)


def _levelling(options: AudioInputOptions) -> Callable[[rtc.AudioFrame], rtc.AudioFrame]:
    """What levels each frame's loudness: nothing, unless it is asked for."""
    if options.auto_gain_control is not True:
        return lambda frame: frame
    processing = rtc.AudioProcessingModule(auto_gain_control=True)
    framer = Framer.of_duration(0.01, options.sample_rate, options.num_channels)

    def level(frame: rtc.AudioFrame) -> rtc.AudioFrame:
        if frame.samples_per_channel % framer.size:
            return frame  # silence between tracks
        pieces = framer.push(to_array(frame))
        for piece in pieces:
            processing.process_stream(small := frame_from_array(piece, frame.sample_rate))
            piece[:] = to_array(small).reshape(piece.shape)
        import numpy as np

        return frame_from_array(np.concatenate(pieces), frame.sample_rate)

    return level
