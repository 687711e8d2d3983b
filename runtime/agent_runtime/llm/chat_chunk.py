"""What a language model's answer comes in."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from agent_runtime.lazy_model import LazyModel
from agent_runtime.llm.chat_items import ChatRole


class CompletionUsage(LazyModel):
    """Tokens that a request used, as its provider counts them."""

    completion_tokens: int
    prompt_tokens: int
    """All of the prompt, cached or not."""
    prompt_cached_tokens: int = 0
    """Part of the prompt that came from the provider's cache."""
    cache_creation_tokens: int = 0
    """Part of the prompt that was written to the provider's cache."""
    cache_read_tokens: int = 0
    """As `prompt_cached_tokens`, where a provider calls it so."""
    reasoning_tokens: int = 0
    """Part of the completion: what the model thought without saying."""
    total_tokens: int
    service_tier: str | None = None


class FunctionToolCall(LazyModel):
    """A tool that the model calls, whole: providers that send it in pieces put them together first."""

    type: Literal["function"] = "function"
    name: str
    arguments: str
    """JSON text, as the model wrote it."""
    call_id: str
    extra: dict[str, Any] | None = None
    """What the provider wants to see again with the call."""


class ChoiceDelta(LazyModel):
    """What a chunk adds to the answer."""

    role: ChatRole | None = None
    content: str | None = None
    tool_calls: list[FunctionToolCall] = Field(default_factory=list)
    extra: dict[str, Any] | None = None
    """What the provider wants to see again with the message."""


class ChatChunk(LazyModel):
    """One piece of an answer. `id` is what the provider calls the whole answer."""

    id: str
    delta: ChoiceDelta | None = None
    usage: CompletionUsage | None = None

    def has_response(self) -> bool:
        """Whether it holds text or a tool call, and not only usage or a provider's own data."""
        return self.delta is not None and bool(self.delta.content or self.delta.tool_calls)


class CollectedResponse(LazyModel):
    """A whole answer."""

    text: str = ""
    tool_calls: list[FunctionToolCall] = Field(default_factory=list)
    usage: CompletionUsage | None = None
    extra: dict[str, Any] = Field(default_factory=dict)
