"""Speaks with the bundled voice: in this process, or in the one that has the models for several."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from agent_runtime.providers.embedded.hibari import HibariVoice, Speech, load_hibari
from agent_runtime.providers.loading import Progress, Weights
from agent_runtime.providers.model_process.client import SharedModels, shared_models


class Speaker(Protocol):
    """See `HibariVoice`."""

    async def load(self, on_progress: Progress | None = None) -> None:
        """Have the weights in memory."""

    async def speak(self, text: str, *, speed: float, pause: float, urgent: bool) -> Speech:
        """See `HibariVoice.speak`. What is urgent goes before what isn't, of others too; cancelling drops it."""
        ...

    def close(self) -> None:
        """Free what nobody else needs. What is being said is dropped."""


class OwnSpeaker:
    """Has the voice for itself, and one thread for it."""

    def __init__(self, weights: Weights[HibariVoice] | None = None) -> None:
        self._weights = weights or Weights(load_hibari)
        self._thread = ThreadPoolExecutor(1, "hibari")

    async def load(self, on_progress: Progress | None = None) -> None:
        """See `Speaker.load`."""
        await self._weights.get(on_progress)

    async def speak(self, text: str, *, speed: float, pause: float, urgent: bool) -> Speech:
        """See `Speaker.speak`."""
        voice = await self._weights.get()
        say = partial(voice.speak, text, speed=speed, pause=pause)
        return await asyncio.get_running_loop().run_in_executor(self._thread, say)

    def close(self) -> None:
        """See `Speaker.close`."""
        self._thread.shutdown(wait=False, cancel_futures=True)


class SharedSpeaker:
    """Asks another process."""

    def __init__(self, models: SharedModels) -> None:
        self._models = models

    async def load(self, on_progress: Progress | None = None) -> None:
        """See `Speaker.load`."""
        await self._models.ask("load voice", on_part=on_progress)

    async def speak(self, text: str, *, speed: float, pause: float, urgent: bool) -> Speech:
        """See `Speaker.speak`."""
        speech: Speech = await self._models.ask("speak", text, speed, pause, urgent)
        return speech

    def close(self) -> None:
        """See `Speaker.close`."""


def make_speaker() -> Speaker:
    """The one that this process is to use."""
    models = shared_models()
    return OwnSpeaker() if models is None else SharedSpeaker(models)
