"""Reads speech with the bundled model: in this process, or in the one that has the models for several."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agent_runtime.providers.embedded.moonshine import Moonshine, load_moonshine
from agent_runtime.providers.loading import Progress, Weights
from agent_runtime.providers.model_process.client import SharedModels, shared_models


class Reader(Protocol):
    """See `Moonshine`."""

    async def load(self, on_progress: Progress | None = None) -> None:
        """Have the weights in memory."""

    async def read(self, samples: NDArray[np.int16], *, urgent: bool) -> str:
        """See `Moonshine.transcribe`. What is urgent goes before what isn't, of others too; cancelling drops it."""
        ...

    async def aclose(self) -> None:
        """Free what nobody else needs, once the reading that is in progress is over."""


class OwnReader:
    """Has the model for itself, and one thread for it."""

    def __init__(self, weights: Weights[Moonshine] | None = None) -> None:
        self._weights = weights or Weights(load_moonshine)
        self._thread = ThreadPoolExecutor(1, "moonshine")

    async def load(self, on_progress: Progress | None = None) -> None:
        """See `Reader.load`."""
        await self._weights.get(on_progress)

    async def read(self, samples: NDArray[np.int16], *, urgent: bool) -> str:
        """See `Reader.read`."""
        model = await self._weights.get()
        return await asyncio.get_running_loop().run_in_executor(self._thread, model.transcribe, samples)

    async def aclose(self) -> None:
        """See `Reader.aclose`."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        model = self._weights.value
        if model is not None:
            await asyncio.to_thread(self._thread.shutdown)
            model.close()


class SharedReader:
    """Asks another process."""

    def __init__(self, models: SharedModels) -> None:
        self._models = models

    async def load(self, on_progress: Progress | None = None) -> None:
        """See `Reader.load`."""
        await self._models.ask("load recogniser", on_part=on_progress)

    async def read(self, samples: NDArray[np.int16], *, urgent: bool) -> str:
        """See `Reader.read`."""
        text: str = await self._models.ask("read", samples, urgent)
        return text

    async def aclose(self) -> None:
        """See `Reader.aclose`."""


def make_reader() -> Reader:
    """The one that this process is to use."""
    models = shared_models()
    return OwnReader() if models is None else SharedReader(models)
