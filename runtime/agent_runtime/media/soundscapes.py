"""Sounds for the background, computed: rooms, weather, typing, music. Nothing here is a recording.

Each is `int16[samples]`, mono at `RATE`, and goes round: its last sample is followed by its first without a seam. Noise
is made in the frequency domain, where everything is periodic, and what is placed in time wraps round the end.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

RATE = 48000
SECONDS = 8
_SIZE = RATE * SECONDS

_Floats: TypeAlias = NDArray[np.floating[Any]]
_Shape: TypeAlias = Callable[[_Floats], _Floats]


def office() -> NDArray[np.int16]:
    """A quiet room: air from a vent, and the hum of what is plugged in."""
    rng = np.random.default_rng(1)
    air = _noise(rng, lambda f: _band(f, 60, 900) / np.maximum(f, 60) ** 0.8)
    hum = _tone(120, 0.10) + _tone(180, 0.05) + _tone(240, 0.03)
    return _finished(air + hum, rms=-38)


def city() -> NDArray[np.int16]:
    """A street behind a window: a rumble that swells as cars pass."""
    rng = np.random.default_rng(2)
    rumble = _noise(rng, lambda f: _band(f, 30, 250) / np.maximum(f, 30))
    cars = _noise(rng, lambda f: _band(f, 120, 1800) / np.maximum(f, 120) ** 0.5)
    return _finished(rumble + cars * _swell(rng, slowest=1, fastest=4) ** 2, rms=-34)


def forest() -> NDArray[np.int16]:
    """Wind in leaves, and birds."""
    rng = np.random.default_rng(3)
    leaves = _noise(rng, lambda f: _band(f, 250, 5000) / np.maximum(f, 250) ** 0.7)
    mix = leaves * (0.4 + _swell(rng, slowest=1, fastest=3))
    for _ in range(6):
        start, pitch = int(rng.integers(_SIZE)), float(rng.uniform(2800, 4800))
        for note in range(int(rng.integers(2, 6))):
            _place(mix, start + note * round(0.14 * RATE), _chirp(pitch, float(rng.uniform(0.8, 1.25)), 0.09) * 1.5)
    return _finished(mix, rms=-36)


def crowd() -> NDArray[np.int16]:
    """Many people talking, none of whom can be understood."""
    rng = np.random.default_rng(4)
    mix = _noise(rng, lambda f: _band(f, 100, 600) / np.maximum(f, 100)) * 0.4
    for _ in range(6):
        middle = float(rng.uniform(350, 1400))
        voice = _noise(rng, functools.partial(_band, low=middle * 0.7, high=middle * 1.4))
        mix += voice * _swell(rng, slowest=16, fastest=44) ** 2 * float(rng.uniform(0.3, 1.0))
    return _finished(mix, rms=-34)


def typing(seed: int = 5, pace: float = 0.13) -> NDArray[np.int16]:
    """Somebody types, softly. `pace` is the usual time between two keys, in seconds."""
    rng = np.random.default_rng(seed)
    mix = np.zeros(_SIZE, np.float32)
    at = 0.0
    while at < SECONDS - 2 * pace:
        _place(mix, round(at * RATE), _key(rng))
        # Words of a few keys, and a moment to think between some of them.
        at += pace * float(rng.lognormal(0, 0.35)) + (float(rng.uniform(0.15, 0.7)) if rng.random() < 0.14 else 0.0)
    return _finished(mix, peak=-18)


def music() -> NDArray[np.int16]:
    """Four chords, plucked, over and over."""
    mix = np.zeros(_SIZE, np.float32)
    chords = [(220.0, 261.63, 329.63, 440.0), (174.61, 220.0, 261.63, 349.23)]
    chords += [(196.0, 246.94, 293.66, 392.0), (164.81, 207.65, 246.94, 329.63)]
    for bar, chord in enumerate(chords):
        for note in range(8):
            pitch = chord[(0, 1, 2, 3, 2, 3, 1, 2)[note]]
            _place(mix, round((bar * 2 + note * 0.25) * RATE), _pluck(pitch))
    return _finished(mix, peak=-14)


MAKERS: dict[str, Callable[[], NDArray[np.int16]]] = {
    "office-ambience": office,
    "city-ambience": city,
    "forest-ambience": forest,
    "crowded-room": crowd,
    "keyboard-typing": typing,
    "keyboard-typing2": functools.partial(typing, seed=6, pace=0.19),
    "hold-music": music,
}


@functools.cache
def soundscape(name: str) -> NDArray[np.int16]:
    """The sound of that name (a key of `MAKERS`), computed once for all sessions. It must not be written to."""
    samples = MAKERS[name]()
    samples.setflags(write=False)
    return samples


def _noise(rng: np.random.Generator, shape: _Shape) -> _Floats:
    """Noise of that spectrum whose RMS is 1."""
    frequencies = np.fft.rfftfreq(_SIZE, 1 / RATE).astype(np.float32)
    phases = rng.uniform(0, 2 * np.pi, len(frequencies)).astype(np.float32)
    samples = np.fft.irfft(shape(frequencies) * np.exp(1j * phases), _SIZE).astype(np.float32)
    loudness = float(np.sqrt(np.mean(samples**2)))
    return np.asarray(samples / loudness, np.float32)


def _band(frequencies: _Floats, low: float, high: float) -> _Floats:
    """1 between `low` and `high` Hz, falling off softly beyond."""
    below, above = np.square(low / np.maximum(frequencies, 1)), np.square(frequencies / high)
    return np.asarray(1 / ((1 + below * below) * (1 + above * above)), np.float32)


def _tone(frequency: float, level: float) -> _Floats:
    cycles = round(frequency * SECONDS)  # a whole number of them, so that it goes round
    return np.asarray(level * np.sin(2 * np.pi * cycles * np.arange(_SIZE) / _SIZE), np.float32)


def _swell(rng: np.random.Generator, *, slowest: int, fastest: int) -> _Floats:
    """Goes up and down between 0 and 1, `slowest` to `fastest` times a round."""
    cycles = np.arange(slowest, fastest + 1)
    points = 500 * SECONDS
    spectrum = np.zeros(points // 2 + 1, np.complex64)
    spectrum[cycles] = np.exp(1j * rng.uniform(0, 2 * np.pi, len(cycles)))
    wave = np.fft.irfft(spectrum, points)
    wave = (wave - wave.min()) / (wave.max() - wave.min())
    closed = np.append(wave, wave[0])
    return np.asarray(np.interp(np.arange(_SIZE), np.arange(points + 1) * (_SIZE // points), closed), np.float32)


def _chirp(pitch: float, slide: float, seconds: float) -> _Floats:
    """A whistle that slides from `pitch` Hz to `slide` times that."""
    t = np.linspace(0, 1, round(seconds * RATE), endpoint=False)
    phase = 2 * np.pi * pitch * seconds * (t + (slide - 1) * t**2 / 2)
    return np.asarray(np.sin(phase) * np.sin(np.pi * t) ** 2, np.float32)


def _key(rng: np.random.Generator) -> _Floats:
    """A key goes down (a click and a dull body) and, more softly, up."""
    t = np.arange(round(0.12 * RATE)) / RATE
    body = np.sin(2 * np.pi * float(rng.uniform(170, 320)) * t) * np.exp(-t / 0.012)
    # The mean of neighbours takes the hiss out of the click.
    click = np.convolve(rng.standard_normal(len(t)), np.ones(6) / 6, "same") * np.exp(-t / 0.003)
    down = (0.5 * body + click) * float(rng.uniform(0.6, 1.0)) * np.minimum(1, t / 0.0008)
    up = np.roll(down, round(0.075 * RATE)) * (t > 0.075)
    return np.asarray(down + 0.3 * up, np.float32)


@functools.cache
def _pluck(pitch: float) -> _Floats:
    t = np.arange(RATE * 2) / RATE
    harmonics = sum(np.sin(2 * np.pi * pitch * k * t) * np.exp(-t * (1.6 + k)) / k**1.5 for k in range(1, 5))
    return np.asarray(harmonics * np.minimum(1, t / 0.006), np.float32)


def _place(mix: _Floats, start: int, sound: _Floats) -> None:
    """Add `sound` at `start`, going on at the beginning where it reaches beyond the end."""
    start %= len(mix)
    head = min(len(sound), len(mix) - start)
    mix[start : start + head] += sound[:head]
    mix[: len(sound) - head] += sound[head:]


def _finished(mix: _Floats, *, rms: float | None = None, peak: float | None = None) -> NDArray[np.int16]:
    """Brought to an RMS or a peak, in dBFS."""
    if rms is not None:
        scale = 10 ** (rms / 20) / np.sqrt(np.mean(mix**2))
    else:
        scale = 10 ** ((peak or 0.0) / 20) / np.abs(mix).max()
    return np.asarray(np.clip(np.rint(mix * scale * 32767), -32768, 32767), np.int16)
