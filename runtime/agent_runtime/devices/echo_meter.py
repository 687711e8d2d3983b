"""How much quieter the microphone got by taking out what the speaker plays."""

from __future__ import annotations

from math import log10
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent_runtime.media.levels import power

AUDIBLE: Final = 100.0
"""RMS of the speaker's samples from which on there is something to take out: -50 dBFS."""
WINDOW: Final = 100
"""Frames of 10 ms with an audible speaker that make a figure."""


class EchoMeter:
    """Compares the microphone's energy before and after, over the last second in which the speaker was heard."""

    def __init__(self) -> None:
        self.removed: float | None = None
        """dB, to a whole one; None until there was a second of it."""
        self._before = self._after = 0.0
        self._frames = 0

    def add(self, near: NDArray[np.int16], far: NDArray[np.int16] | None, clean: NDArray[np.int16]) -> None:
        """Take in 10 ms: of the microphone, of the speaker, and what is left of the first."""
        if far is None or power(far) < AUDIBLE**2:
            return
        self._before += power(near)
        self._after += power(clean)
        self._frames += 1
        if self._frames == WINDOW:
            # Half a bit of noise on either side: digital silence has no logarithm.
            floor = 0.25 * WINDOW
            self.removed = float(round(10 * log10((self._before + floor) / (self._after + floor))))
            self._before = self._after = 0.0
            self._frames = 0
