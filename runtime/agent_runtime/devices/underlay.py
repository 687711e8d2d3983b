"""What lies under the agent's speech at an output: the background, at the output's rate, softer while speech sounds."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from agent_runtime.io import Background
from agent_runtime.media.mix import limit
from agent_runtime.media.resample import Resampler


class Underlay:
    """Adds a background to the samples that go out, in the thread in which they do.

    The speech itself stays as it is, sample by sample, but where the sum is too loud (`media.mix.limit`).

    Args:
        background: what is added.
        sample_rate: Hz of what goes out.
    """

    def __init__(self, background: Background, sample_rate: int) -> None:
        self._background = background
        self._rate = sample_rate
        self._gain = 1.0
        steps = max(1.0, background.duck_fade * sample_rate)
        self._step = (1.0 - background.ducked_gain) / steps
        self._resampler = Resampler(background.sample_rate, sample_rate)
        self._rest = np.zeros(0, np.float32)

    def mix(self, out: NDArray[np.int16], speech: int) -> NDArray[np.int16]:
        """`int16[samples]` with the background under it. Of the samples, the first `speech` are speech."""
        gain = np.concatenate((self._ramp(speech, self._background.ducked_gain), self._ramp(len(out) - speech, 1.0)))
        under = self._take(len(out))
        return out if under is None else limit(np.add(out, under * gain, dtype=np.float32))

    def skip(self, count: int) -> None:
        """Let `count` samples pass unheard."""
        self._take(count)

    def _ramp(self, count: int, target: float) -> NDArray[np.float32]:
        if count == 0 or self._gain == target:
            return np.full(count, target, np.float32)
        steps = self._step * np.arange(1, count + 1)
        gains = (
            np.minimum(self._gain + steps, target) if self._gain < target else np.maximum(self._gain - steps, target)
        )
        self._gain = float(gains[-1])
        return np.asarray(gains, np.float32)

    def _take(self, count: int) -> NDArray[np.float32] | None:
        background = self._background
        if self._rate == background.sample_rate:
            return background.read(count)
        while len(self._rest) < count:
            wanted = ceil((count - len(self._rest)) * background.sample_rate / self._rate)
            read = background.read(wanted)
            if read is None:
                # Nothing plays: what the filter holds back is 3 ms of an end.
                self._resampler.reset()
                rest, self._rest = self._rest, np.zeros(0, np.float32)
                return np.pad(rest, (0, count - len(rest))) if len(rest) else None
            converted = self._resampler.push(limit(read))
            self._rest = np.concatenate((self._rest, converted.astype(np.float32)))
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken
