"""The planner of tool calls: of this process, or of the one that has the models for several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from agent_runtime.providers.embedded.llama import find_weights
from agent_runtime.providers.embedded.llm_calls import Call, CallPlanner, Reply
from agent_runtime.providers.embedded.llm_words import WordVectors
from agent_runtime.providers.loading import Progress, Weights
from agent_runtime.providers.model_process.client import SharedModels, shared_models

if TYPE_CHECKING:
    from agent_runtime.llm import ChatItem
    from agent_runtime.providers.embedded.llm_tools import ToolSpec


class Planner(Protocol):
    """See `CallPlanner`."""

    async def load(self) -> None:
        """Have the word vectors ready."""

    async def plan(
        self, items: Sequence[ChatItem], tools: Sequence[ToolSpec], *, required: bool
    ) -> Call | Reply | None:
        """See `CallPlanner.plan`."""
        ...


def load_planner(report: Progress) -> CallPlanner:
    """Read the word vectors: 0.3 s."""
    return CallPlanner(WordVectors(find_weights()))


class _OwnPlanner:
    def __init__(self) -> None:
        self._weights: Weights[CallPlanner] = Weights(load_planner)

    async def load(self) -> None:
        await self._weights.get()

    async def plan(
        self, items: Sequence[ChatItem], tools: Sequence[ToolSpec], *, required: bool
    ) -> Call | Reply | None:
        return (await self._weights.get()).plan(items, tools, required=required)


class _SharedPlanner:
    def __init__(self, models: SharedModels) -> None:
        self._models = models

    async def load(self) -> None:
        await self._models.ask("load planner")

    async def plan(
        self, items: Sequence[ChatItem], tools: Sequence[ToolSpec], *, required: bool
    ) -> Call | Reply | None:
        plan: Call | Reply | None = await self._models.ask("plan", _in_words(items), tools, required)
        return plan


_own = _OwnPlanner()


def planner() -> Planner:
    """The one that this process is to use."""
    models = shared_models()
    return _own if models is None else _SharedPlanner(models)


def _in_words(items: Sequence[ChatItem]) -> list[ChatItem]:
    """The conversation without its pictures and sounds, which planning doesn't look at."""
    return [
        item.model_copy(update={"content": [part for part in item.content if isinstance(part, str)]})
        if item.type == "message"
        else item
        for item in items
    ]
