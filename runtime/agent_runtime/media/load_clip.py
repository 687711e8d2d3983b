"""A WAV file as a clip, read on the event loop in pieces too small to be noticed."""

from __future__ import annotations

import asyncio
import os

import numpy as np
from numpy.typing import NDArray

from agent_runtime.errors import MediaError
from agent_runtime.media.mix import to_mono
from agent_runtime.media.resample import Resampler
from agent_runtime.media.wav import WavReader

LONGEST = 600.0
"""Seconds: a clip is held in memory, 5.8 MB a minute."""
_PIECE = 0.25


async def load_clip(path: str | os.PathLike[str], sample_rate: int) -> NDArray[np.int16]:
    """A whole file as `int16[samples]`, mono at `sample_rate` Hz, which goes round without a seam if the file does.

    Raises:
        MediaError: it can't be read, or is longer than `LONGEST`.
    """
    with WavReader(path) as reader:
        if reader.duration > LONGEST:
            problem = f"is {reader.duration:.0f} s long, and a clip is held in memory: give an async iterator of frames"
            raise MediaError(f"{reader.path}: {problem}")
        rate = reader.sample_rate
        pieces = []
        while len(piece := to_mono(reader.read(round(rate * _PIECE)))):
            pieces.append(piece)
            await asyncio.sleep(0)
    samples = np.concatenate([np.zeros(0, np.int16), *pieces])
    if rate == sample_rate or not len(samples):
        return samples
    return await _resampled_round(samples, rate, sample_rate)


async def _resampled_round(samples: NDArray[np.int16], rate: int, sample_rate: int) -> NDArray[np.int16]:
    """Resampled as if it went round for ever: with a second of its end before it and of its beginning after it."""
    before, after = samples[np.arange(-rate, 0) % len(samples)], samples[np.arange(rate) % len(samples)]
    resampler = Resampler(rate, sample_rate)
    whole, converted = np.concatenate((before, samples, after)), []
    for start in range(0, len(whole), round(rate * _PIECE)):
        converted.append(resampler.push(whole[start : start + round(rate * _PIECE)]))
        await asyncio.sleep(0)
    length = round(len(samples) * sample_rate / rate)
    return np.concatenate((*converted, resampler.flush()))[sample_rate : sample_rate + length]
