"""Short ramps where speech is cut, so that it doesn't click."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FADE: float = 0.005
"""Seconds of a fade: no click is heard, and no word either."""


def fade_length(sample_rate: int) -> int:
    """Samples of a fade at `sample_rate`."""
    return round(FADE * sample_rate)


def fade_out(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """`int16[samples]` or `int16[samples, channels]`, from full loudness down to nothing over its whole length."""
    return _scaled(samples, np.linspace(1, 0, len(samples), endpoint=False, dtype=np.float32))


def fade_in(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """The same, from nothing up to full loudness."""
    return _scaled(samples, np.linspace(0, 1, len(samples), endpoint=False, dtype=np.float32))


def _scaled(samples: NDArray[np.int16], ramp: NDArray[np.float32]) -> NDArray[np.int16]:
    return (samples * ramp.reshape(-1, *[1] * (samples.ndim - 1))).astype(np.int16)
