"""How loud audio is, in dBFS: 0 is a full-scale square wave, a full-scale sine has an RMS of -3.01."""

from __future__ import annotations

from math import log10

import numpy as np
from numpy.typing import NDArray

from agent_runtime.records import record

SILENCE: float = -96.33
"""dBFS of digital silence: below the smallest step of 16 bits, which is -90.3."""


@record(frozen=True, slots=True)
class Level:
    """Loudness of one stretch of audio, in dBFS."""

    rms: float
    peak: float
    clipped: bool
    """Whether three samples in a row stand at the limit: the converter or a gain before it cut the top off."""


def power(samples: NDArray[np.int16]) -> float:
    """The mean of the squares of `int16[samples]`; there must be some."""
    exact = samples.astype(np.float32)
    return float(exact @ exact) / len(samples)


def measure(samples: NDArray[np.int16]) -> Level:
    """The level of `int16[samples]` or `int16[samples, channels]`; nothing at all is silence."""
    if not samples.size:
        return Level(SILENCE, SILENCE, False)
    wide = samples.astype(np.float32)
    peak = float(np.abs(wide).max())
    return Level(_dbfs(float(np.sqrt(np.mean(wide * wide)))), _dbfs(peak), peak >= 32767 and _clipped(samples))


class LevelMeter:
    """Level with a peak that is held, for a person to read.

    Args:
        hold: seconds that a peak stands.
        decay: dB a second at which it then falls.
    """

    def __init__(self, *, hold: float = 1.5, decay: float = 20.0) -> None:
        self.hold = hold
        self.decay = decay
        self._peak = SILENCE
        self._peak_at = 0.0

    def push(self, samples: NDArray[np.int16], now: float) -> Level:
        """Measure a stretch that ended at `now` (seconds, on any clock that only grows)."""
        level = measure(samples)
        if level.peak >= self.held_peak(now):
            self._peak, self._peak_at = level.peak, now
        return level

    def held_peak(self, now: float) -> float:
        """The highest peak of late, in dBFS."""
        falling = max(0.0, now - self._peak_at - self.hold) * self.decay
        return max(SILENCE, self._peak - falling)


def _dbfs(amplitude: float) -> float:
    return max(SILENCE, 20 * log10(amplitude / 32768)) if amplitude > 0 else SILENCE


def _clipped(samples: NDArray[np.int16]) -> bool:
    flat = samples[:, None] if samples.ndim == 1 else samples
    at_limit = (flat >= 32767) | (flat <= -32768)
    return bool((at_limit[:-2] & at_limit[1:-1] & at_limit[2:]).any())
