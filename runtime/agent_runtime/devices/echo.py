"""Which of the speaker's samples belong to which of the microphone's, for the echo canceller."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agent_runtime.media.framing import Framer
from agent_runtime.media.resample import Resampler
from agent_runtime.media.ring import AudioRing
from agent_runtime.records import record


class Reference:
    """What really goes to the speaker, mono: cuts, fades, pauses and silence included.

    Args:
        sample_rate: Hz.
        latency: seconds from here to the air.
        block: samples that come at a time.
    """

    def __init__(self, sample_rate: int, latency: float, block: int) -> None:
        self.sample_rate = sample_rate
        self.latency = latency
        self.block = block
        self.ring = AudioRing(sample_rate * 2)


@record(frozen=True, slots=True)
class Mark:
    """How far the speaker was when a block of the microphone came. Made in the audio thread."""

    near: int
    """Samples of the microphone up to the end of its block."""
    reference: Reference | None
    far: int


class FarEnd:
    """Gives 10 ms of the speaker's signal for each 10 ms of the microphone's.

    The two devices are compared when the microphone's block arrives, in the audio thread, so a loop that comes late to
    both changes nothing. The signal is kept in one piece as long as the two stay within 10 ms of each other, because
    each jump costs the canceller what it has learnt; the speaker's part is always the earlier one, since an echo that
    comes before its cause can't be cancelled.

    Args:
        sample_rate: Hz of what is given.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._silence = np.zeros(sample_rate // 100, np.int16)
        self._reference: Reference | None = None
        self._start(None)

    @property
    def has_speaker(self) -> bool:
        """Whether there is a signal to give."""
        return self._reference is not None

    @property
    def delay(self) -> float:
        """Seconds from a sample given here to the air."""
        reference = self._reference
        return 0.0 if reference is None else reference.latency + reference.block / reference.sample_rate

    def take(self, mark: Mark | None) -> NDArray[np.int16] | None:
        """The next `int16[10 ms]` for the microphone's frame that ends at `mark`; None without a speaker."""
        reference = None if mark is None else mark.reference
        if reference is not self._reference:
            self._start(reference)
        if mark is None or reference is None:
            return None
        ring, count = reference.ring, reference.sample_rate // 100
        behind = mark.far - ring.position
        if behind < count:
            return self._silence
        if behind > 2 * count + reference.block:
            # The speaker's blocks come all at once: with one to spare, the next frames find enough.
            ring.skip_to(mark.far - reference.block - count)
        self._frames.extend(self._framer.push(self._resampler.push(ring.read(count)[:, 0])))
        return self._frames.pop(0) if self._frames else self._silence

    def _start(self, reference: Reference | None) -> None:
        self._reference = reference
        self._resampler = Resampler(reference.sample_rate if reference else self.sample_rate, self.sample_rate)
        self._framer = Framer(self.sample_rate // 100)
        self._frames: list[NDArray[np.int16]] = []
