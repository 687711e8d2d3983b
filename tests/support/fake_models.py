"""Stand-ins for the bundled models: loudness is speech, and what is recognised says how much was heard."""

from __future__ import annotations

import asyncio

import numpy as np

from agent_runtime.providers.embedded import stt as embedded_stt
from agent_runtime.providers.embedded import vad as embedded_vad
from agent_runtime.providers.embedded.stt import MoonshineSTT
from agent_runtime.providers.loading import Weights

RATE = 16000
WINDOW = 512


class LoudnessModel:
    """In place of `SileroModel`: a window's probability is its mean level in thousands."""

    def listen(self):
        return self

    def reset(self):
        pass

    def probability(self, window):
        return min(1.0, float(np.abs(window.astype(np.float64)).mean()) / 1000)


def loaded(value):
    weights = Weights(lambda report: value)
    weights._value = value
    return weights


def use_loudness(monkeypatch):
    weights = loaded(LoudnessModel())
    for module in (embedded_vad, embedded_stt):
        monkeypatch.setattr(module, "silero_weights", lambda: weights)


class CountingSTT(MoonshineSTT):
    """Recognises a stretch as its length in windows; takes `seconds` (of the loop's time) for it."""

    def __init__(self, *, seconds=0.1, **kw):
        super().__init__(**kw)
        self.seconds = seconds
        self.reads = []
        self.cancelled = 0
        self.fails = None

    async def load(self, on_progress=None):
        pass

    async def read(self, samples, voiced, *, urgent=True):
        self.reads.append(len(samples) // WINDOW)
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.fails is not None:
            raise self.fails
        return f"{len(samples) // WINDOW} windows"


def signal(*parts):
    """`(windows, level)` one after the other, as `int16[samples]`."""
    return np.concatenate([np.full(count * WINDOW, level, np.int16) for count, level in parts])
