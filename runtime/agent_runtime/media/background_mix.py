"""Several sounds as one signal, each with its volume and fades, read by whatever plays it.

The reader may be an audio thread: reading takes no lock and waits for nothing. Sounds are added and taken out on the
session's loop only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agent_runtime.media.fade import FADE
from agent_runtime.media.ring import AudioRing

RATE = 48000
"""Hz of every sound and of the mix."""


class Sound(Protocol):
    """Samples, mono at `RATE`, one after the other."""

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to come."""
        ...

    def read(self, count: int) -> NDArray[np.int16]:
        """The next `int16[samples]`, at most `count`."""
        ...


class Clip:
    """A sound that is known from its beginning to its end.

    Args:
        samples: `int16[samples]`.
        loop: begin again at the end, without a seam.
    """

    def __init__(self, samples: NDArray[np.int16], *, loop: bool = False) -> None:
        self._samples = samples
        self._loop = loop and len(samples) > 0
        self._position = 0

    @property
    def ended(self) -> bool:
        """See `Sound.ended`."""
        return self._position >= len(self._samples)

    def read(self, count: int) -> NDArray[np.int16]:
        """See `Sound.read`."""
        start = self._position
        taken = self._samples[start : start + count]
        self._position = start + len(taken)
        if not self._loop:
            return taken
        parts = [taken]
        while (missing := count - sum(map(len, parts))) > 0:
            parts.append(self._samples[:missing])
        self._position = (start + count) % len(self._samples)
        return taken if len(parts) == 1 else np.concatenate(parts)


class Feed:
    """A sound that is made while it plays: pushed on the loop, read elsewhere. Where it runs dry it is silent."""

    def __init__(self, capacity: int = RATE) -> None:
        self._ring = AudioRing(capacity)
        self._complete = False

    @property
    def queued(self) -> int:
        """Samples that wait to be read."""
        return len(self._ring)

    @property
    def ended(self) -> bool:
        """See `Sound.ended`."""
        return self._complete and not len(self._ring)

    def push(self, samples: NDArray[np.int16]) -> None:
        """Add `int16[samples]`."""
        self._ring.write(samples)

    def finish(self) -> None:
        """That was all."""
        self._complete = True

    def read(self, count: int) -> NDArray[np.int16]:
        """See `Sound.read`."""
        return self._ring.read(count)[:, 0]


class Voice:
    """A sound being played, with its volume and fades.

    Fades are of equal power: a quarter of a sine up, a quarter of a cosine down.

    Args:
        sound: what is played.
        volume: 0.0 to 1.0.
        fade_in: seconds from nothing to `volume`.
        fade_out: seconds from `volume` to nothing after `stop`; 0 takes 5 ms, so that it doesn't click.
        on_over: called once, by the reader, in its thread.
    """

    def __init__(
        self,
        sound: Sound,
        *,
        volume: float = 1.0,
        fade_in: float = 0.0,
        fade_out: float = 0.0,
        on_over: Callable[[], None] = lambda: None,
    ) -> None:
        self._sound = sound
        self._volume = volume
        self._fade_in = round(fade_in * RATE)
        self._fade_out = round(max(fade_out, FADE) * RATE)
        self._on_over = on_over
        self._position = 0
        self._stopping = False
        self._stopped_at: int | None = None
        self._over = False

    def stop(self) -> None:
        """Fade out, from the next sample that is read."""
        self._stopping = True

    def read(self, count: int) -> NDArray[np.float32]:
        """The next `float32[samples]` in units of int16, at most `count`; less once it is over or has run dry."""
        if self._over:
            return np.zeros(0, np.float32)
        if self._stopping and self._stopped_at is None:
            self._stopped_at = self._position
        end = None if self._stopped_at is None else self._stopped_at + self._fade_out
        wanted = count if end is None else min(count, end - self._position)
        samples = self._sound.read(wanted)
        faded = samples * self._gain(len(samples))
        self._position += len(samples)
        # A sound that runs dry while it fades out has nothing left to fade.
        if self._sound.ended or (end is not None and (self._position >= end or len(samples) < wanted)):
            self._over = True
            self._on_over()
        return faded

    def _gain(self, count: int) -> NDArray[np.float32] | np.float32:
        gain: NDArray[np.float32] | np.float32 = np.float32(self._volume)
        if self._position < self._fade_in:
            phase = np.minimum((self._position + np.arange(count)) / self._fade_in, 1)
            gain = (gain * np.sin(phase * np.pi / 2)).astype(np.float32)
        if self._stopped_at is not None:
            phase = (self._position - self._stopped_at + np.arange(count)) / self._fade_out
            gain = (gain * np.cos(phase * np.pi / 2)).astype(np.float32)
        return gain


class BackgroundMix:
    """The sum of all voices. It is an `io.Background`.

    Args:
        ducking: dB by which it is softer while the agent speaks; 0 or below.
        duck_fade: seconds from the one loudness to the other.
    """

    sample_rate = RATE

    def __init__(self, *, ducking: float = -12.0, duck_fade: float = 0.2) -> None:
        if ducking > 0:
            raise ValueError(f"the background gets softer while the agent speaks: ducking is 0 or below, not {ducking}")
        self.ducked_gain = 10 ** (ducking / 20)
        self.duck_fade = duck_fade
        self._voices: tuple[Voice, ...] = ()

    def add(self, voice: Voice) -> None:
        """Play it from now on."""
        self._voices = (*self._voices, voice)

    def remove(self, voice: Voice) -> None:
        """Play it no more."""
        self._voices = tuple(other for other in self._voices if other is not voice)

    def read(self, count: int) -> NDArray[np.float32] | None:
        """The next `float32[count]` in units of int16; None where nothing plays."""
        voices = self._voices
        if not voices:
            return None
        total = np.zeros(count, np.float32)
        for voice in voices:
            samples = voice.read(count)
            total[: len(samples)] += samples
        return total
