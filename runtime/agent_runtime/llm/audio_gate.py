"""Tells a duplex model's speech from its silence, frame by frame, by how loud it is."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame

_FULL_SCALE: Final = 32768.0
_QUIETEST: Final = 1e-4
"""-80 dBFS: no floor is lower, so that the ratios hold for a model that sends zeros."""


class AudioGate(Protocol):
    """Tells whether what a model sends is speech. It hears every frame, in order."""

    def update(self, frame: AudioFrame) -> bool:
        """Whether the frame is part of speech."""
        ...

    def deactivate(self) -> None:
        """The speech is over, whatever the gate thinks; what was learned of the model is kept."""
        ...


class FixedGate:
    """Opens on what is louder than a silence of known level.

    Args:
        silence: level of the model's silence, as the root of the mean square, 1.0 being full scale.
        activation_ratio: how many times louder than that speech is.
        deactivation_ratio: under so many times that level it may be over.
        min_silence_duration: seconds that it has to be so quiet to be over.
    """

    def __init__(
        self,
        silence: float,
        *,
        activation_ratio: float = 3.0,
        deactivation_ratio: float = 1.8,
        min_silence_duration: float = 0.5,
    ) -> None:
        self._silence = silence
        self._up, self._down = activation_ratio, deactivation_ratio
        self._min_silence = min_silence_duration
        self._open = False
        self._quiet_for = 0.0

    def update(self, frame: AudioFrame) -> bool:
        """See `AudioGate`."""
        level = _level(frame)
        floor = max(self._floor(level, frame.duration), _QUIETEST)
        if not self._open:
            self._open, self._quiet_for = level > floor * self._up, 0.0
        elif level >= floor * self._down:
            self._quiet_for = 0.0
        else:
            self._quiet_for += frame.duration
            self._open = self._quiet_for < self._min_silence
        return self._open

    def deactivate(self) -> None:
        """See `AudioGate`."""
        self._open, self._quiet_for = False, 0.0

    def _floor(self, level: float, seconds: float) -> float:
        return self._silence


class AdaptiveNoiseGate(FixedGate):
    """Opens on what is louder than the model's own silence, which it learns.

    That silence is the quietest whole stretch of `min_silence_duration` in the last `window` seconds in which it was
    closed; until there is one, the quietest frame: a model may speak as soon as it is connected. It counts seconds of
    sound, not of time, and levels as ratios, so the defaults do for any model.
    """

    def __init__(
        self,
        *,
        activation_ratio: float = 3.0,
        deactivation_ratio: float = 1.8,
        min_silence_duration: float = 0.5,
        window: float = 10.0,
    ) -> None:
        super().__init__(
            _QUIETEST,
            activation_ratio=activation_ratio,
            deactivation_ratio=deactivation_ratio,
            min_silence_duration=min_silence_duration,
        )
        self._window = window
        self._stretches: deque[tuple[float, float]] = deque()
        """(level, seconds) of each, the newest last."""
        self._quietest = math.inf
        """Level of a frame."""
        self._sum = self._seconds = 0.0
        """Of the stretch that isn't whole yet: levels weighted by their seconds, and these."""

    def _floor(self, level: float, seconds: float) -> float:
        if not self._open:
            self._learn(level, seconds)
        self._quietest = min(self._quietest, level)
        return min((level for level, _ in self._stretches), default=self._quietest)

    def _learn(self, level: float, seconds: float) -> None:
        self._sum += level * seconds
        self._seconds += seconds
        if self._seconds < self._min_silence or not seconds:
            return
        self._stretches.append((self._sum / self._seconds, self._seconds))
        self._sum = self._seconds = 0.0
        while len(self._stretches) > 1 and sum(length for _, length in self._stretches) > self._window:
            self._stretches.popleft()


def _level(frame: AudioFrame) -> float:
    """The root of the mean square, 1.0 being full scale."""
    import numpy as np

    samples = np.frombuffer(frame.data, dtype=np.int16).astype(np.float32)
    return math.sqrt(float(np.mean(np.square(samples)))) / _FULL_SCALE if samples.size else 0.0
