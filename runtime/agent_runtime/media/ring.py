"""A queue of samples between an audio callback and everybody else, without a lock."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class AudioRing:
    """Holds the newest `capacity` samples for one writer and one reader, each in a thread of its own.

    Neither waits for the other. A writer that is ahead overwrites the oldest samples; the reader then goes on with
    what is left, and `dropped` counts what it missed. Counters only grow and each has one writer, and CPython stores an
    int in one step, so no lock is needed.

    Args:
        capacity: samples per channel.
        channels: interleaved channels; samples go in and out as `int16[samples, channels]`.
    """

    def __init__(self, capacity: int, channels: int = 1) -> None:
        if capacity < 1 or channels < 1:
            raise ValueError(f"a ring of {capacity} samples and {channels} channels can't hold anything")
        self.capacity = capacity
        self.channels = channels
        self._buffer = np.zeros((capacity, channels), np.int16)
        self._claimed = 0  # the writer is about to have written up to here …
        self._written = 0  # … and has written up to here
        self._read = 0
        self._dropped = 0

    @property
    def written(self) -> int:
        """Samples per channel ever written."""
        return self._written

    @property
    def position(self) -> int:
        """Index, counted in samples ever written, of the next sample that is read."""
        return self._read

    @property
    def dropped(self) -> int:
        """Samples per channel that were overwritten before they were read."""
        return self._dropped

    def __len__(self) -> int:
        """Samples per channel that can be read now."""
        return min(self._written - self._read, self.capacity)

    def write(self, samples: NDArray[np.int16]) -> None:
        """Add `int16[samples, channels]` (or `int16[samples]` to a mono ring). Writer's side only."""
        samples = samples.reshape(-1, self.channels)
        count = len(samples)
        self._claimed = self._written + count
        kept = samples[-self.capacity :]
        start = (self._claimed - len(kept)) % self.capacity
        first = min(len(kept), self.capacity - start)
        self._buffer[start : start + first] = kept[:first]
        self._buffer[: len(kept) - first] = kept[first:]
        self._written = self._claimed

    def read(self, count: int) -> NDArray[np.int16]:
        """Take up to `count` of the oldest samples: a copy, `int16[samples, channels]`. Reader's side only."""
        while True:
            self._catch_up(self._written)
            start = self._read
            count = min(count, self._written - start)
            offset = start % self.capacity
            first = min(count, self.capacity - offset)
            taken = np.concatenate((self._buffer[offset : offset + first], self._buffer[: count - first]))
            if self._claimed - start <= self.capacity:
                self._read = start + count
                return taken
            # The writer came round and wrote into what was being copied: take the newer samples instead.
            self._catch_up(self._claimed)

    def skip_to(self, index: int) -> None:
        """Forget everything before `index`, counted in samples ever written. Reader's side only; not a drop."""
        self._read = max(self._read, min(index, self._written))

    def clear(self) -> None:
        """Forget everything that is queued. Reader's side only; not counted as dropped."""
        self._read = self._written

    def _catch_up(self, end: int) -> None:
        missed = end - self.capacity - self._read
        if missed > 0:
            self._read += missed
            self._dropped += missed
