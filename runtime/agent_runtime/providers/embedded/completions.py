"""A language model that completes prompts: for this process alone, or in the one that has the models for several."""

from __future__ import annotations

import threading
import weakref
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, Protocol

from agent_runtime.providers.embedded.llama import LlamaModel, Part, Use
from agent_runtime.providers.model_process.client import SharedModels, shared_models


class Completions(Protocol):
    """See `LlamaModel`."""

    @property
    def path(self) -> Path:
        """Of the weights."""
        ...

    async def load(self, on_progress: Callable[[float], None] | None = None) -> None:
        """Have the weights in memory."""

    def complete(self, body: dict[str, Any], use: Use = "chat") -> AsyncGenerator[Part, None]:
        """See `LlamaModel.complete`."""
        ...


class SharedLlama:
    """Asks another process."""

    def __init__(self, models: SharedModels, path: Path) -> None:
        self._models = models
        self.path = path

    async def load(self, on_progress: Callable[[float], None] | None = None) -> None:
        """See `Completions.load`."""
        if on_progress is not None:
            on_progress(0.0)
        await self._models.ask("load llama", self.path)
        if on_progress is not None:
            on_progress(1.0)

    async def complete(self, body: dict[str, Any], use: Use = "chat") -> AsyncGenerator[Part, None]:
        """See `LlamaModel.complete`."""
        async with aclosing(self._models.stream("complete", self.path, body, use)) as parts:
            async for part in parts:
                yield part


_models: weakref.WeakValueDictionary[Path, LlamaModel] = weakref.WeakValueDictionary()
_models_lock = threading.Lock()


def shared_model(path: Path) -> Completions:
    """The model of these weights: one for all who hold it at a time, so that sessions share the memory."""
    if (models := shared_models()) is not None:
        return SharedLlama(models, path)
    with _models_lock:
        model = _models.get(path)
        if model is None:
            model = _models[path] = LlamaModel(path)
        return model
