"""Recorded human speech to play to an agent, and an ear that writes down what the agent said.

The recordings are those that the `moonshine_voice` package brings; they are cut when a test runs, not copied here. The
ear is the same package used whole, without our provider around it.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent_runtime.media.mix import to_mono
from agent_runtime.media.resample import resample
from agent_runtime.media.wav import read_wav, write_wav


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of a bundled recording, in seconds, and what is said in it."""

    file: str
    start: float
    end: float
    text: str


QUESTION = Clip("endgame_nagg_nell.wav", 17.25, 19.15, "what are you talking about")
"""A man asks."""
HEAR_ME = Clip("endgame_nagg_nell.wav", 0.0, 1.35, "do you hear me")
"""The same man asks something else."""
INTERRUPTION = Clip("two_cities.wav", 0.95, 4.75, "it was the best of times it was the worst of times")
"""Another voice reads for four seconds, without a pause that would end a turn."""


def assets() -> Path:
    """The folder of the bundled recordings."""
    spec = importlib.util.find_spec("moonshine_voice")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("moonshine_voice")
    return Path(spec.origin).parent / "assets"


def recorded(clip: Clip, sample_rate: int = 16000) -> NDArray[np.int16]:
    """The clip as `int16[samples]`."""
    samples, rate = read_wav(assets() / clip.file)
    cut = to_mono(samples)[round(clip.start * rate) : round(clip.end * rate)]
    return resample(cut, rate, sample_rate)


def write_clip(clip: Clip, path: Path, *, sample_rate: int = 48000, lead: float = 0.0, tail: float = 0.0) -> Path:
    """Write the clip as a WAV file with `lead` and `tail` seconds of silence around it."""
    silence = [np.zeros(round(seconds * sample_rate), np.int16) for seconds in (lead, tail)]
    write_wav(path, np.concatenate((silence[0], recorded(clip, sample_rate), silence[1])), sample_rate)
    return path


@cache
def _transcriber() -> object:
    from moonshine_voice import ModelArch, Transcriber

    return Transcriber(str(assets() / "tiny-en"), ModelArch.TINY)


def transcribe(samples: NDArray[np.int16], sample_rate: int) -> str:
    """What is said in `int16[samples]`."""
    found = _transcriber().transcribe_without_streaming(  # type: ignore[attr-defined]
        (to_mono(samples).astype(np.float32) / 32768).tolist(), sample_rate
    )
    return " ".join(line.text.strip() for line in found.lines)


def words(text: str) -> list[str]:
    """Lower-case words, without punctuation."""
    return re.findall(r"[a-z0-9']+", text.lower())


def likeness(heard: str, said: str) -> float:
    """How much of the words agrees in order: 1.0 is all, 0.0 nothing."""
    return SequenceMatcher(None, words(heard), words(said), autojunk=False).ratio()
