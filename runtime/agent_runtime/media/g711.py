"""The telephone network's 8-bit codes, μ-law and A-law (ITU-T G.711), by table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def ulaw_decode(data: bytes) -> NDArray[np.int16]:
    """μ-law bytes to `int16[samples]`."""
    return _ULAW_TO_PCM[np.frombuffer(data, np.uint8)]


def ulaw_encode(samples: NDArray[np.int16]) -> bytes:
    """`int16[samples]` to μ-law bytes."""
    return _PCM_TO_ULAW[samples.view(np.uint16)].tobytes()


def alaw_decode(data: bytes) -> NDArray[np.int16]:
    """A-law bytes to `int16[samples]`."""
    return _ALAW_TO_PCM[np.frombuffer(data, np.uint8)]


def alaw_encode(samples: NDArray[np.int16]) -> bytes:
    """`int16[samples]` to A-law bytes."""
    return _PCM_TO_ALAW[samples.view(np.uint16)].tobytes()


def _ulaw_levels() -> NDArray[np.int16]:
    # G.711 table 2: sign, 3 bits of segment, 4 bits of step, all inverted on the wire; 14-bit values, so times 4.
    code = ~np.arange(256, dtype=np.uint8)
    segment = (code >> 4 & 7).astype(np.int32)
    magnitude = ((((code & 15).astype(np.int32) << 1) + 33 << segment) - 33) * 4
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_levels() -> NDArray[np.int16]:
    # G.711 table 1: every second bit inverted on the wire, the sign bit set for positive; 13-bit values, so times 8.
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    segment = (code >> 4 & 7).astype(np.int32)
    step = ((code & 15).astype(np.int32) << 1) + 1
    magnitude = np.where(segment == 0, step, step + 32 << np.maximum(segment - 1, 0)) * 8
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _nearest_codes(levels: NDArray[np.int16]) -> NDArray[np.uint8]:
    """For each int16, by its unsigned view, the code whose level is nearest; an exact middle goes to the louder one."""
    order = np.argsort(levels, kind="stable").astype(np.uint8)
    values = levels[order].astype(np.int32)
    pcm = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    above = np.clip(np.searchsorted(values, pcm), 1, len(values) - 1)
    to_lower, to_upper = pcm - values[above - 1], values[above] - pcm
    nearest = np.where((to_lower < to_upper) | ((to_lower == to_upper) & (pcm < 0)), above - 1, above)
    return order[nearest]


_ULAW_TO_PCM = _ulaw_levels()
_ALAW_TO_PCM = _alaw_levels()
_PCM_TO_ULAW = _nearest_codes(_ULAW_TO_PCM)
_PCM_TO_ULAW[0] = 0xFF  # μ-law has a zero of either sign; silence is the positive one
_PCM_TO_ALAW = _nearest_codes(_ALAW_TO_PCM)
