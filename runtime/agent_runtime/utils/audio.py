"""Frames made of bytes that come in any pieces, for people's own providers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, TypeAlias

import numpy as np
from livekit.rtc import AudioFrame, combine_audio_frames
from numpy.typing import DTypeLike, NDArray

from agent_runtime.media.frames import duration, to_array
from agent_runtime.media.mix import to_channels, to_mono
from agent_runtime.media.resample import Resampler, resample
from agent_runtime.media.wav import read_wav

AudioBuffer: TypeAlias = list[AudioFrame] | AudioFrame

merge_frames = combine_frames = combine_audio_frames


def calculate_audio_duration(frames: AudioBuffer) -> float:
    """Seconds of one frame, or of all of them."""
    return sum(map(duration, frames)) if isinstance(frames, list) else duration(frames)


def silence_frame(duration: float, sample_rate: int, num_channels: int = 1) -> AudioFrame:
    """Silence of `duration` seconds."""
    samples = int(duration * sample_rate)
    return AudioFrame(bytes(2 * samples * num_channels), sample_rate, num_channels, samples)


def silence_frame_like(frame: AudioFrame) -> AudioFrame:
    """Silence as long as `frame`, with its rate and channels."""
    data = bytes(2 * frame.samples_per_channel * frame.num_channels)
    return AudioFrame(data, frame.sample_rate, frame.num_channels, frame.samples_per_channel)


class AudioByteStream:
    """Cuts PCM16 bytes that come in any pieces into frames.

    Args:
        sample_rate: Hz.
        num_channels: channels, interleaved.
        samples_per_channel: of each frame; unset, 100 ms.
        progressive: begin with a frame of 20 ms and double from frame to frame up to that size, so that the first
            audio goes out early.
    """

    def __init__(
        self, sample_rate: int, num_channels: int, samples_per_channel: int | None = None, progressive: bool = False
    ) -> None:
        self._sample_rate = sample_rate
        self._num_channels = num_channels
        self._sample_size = 2 * num_channels
        self._samples = samples_per_channel or sample_rate // 10
        self._first = min(sample_rate // 50, self._samples) if progressive else self._samples
        self._next = self._first
        self._rest = bytearray()

    def push(self, data: bytes | memoryview) -> list[AudioFrame]:
        """Add bytes; returns the frames that are full now."""
        self._rest += data
        frames = []
        while len(self._rest) >= self._next * self._sample_size:
            frames.append(self._cut(self._next))
            self._next = min(2 * self._next, self._samples)
        return frames

    write = push

    @property
    def buffered_duration(self) -> float:
        """Seconds that wait for a frame to be full."""
        return len(self._rest) / self._sample_size / self._sample_rate

    def flush(self) -> list[AudioFrame]:
        """What waits, as one shorter frame; the bytes of a sample that isn't complete wait on."""
        samples = len(self._rest) // self._sample_size
        return [self._cut(samples)] if samples else []

    def reset_progressive(self) -> None:
        """Begin with short frames again; what waits is kept."""
        self._next = self._first

    def clear(self) -> None:
        """Forget what waits and begin anew."""
        self._rest.clear()
        self.reset_progressive()

    def _cut(self, samples: int) -> AudioFrame:
        size = samples * self._sample_size
        data = bytes(self._rest[:size])
        del self._rest[:size]
        return AudioFrame(data, self._sample_rate, self._num_channels, samples)


class AudioArrayBuffer:
    """The last `buffer_size` samples of a signal, mono at `sample_rate`."""

    def __init__(self, *, buffer_size: int, dtype: DTypeLike = np.int16, sample_rate: int = 16000) -> None:
        self._size = buffer_size
        self._sample_rate = sample_rate
        self._samples: NDArray[Any] = np.zeros(0, dtype)
        self._resampler: Resampler | None = None

    def push_frame(self, frame: AudioFrame) -> int:
        """Add a frame, resampled and mixed to mono as needed; returns how many samples came of it.

        Raises:
            ValueError: it is longer than the buffer, or of another rate than those before it.
        """
        if self._resampler is None and frame.sample_rate != self._sample_rate:
            self._resampler = Resampler(frame.sample_rate, self._sample_rate)
        mono = to_mono(to_array(frame))
        if self._resampler is not None:
            if frame.sample_rate != self._resampler.in_rate:
                raise ValueError(f"the frame has {frame.sample_rate} Hz, those before it {self._resampler.in_rate}")
            mono = self._resampler.push(mono)
        if len(mono) > self._size:
            raise ValueError(f"the frame has {len(mono)} samples, the buffer takes {self._size}")
        joined = np.concatenate((self._samples, mono.astype(self._samples.dtype)))
        self._samples = joined[max(0, len(joined) - self._size) :]
        return len(mono)

    def shift(self, size: int) -> None:
        """Forget the oldest `size` samples."""
        self._samples = self._samples[size:]

    def read(self) -> NDArray[Any]:
        """A copy of the samples."""
        return self._samples.copy()

    def reset(self) -> None:
        """Forget everything; the next frame may have another rate."""
        self._samples = self._samples[:0]
        self._resampler = None

    def __len__(self) -> int:
        return len(self._samples)


async def audio_frames_from_file(
    file_path: str, sample_rate: int = 48000, num_channels: int = 1
) -> AsyncGenerator[AudioFrame, None]:
    """The frames, 100 ms each, of a WAV file at another rate and number of channels.

    Raises:
        MediaError: it isn't a WAV file that can be read.
    """
    samples, rate = await asyncio.to_thread(read_wav, file_path)
    channels = to_mono(samples) if num_channels == 1 else to_channels(samples, num_channels)
    converted = await asyncio.to_thread(resample, channels, rate, sample_rate)
    stream = AudioByteStream(sample_rate, num_channels)
    for frame in stream.push(converted.tobytes()) + stream.flush():
        yield frame
