"""What a conversation is made of: messages, tool calls and their outputs, and changes of the agent."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, PrivateAttr
from typing_extensions import TypedDict

from agent_runtime.lazy_model import LazyModel
from agent_runtime.llm.content import AudioContent, CacheBreakpoint, ChatContent, ImageContent
from agent_runtime.utils.ids import shortuuid

__all__ = [
    "AgentConfigUpdate",
    "AgentHandoff",
    "AudioContent",
    "CacheBreakpoint",
    "ChatContent",
    "ChatItem",
    "ChatMessage",
    "ChatRole",
    "FunctionCall",
    "FunctionCallOutput",
    "ImageContent",
    "MetricsMetadata",
    "MetricsReport",
]

ChatRole: TypeAlias = Literal["developer", "system", "user", "assistant"]


class MetricsMetadata(TypedDict, total=False):
    """Which model it was."""

    model_name: str
    model_provider: str


class MetricsReport(TypedDict, total=False):
    """What is known of the latency around a message, in seconds; what isn't known is left out."""

    started_speaking_at: float
    """Seconds since the epoch."""
    stopped_speaking_at: float
    """Seconds since the epoch."""
    transcription_delay: float
    """From the end of the user's speech to its transcript. Of the user's messages."""
    end_of_turn_delay: float
    """From the end of the user's speech to the decision that their turn is over. Of the user's messages."""
    on_user_turn_completed_delay: float
    """What the agent's hook of that name took. Of the user's messages."""
    llm_node_ttft: float
    """To the language model's first token. Of the agent's messages."""
    llm_node_tps: float
    """Tokens a second of the language model. Of the agent's messages."""
    llm_node_ttfs: float
    """From the start of generation to the first sentence that went to the synthesizer. Of the agent's messages."""
    tts_node_ttfb: float
    """From the first text to the first audio. Of the agent's messages."""
    playback_latency: float
    """From the first audio that was handed to the output to its first audible sample. Of the agent's messages."""
    e2e_latency: float
    """From the end of the user's speech to the beginning of the agent's. Of the agent's messages."""
    provider_request_ids: list[str]
    """What the provider calls the requests. Of the agent's messages."""
    llm_metadata: MetricsMetadata
    tts_metadata: MetricsMetadata
    stt_metadata: MetricsMetadata


def _item_id() -> str:
    return shortuuid("item_")


class _Item(LazyModel):
    def essence(self) -> tuple[Any, ...]:
        """What makes it say the same as another item: no id, times or measurements."""
        return ()


class ChatMessage(_Item):
    """Something that was said or written."""

    id: str = Field(default_factory=_item_id)
    type: Literal["message"] = "message"
    role: ChatRole
    content: list[ChatContent]
    interrupted: bool = False
    """The user interrupted it: it holds only what was heard."""
    transcript_confidence: float | None = None
    """From 0 to 1, as the recogniser tells it."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """What a provider wants to see again with the message, by the provider's name."""
    metrics: MetricsReport = Field(default_factory=MetricsReport)
    created_at: float = Field(default_factory=time.time)
    """Seconds since the epoch."""

    @property
    def text_content(self) -> str | None:
        """Its texts, a line each, without the marks that say how they are spoken; None if it has none."""
        text = self.raw_text_content
        if text is None or self.role != "assistant" or "<" not in text:
            return text
        from agent_runtime.tts.markup import strip_expr

        return strip_expr(text)

    @property
    def raw_text_content(self) -> str | None:
        """Its texts, a line each, as the model wrote them; None if it has none."""
        texts = [part for part in self.content if isinstance(part, str)]
        return "\n".join(texts) if texts else None

    def essence(self) -> tuple[Any, ...]:
        """Role, content and whether it was interrupted."""
        return (self.role, self.interrupted, self.content)


class FunctionCall(_Item):
    """A tool that the model called."""

    id: str = Field(default_factory=_item_id)
    type: Literal["function_call"] = "function_call"
    call_id: str
    arguments: str
    """The JSON text that the model wrote."""
    name: str
    created_at: float = Field(default_factory=time.time)
    """Seconds since the epoch."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """What a provider wants to see again with the call, by the provider's name."""
    group_id: str | None = None
    """Calls of one answer have the same; without one, an item's id up to its first `/` stands for it."""

    def essence(self) -> tuple[Any, ...]:
        """Name, call id and arguments."""
        return (self.name, self.call_id, self.arguments)


class FunctionCallOutput(_Item):
    """What a tool gave back to the model."""

    id: str = Field(default_factory=_item_id)
    type: Literal["function_call_output"] = "function_call_output"
    name: str = ""
    call_id: str
    output: str
    is_error: bool
    created_at: float = Field(default_factory=time.time)
    """Seconds since the epoch."""
    reply_required: bool = True
    """Whether the model should answer to it."""

    def essence(self) -> tuple[Any, ...]:
        """Name, call id, output and whether it is an error."""
        return (self.name, self.call_id, self.output, self.is_error)


class AgentHandoff(_Item):
    """Another agent took over."""

    id: str = Field(default_factory=_item_id)
    type: Literal["agent_handoff"] = "agent_handoff"
    old_agent_id: str | None = None
    new_agent_id: str
    created_at: float = Field(default_factory=time.time)
    """Seconds since the epoch."""


class AgentConfigUpdate(_Item):
    """The agent's instructions or tools changed."""

    id: str = Field(default_factory=_item_id)
    type: Literal["agent_config_update"] = "agent_config_update"
    instructions: str | None = None
    tools_added: list[str] | None = None
    tools_removed: list[str] | None = None
    created_at: float = Field(default_factory=time.time)
    """Seconds since the epoch."""
    _tools: list[Any] = PrivateAttr(default_factory=list)


ChatItem: TypeAlias = Annotated[
    ChatMessage | FunctionCall | FunctionCallOutput | AgentHandoff | AgentConfigUpdate,
    Field(discriminator="type"),
]
