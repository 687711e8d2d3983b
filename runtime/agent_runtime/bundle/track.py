"""A WAV file on the session's clock: what came late, or not at all, is silence, and moves nothing else."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent_runtime.media.resample import Resampler
from agent_runtime.media.wav import WavWriter

GAP: Final = 0.02
"""Seconds that blocks may come late without a silence before them: clocks of devices and timers are no better."""


class Track:
    """Places blocks of sound by the time at which they ended.

    A block can come late, never early. So its place is the earliest that it or one of those after it allows, if they
    follow each other without a pause: after a loop that stood still, a crowd of late blocks goes where it was heard.

    Args:
        path: the file; it is made with the first block.
        begins: second of the session of its first sample.
        hold: seconds that a block is held back to see what comes after it.
    """

    def __init__(self, path: Path, *, begins: float, hold: float = 0.0) -> None:
        self._path = path
        self._begins = begins
        self._hold = hold
        self._blocks: deque[tuple[float, NDArray[np.int16]]] = deque()
        self._writer: WavWriter | None = None
        self._resampler: Resampler | None = None

    def put(self, end: float, samples: NDArray[np.int16], rate: int) -> None:
        """Take `int16[samples]` of `rate` Hz, the last of them heard at second `end`. Raises MediaError.

        A block without samples says that the next one begins then.
        """
        if self._writer is None:
            if not len(samples) and not rate:
                return
            self._writer = WavWriter(self._path, rate)
        self._blocks.append((end, self._converted(samples, rate)))

    def save(self, now: float) -> None:
        """Write what needn't be held back any more, so that it outlives the process. Raises MediaError."""
        if self._writer is None:
            return
        ready = sum(1 for end, _ in self._blocks if end <= now - self._hold)
        for place, samples in self._placed()[:ready]:
            self._blocks.popleft()
            gap = place - self._begins - self._writer.duration
            if gap > (GAP if len(samples) else 0.0):
                self._writer.write_silence(round(gap * self._writer.sample_rate))
            self._writer.write(samples)
        self._writer.save()

    def close(self, end: float) -> None:
        """Write the rest, and silence up to second `end`. Raises MediaError."""
        if self._writer is None:
            return
        self.put(end, np.zeros(0, np.int16), self._writer.sample_rate)
        self.save(float("inf"))
        self._writer.close()

    def _placed(self) -> list[tuple[float, NDArray[np.int16]]]:
        """Blocks with the second at which each begins."""
        assert self._writer is not None
        places: list[tuple[float, NDArray[np.int16]]] = []
        latest = float("inf")
        for end, samples in reversed(self._blocks):
            latest = min(end, latest) - len(samples) / self._writer.sample_rate
            places.append((latest, samples))
        return places[::-1]

    def _converted(self, samples: NDArray[np.int16], rate: int) -> NDArray[np.int16]:
        assert self._writer is not None
        if rate == self._writer.sample_rate or not len(samples):
            return samples
        if self._resampler is None or self._resampler.in_rate != rate:
            self._resampler = Resampler(rate, self._writer.sample_rate)
        return self._resampler.push(samples)
