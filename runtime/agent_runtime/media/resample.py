"""Changing the sample rate of live audio, chunk by chunk."""

from __future__ import annotations

from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agent_runtime.errors import MissingDependencyError

if TYPE_CHECKING:
    import samplerate


class Resampler:
    """Converts a stream of `int16[samples]` (or `[samples, channels]`) from one rate to another.

    Sample 0 that goes out is the same instant as sample 0 that came in, and after `flush` exactly
    `round(samples * out_rate / in_rate)` samples have come out, however the input was cut. libsamplerate's medium
    sinc filter holds back about 3 ms, steadily: others tried give bursts, or hold back 20 ms and more.

    Args:
        in_rate: Hz of what is pushed.
        out_rate: Hz of what comes out.
        channels: interleaved channels.
    """

    def __init__(self, in_rate: int, out_rate: int, channels: int = 1) -> None:
        if in_rate < 1 or out_rate < 1:
            raise ValueError(f"can't resample from {in_rate} Hz to {out_rate} Hz")
        self.in_rate = in_rate
        self.out_rate = out_rate
        self.channels = channels
        self._in = 0
        self._out = 0

    @property
    def pending(self) -> int:
        """Samples at `out_rate` that the filter holds back now."""
        return round(self._in * self.out_rate / self.in_rate) - self._out

    def push(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Convert a chunk. What comes out may be shorter or longer than its share, by what the filter holds back."""
        self._in += len(samples)
        if self.in_rate == self.out_rate:
            self._out += len(samples)
            return samples
        return self._convert(samples.astype(np.float32))

    def flush(self) -> NDArray[np.int16]:
        """What the filter still holds back; then it is ready for another stream."""
        parts = [np.zeros((0, self.channels) if self.channels > 1 else 0, np.int16)]
        # Silence pushes the rest out of the filter. Its converter wants a whole number of input samples, a few
        # milliseconds at a time, until enough has come out.
        step = ceil(self.in_rate / 100)
        silence = np.zeros((step, self.channels) if self.channels > 1 else step, np.float32)
        while (missing := self.pending) > 0:
            parts.append(self._convert(silence)[:missing])
            self._out = min(self._out, round(self._in * self.out_rate / self.in_rate))
        self.reset()
        return np.concatenate(parts)

    def reset(self) -> None:
        """Forget what was pushed and start another stream."""
        self._in = self._out = 0
        if "_filter" in self.__dict__:
            self._filter.reset()

    def _convert(self, samples: NDArray[np.float32]) -> NDArray[np.int16]:
        converted: NDArray[np.float32] = self._filter.process(samples, self.out_rate / self.in_rate, end_of_input=False)
        self._out += len(converted)
        # A filter's overshoot at full scale would wrap round.
        return np.clip(np.rint(converted), -32768, 32767).astype(np.int16)

    @cached_property
    def _filter(self) -> samplerate.Resampler:
        try:
            import samplerate
        except ImportError as e:
            raise MissingDependencyError("the resampler (samplerate)", "pip install samplerate") from e
        return samplerate.Resampler("sinc_medium", channels=self.channels)


def resample(samples: NDArray[np.int16], in_rate: int, out_rate: int) -> NDArray[np.int16]:
    """Convert a whole signal at once: `int16[samples]` or `int16[samples, channels]`."""
    if samples.ndim == 2 and samples.shape[1] == 1:  # a mono filter takes and gives one dimension
        return resample(samples[:, 0], in_rate, out_rate)[:, np.newaxis]
    resampler = Resampler(in_rate, out_rate, 1 if samples.ndim == 1 else samples.shape[1])
    return np.concatenate((resampler.push(samples), resampler.flush()))
