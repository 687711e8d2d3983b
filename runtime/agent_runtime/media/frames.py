"""The unit of audio that everything passes on: `livekit.rtc.AudioFrame`, PCM16, interleaved.

It is LiveKit's own class and not one like it, so that nodes and plugins written for LiveKit Agents can make, read and
resample frames as they do today.
"""

from __future__ import annotations

import numpy as np
from livekit.rtc import AudioFrame
from numpy.typing import NDArray

__all__ = ["AudioFrame", "duration", "frame_from_array", "to_array"]


def to_array(frame: AudioFrame) -> NDArray[np.int16]:
    """A view of the frame as `int16[samples, channels]`; writing to it writes to the frame."""
    return np.frombuffer(frame.data, dtype=np.int16).reshape(-1, frame.num_channels)


def frame_from_array(samples: NDArray[np.int16], sample_rate: int) -> AudioFrame:
    """A frame of `int16[samples]` or `int16[samples, channels]`, copied."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    return AudioFrame(
        data=np.ascontiguousarray(samples, dtype=np.int16).tobytes(),
        sample_rate=sample_rate,
        num_channels=channels,
        samples_per_channel=samples.shape[0],
    )


def duration(frame: AudioFrame) -> float:
    """Seconds."""
    return frame.samples_per_channel / frame.sample_rate
