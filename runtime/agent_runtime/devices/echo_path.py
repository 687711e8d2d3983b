"""Whether the microphone hears the speaker at all: with a headset it doesn't.

WebRTC's canceller takes whatever comes while the speaker plays for its echo until it has found out by itself that there
is none, which takes it five to ten seconds of speech: so long, somebody with a headset can't interrupt the agent
(their voice comes through 40 to 50 dB quieter). The microphone's level tells much sooner.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent_runtime.media.levels import power

LOUD: Final = 180.0**2
"""Power, -45 dBFS, that the speaker must not fall below for `STEADY` frames: then an echo must be there."""
STEADY: Final = 20
"""Frames of 10 ms that an echo may come later than the devices say, and stay away between words."""
SMOOTHED: Final = 5
"""Frames over which the speaker's power is taken: shorter gaps within a word aren't pauses."""
NEAR_SMOOTHED: Final = 10
"""Frames over which the microphone's is."""
QUIET: Final = 10.0**2
"""Power, -70 dBFS, below which a microphone is quiet whatever its own noise."""
ABOVE_NOISE: Final = 4.0
"""How much more than its own noise it may have and is quiet all the same: 6 dB."""
REMEMBERED: Final = 150
"""Frames with a steadily loud speaker that count: of speech those of some six seconds."""
ENOUGH, SURE = 20, 100
"""How many of them there must be to find that there is no echo, and to find afterwards that there is one."""
ABSENT, PRESENT = 0.6, 0.25
"""Share of quiet frames from which on there is no echo, and below which there may be one. Somebody who talks over the
agent makes frames loud as well: for two seconds that changes nothing."""
_NOISE_FRAMES: Final = 200
_NOISE_RANK: Final = 0.2


class EchoPath:
    """Listens to both signals, 10 ms at a time."""

    def __init__(self) -> None:
        self._noise: deque[float] = deque(maxlen=_NOISE_FRAMES)
        self.forget()

    @property
    def is_absent(self) -> bool:
        """Whether nothing of the speaker comes back; False as long as that isn't known."""
        return self._absent

    def forget(self, delay: float = 0.0) -> None:
        """Another speaker is open, whose sound takes `delay` seconds through the air and both devices."""
        self._steady = STEADY + round(delay * 100)
        self._far: deque[float] = deque(maxlen=self._steady + SMOOTHED)
        self._near: deque[float] = deque(maxlen=NEAR_SMOOTHED)
        self._quiet: deque[bool] = deque(maxlen=REMEMBERED)
        self._absent = False

    def add(self, near: NDArray[np.int16], far: NDArray[np.int16] | None) -> None:
        """Take in what the microphone heard, and what the speaker played meanwhile."""
        self._near.append(power(near))
        self._far.append(0.0 if far is None else power(far))
        if self._is_far_silent():
            self._noise.append(self._near[-1])
        elif self._is_far_steady():
            level = sum(self._near) / len(self._near)
            self._quiet.append(level < max(QUIET, ABOVE_NOISE * self._noise_level()))
            self._decide()

    def _decide(self) -> None:
        if len(self._quiet) < (SURE if self._absent else ENOUGH):
            return
        share = sum(self._quiet) / len(self._quiet)
        self._absent = share >= (PRESENT if self._absent else ABSENT)

    def _is_far_silent(self) -> bool:
        return len(self._far) == self._far.maxlen and max(self._far) < QUIET

    def _is_far_steady(self) -> bool:
        if len(self._far) < self._steady + SMOOTHED or self._far[-1] < LOUD / 10:
            return False
        sums = np.convolve(self._far, np.ones(SMOOTHED), "valid")
        return bool(sums.min() >= LOUD * SMOOTHED)

    def _noise_level(self) -> float:
        """The microphone's own noise: what it is at its quieter moments while nobody plays."""
        if not self._noise:
            return 0.0
        ordered = sorted(self._noise)
        return ordered[int(_NOISE_RANK * (len(ordered) - 1))]
