"""Log-mel features of speech, as Whisper's encoder and those built on it take them."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

RATE = 16000
"""Hz of the samples."""
HOP = 160
"""Samples from one column to the next: 10 ms."""
BANDS = 80
_WINDOW = 400
_LINEAR_HZ = 200 / 3
"""Hz of a mel below 1 kHz."""
_KNEE_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27
"""Above 1 kHz, 27 mels multiply a frequency by 6.4 (Slaney's Auditory Toolbox)."""


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """`float32[BANDS, columns]` of `float32[samples]` at `RATE`: one column each `HOP` samples, about -1 to 1.

    The loudest band sets the scale: what is 80 dB below it is silence.
    """
    padded = np.pad(samples, _WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::HOP]
    spectrum = np.abs(np.fft.rfft(frames[: len(samples) // HOP] * _window(), axis=1)) ** 2
    bands = np.log10(np.maximum(_filters() @ spectrum.T, 1e-10))
    features: NDArray[np.float32] = ((np.maximum(bands, bands.max() - 8.0) + 4.0) / 4.0).astype(np.float32)
    return features


@cache
def _window() -> NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)


@cache
def _filters() -> NDArray[np.float64]:
    """Triangles that overlap by half, evenly spaced in mels, each with the same area."""
    edges = _hertz(np.linspace(0.0, _mels(RATE / 2), BANDS + 2))
    bins = np.fft.rfftfreq(_WINDOW, 1 / RATE)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    scaled: NDArray[np.float64] = np.maximum(triangles, 0.0) * (2.0 / (high - low))
    return scaled


def _mels(hertz: float) -> float:
    if hertz < _KNEE_HZ:
        return hertz / _LINEAR_HZ
    return float(_KNEE_HZ / _LINEAR_HZ + np.log(hertz / _KNEE_HZ) / _LOG_STEP)


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    knee = _KNEE_HZ / _LINEAR_HZ
    return np.where(mels < knee, mels * _LINEAR_HZ, _KNEE_HZ * np.exp(_LOG_STEP * (mels - knee)))
