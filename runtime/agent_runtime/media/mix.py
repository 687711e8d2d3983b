"""Channels, gain, and several streams in one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_KNEE = 0.8
"""Fraction of full scale (-1.9 dBFS) below which the limiter leaves every sample as it is."""


def to_channels(samples: NDArray[np.int16], channels: int) -> NDArray[np.int16]:
    """Turn `int16[samples]` or `int16[samples, n]` into `int16[samples, channels]`.

    To mono is the mean of all channels; from mono is the same in each. Otherwise channels that both have stay where
    they are, further ones of the target get the mean, so that nothing is lost and a missing speaker isn't silent.
    """
    if channels < 1:
        raise ValueError(f"audio has at least one channel, not {channels}")
    source = samples[:, None] if samples.ndim == 1 else samples
    if source.shape[1] == channels:
        return source
    mean = source if source.shape[1] == 1 else np.rint(source.mean(axis=1, keepdims=True)).astype(np.int16)
    if channels == 1 or source.shape[1] == 1:
        return np.repeat(mean, channels, axis=1)
    if channels < source.shape[1]:
        return np.repeat(mean, channels, axis=1)
    return np.hstack((source, np.repeat(mean, channels - source.shape[1], axis=1)))


def to_mono(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """The mean of all channels, `int16[samples]`."""
    return samples if samples.ndim == 1 else to_channels(samples, 1)[:, 0]


def gain(samples: NDArray[np.int16], db: float) -> NDArray[np.int16]:
    """Make it louder or softer by `db`; what gets too loud is limited softly."""
    if db == 0:
        return samples
    return limit(samples.astype(np.float32) * 10 ** (db / 20))


def mix(streams: Sequence[NDArray[np.int16]]) -> NDArray[np.int16]:
    """Add signals that start together, the shorter ones followed by silence; sums that get too loud are limited softly.

    All are `int16[samples]`, or all `int16[samples, channels]`. Below -1.9 dBFS the sum is exact.
    """
    if not streams:
        return np.zeros(0, np.int16)
    longest = max(streams, key=len)
    total = np.zeros(longest.shape, np.int32)
    for stream in streams:
        total[: len(stream)] += stream
    return limit(total.astype(np.float32))


def limit(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Bring samples in int16 units, however loud, into range: exact up to -1.9 dBFS, then a smooth knee.

    The knee is a hyperbolic tangent, which joins the straight part without a corner, so no sample clips hard and the
    order of loudness is kept.
    """
    magnitude = np.abs(samples) / 32767
    if magnitude.max(initial=0.0) > _KNEE:
        over = magnitude > _KNEE
        bent = _KNEE + (1 - _KNEE) * np.tanh((magnitude[over] - _KNEE) / (1 - _KNEE))
        samples = samples.copy()
        samples[over] = np.sign(samples[over]) * bent * 32767
    return np.rint(samples).astype(np.int16)
