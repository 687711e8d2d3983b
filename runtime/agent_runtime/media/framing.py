"""Cutting audio that comes in any pieces into frames of one size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Framer:
    """Takes chunks of any size and gives frames of exactly `size` samples, in order, losing nothing.

    Args:
        size: samples per channel of every frame.
        channels: chunks are `int16[samples]` where it is 1, else `int16[samples, channels]`; so are the frames.
    """

    def __init__(self, size: int, channels: int = 1) -> None:
        if size < 1:
            raise ValueError(f"a frame has at least one sample, not {size}")
        self.size = size
        self._shape = (-1,) if channels == 1 else (-1, channels)
        self._rest = np.zeros(0, np.int16).reshape(self._shape)

    @classmethod
    def of_duration(cls, seconds: float, sample_rate: int, channels: int = 1) -> Framer:
        """Frames of `seconds`, rounded to whole samples: 0.01 at 16 kHz are 160."""
        return cls(round(seconds * sample_rate), channels)

    def __len__(self) -> int:
        """Samples that wait for a frame to be full."""
        return len(self._rest)

    def push(self, samples: NDArray[np.int16]) -> list[NDArray[np.int16]]:
        """Add a chunk; returns the frames that are full now."""
        samples = samples.reshape(self._shape)
        data = np.concatenate((self._rest, samples)) if len(self._rest) else samples
        full = len(data) // self.size
        frames = [data[i * self.size : (i + 1) * self.size].copy() for i in range(full)]
        self._rest = data[full * self.size :].copy()
        return frames

    def flush(self) -> NDArray[np.int16] | None:
        """The last frame, filled up with silence; None if nothing waits."""
        if not len(self._rest):
            return None
        frame = np.zeros((self.size, *self._rest.shape[1:]), np.int16)
        frame[: len(self._rest)] = self._rest
        self._rest = self._rest[:0]
        return frame
