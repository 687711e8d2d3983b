"""Playing without a device: the clock says what has been heard."""

from __future__ import annotations

from math import floor

import numpy as np
from numpy.typing import NDArray

from agent_runtime.clock import Clock
from agent_runtime.devices.playout import SegmentedOutput


class ClockSink:
    """Plays to nowhere, by the clock: a sample is heard one sample's time after the one before it."""

    def __init__(self, clock: Clock, sample_rate: int) -> None:
        self._clock = clock
        self._rate = sample_rate
        self._written = 0
        self._anchor = 0  # this sample …
        self._anchor_time: float | None = None  # … is heard at this time; None while paused
        self._paused = False

    @property
    def sample_rate(self) -> int:
        """See `Sink.sample_rate`."""
        return self._rate

    @property
    def written(self) -> int:
        """See `Sink.written`."""
        return self._written

    @property
    def queued(self) -> int:
        """See `Sink.queued`."""
        return self._written - self.heard(self._clock.now())

    def write(self, samples: NDArray[np.int16]) -> None:
        """See `Sink.write`."""
        if not self._paused:
            now = self._clock.now()
            ends = self.time_of(self._written)
            if ends is None or now > ends + 0.5 / self._rate:  # it ran dry: the next sample is heard now
                self._anchor, self._anchor_time = self._written, now
        self._written += len(samples)

    def flush(self) -> None:
        """See `Sink.flush`."""

    def heard(self, now: float) -> int:
        """See `Sink.heard`."""
        if self._anchor_time is None:
            return self._anchor
        # A millionth of a sample: times are floats, and a sample that is due is due.
        return min(self._written, self._anchor + floor((now - self._anchor_time) * self._rate + 1e-6))

    def time_of(self, index: int) -> float | None:
        """See `Sink.time_of`."""
        if self._anchor_time is None:
            return None
        return self._anchor_time + (index - self._anchor) / self._rate

    def clear(self) -> None:
        """See `Sink.clear`."""
        self._anchor = self._written
        self._anchor_time = None if self._paused else self._clock.now()

    def pause(self) -> None:
        """See `Sink.pause`."""
        self._anchor = self.heard(self._clock.now())
        self._anchor_time = None
        self._paused = True

    def resume(self) -> None:
        """See `Sink.resume`."""
        self._anchor_time = self._clock.now()
        self._paused = False


class NullOutput(SegmentedOutput):
    """Plays to nowhere in real time, so that a conversation without a speaker keeps its pace and its positions."""

    def __init__(self, *, clock: Clock, label: str = "no speaker", sample_rate: int = 24000) -> None:
        super().__init__(ClockSink(clock, sample_rate), clock=clock, label=label)
