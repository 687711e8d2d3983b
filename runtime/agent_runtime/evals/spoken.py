"""A microphone into which a scenario's user speaks with a synthesised voice, in real time."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import numpy as np
from livekit.rtc import AudioFrame

from agent_runtime.io import AudioInput
from agent_runtime.tts import TTS

FRAME: Final = 0.02
"""Seconds of a frame."""
SILENT: Final = 300
"""Samples below this (of 32768) after the last word are no speech."""


class SpokenInput(AudioInput):
    """Silence, and what `say` puts into it: `int16[samples]`, mono, at the voice's rate."""

    def __init__(self, voice: TTS[Any]) -> None:
        super().__init__(label="scenario")
        self._voice = voice
        self._rate = voice.sample_rate
        self._samples = round(FRAME * self._rate)
        self._speech = np.zeros(0, np.int16)
        self._said: asyncio.Future[float] | None = None
        self._next: float | None = None

    async def say(self, text: str) -> float:
        """Speak, and give the loop's time of the last word's end."""
        frame = await self._voice.synthesize(text).collect()
        speech = np.frombuffer(frame.data, np.int16)
        loud = np.flatnonzero(np.abs(speech.astype(np.int32)) > SILENT)
        self._speech = speech[: loud[-1] + 1] if len(loud) else speech
        self._said = asyncio.get_running_loop().create_future()
        return await self._said

    async def __anext__(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        self._next = loop.time() if self._next is None else self._next + FRAME
        await asyncio.sleep(max(0.0, self._next - loop.time()))
        samples = np.zeros(self._samples, np.int16)
        part, self._speech = self._speech[: self._samples], self._speech[self._samples :]
        samples[: len(part)] = part
        if self._said is not None and not len(self._speech):
            if not self._said.done():
                self._said.set_result(loop.time())
            self._said = None
        return AudioFrame(samples.tobytes(), self._rate, 1, self._samples)
