"""What every provider says of itself."""

from __future__ import annotations

from abc import abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from agent_runtime.llm.chat_items import MetricsMetadata


class Named:
    """Something with a model of somebody's inside."""

    _label = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._label = f"{cls.__module__}.{cls.__name__}"

    @property
    def label(self) -> str:
        """Module and class, for logs and metrics."""
        return self._label

    @property
    def model(self) -> str:
        """The model's name."""
        return "unknown"

    @property
    def provider(self) -> str:
        """Who runs it."""
        return "unknown"


class Provider(Named):
    """The same, as a turn's metrics have it and as an `async with` uses it."""

    @property
    def metrics_metadata(self) -> MetricsMetadata:
        """What the metrics of a turn say about it."""
        return {"model_name": self.model, "model_provider": self.provider}

    @abstractmethod
    async def aclose(self) -> None:
        """Give back what is held."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()
