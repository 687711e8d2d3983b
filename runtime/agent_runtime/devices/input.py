"""What every local source of the user's speech has: a mute switch and a memory of the last moments."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agent_runtime.io import AudioInput
from agent_runtime.media.frames import frame_from_array

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame

FRAME = 0.01
"""Seconds of a frame."""


class LocalInput(AudioInput):
    """Frames of 10 ms, mono, at `sample_rate`, that can be muted and remembered.

    Args:
        label: name for people.
        sample_rate: Hz of the frames.
        remember: seconds that `recent` can look back.
    """

    def __init__(self, *, label: str, sample_rate: int = 16000, remember: float = 1.0) -> None:
        super().__init__(label=label)
        self.sample_rate = sample_rate
        self.frame_size = round(sample_rate * FRAME)
        self.muted = False
        """While it is True frames go on, as silence: whoever listens keeps their sense of time."""
        self._memory: deque[NDArray[np.int16]] = deque(maxlen=max(1, round(remember / FRAME)))

    async def __anext__(self) -> AudioFrame:
        samples = await self._next_samples()
        if self.muted:
            samples = np.zeros_like(samples)
        self._memory.append(samples)
        return frame_from_array(samples, self.sample_rate)

    def recent(self, seconds: float) -> AudioFrame:
        """The last `seconds` of what came out, or less if there isn't as much: the pre-roll of push-to-talk."""
        wanted = round(seconds * self.sample_rate)
        needed = ceil(wanted / self.frame_size)
        frames = list(self._memory)[-needed:] if needed > 0 else []
        samples = np.concatenate((np.zeros(0, np.int16), *frames))
        return frame_from_array(samples[max(0, len(samples) - wanted) :], self.sample_rate)

    @abstractmethod
    async def _next_samples(self) -> NDArray[np.int16]:
        """The next `int16[frame_size]`, when it is time. Raises StopAsyncIteration when there are no more."""
