"""Realtime models: speech in, speech and tool calls out, over one connection that remembers the conversation.

Names and meanings are those of `livekit.agents.llm.realtime`, so that a plugin's classes need no change.
"""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import ConfigDict, Field

from agent_runtime.lazy_model import LazyModel
from agent_runtime.llm.chat_context import ChatContext
from agent_runtime.llm.chat_items import ChatItem, FunctionCall
from agent_runtime.llm.tool_context import ToolChoice, ToolContext
from agent_runtime.metrics import Metadata, RealtimeModelMetrics
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.utils import EventEmitter
from agent_runtime.utils.provider import Provider
from agent_tools import Tool

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame, VideoFrame

logger = logging.getLogger(__name__)

TEvent = TypeVar("TEvent")

EventTypes: TypeAlias = Literal[
    "input_speech_started",
    "input_speech_stopped",
    "input_audio_transcription_completed",
    "generation_created",
    "session_reconnected",
    "metrics_collected",
    "remote_item_added",
    "error",
]


@dataclass
class InputSpeechStartedEvent:
    """The model's own detector hears the user."""


@dataclass
class InputSpeechStoppedEvent:
    """The model's own detector hears the user no more."""

    user_transcription_enabled: bool
    """Whether a transcript of what was said follows."""


@dataclass
class InputTranscriptionCompleted:
    """What the user said, as text."""

    item_id: str
    """Of the user's message in the model's conversation."""
    transcript: str
    is_final: bool
    confidence: float | None = None
    """From 0.0 to 1.0, where the model tells."""
    turn_started_at: float | None = None
    """Seconds since the epoch; for models whose transcript may come after their reply."""


@dataclass
class MessageGeneration:
    """One message that the model is making."""

    message_id: str
    text_stream: AsyncIterable[str]
    """Its words, `TimedString` where the model tells when each is spoken."""
    audio_stream: AsyncIterable[AudioFrame]
    modalities: Awaitable[list[Literal["text", "audio"]]]
    """Resolved once it is known what the message is made of."""


@dataclass
class GenerationCreatedEvent:
    """The model begins to answer."""

    message_stream: AsyncIterable[MessageGeneration]
    function_stream: AsyncIterable[FunctionCall]
    user_initiated: bool
    """Whether it was asked to by `generate_reply` or `say`; if not, the user's speech made it answer."""
    response_id: str | None = None
    """The provider's own name of the answer."""


@dataclass
class RealtimeSessionReconnectedEvent:
    """The connection was made anew; the model has the conversation again."""


@dataclass
class RemoteItemAddedEvent:
    """The model added an item to its conversation."""

    previous_item_id: str | None
    item: ChatItem


class RealtimeModelError(LazyModel):
    """The connection or a request on it failed. `recoverable`: the session goes on."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    type: Literal["realtime_model_error"] = "realtime_model_error"
    timestamp: float
    """Seconds since the epoch."""
    label: str
    error: Exception = Field(exclude=True)
    recoverable: bool


class RealtimeError(Exception):
    """Raised when the model refuses or doesn't answer a request. `code` is the provider's, where it has one."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class RealtimeCapabilities:
    """What a realtime model can do."""

    message_truncation: bool
    """Forget what of an interrupted message wasn't heard."""
    turn_detection: bool
    """Hear by itself when the user starts and stops, and answer."""
    user_transcription: bool
    """Tell what the user said."""
    auto_tool_reply_generation: bool
    """Answer to the outputs of tools without being asked."""
    audio_output: bool
    """Speak. If not, its text is spoken by a TTS."""
    manual_function_calls: bool
    """Take calls into its conversation that it didn't make itself."""
    can_disable_turn_detection: bool = False
    """Leave turns to us, where `session(turn_detection_disabled=True)` asks for it."""
    supports_overlapping_speech: bool = False
    """Speak while the user does, and decide by itself when to yield."""
    mutable_chat_context: bool = False
    """Take another conversation in mid-session."""
    mutable_instructions: bool = False
    """Take other instructions in mid-session."""
    mutable_tools: bool = False
    """Take other tools in mid-session."""
    per_response_tool_choice: bool = False
    """Take tools and their choice for one answer."""
    supports_say: bool = False
    """Speak a given text."""


class RealtimeModel(Provider):
    """A realtime model. A provider's class implements `session` and `aclose`."""

    def __init__(self, *, capabilities: RealtimeCapabilities) -> None:
        self._capabilities = capabilities

    @property
    def capabilities(self) -> RealtimeCapabilities:
        """What it can do."""
        return self._capabilities

    @abstractmethod
    def session(self, *, turn_detection_disabled: bool = False) -> RealtimeSession[Any]:
        """Begin a conversation. With `turn_detection_disabled` it leaves turns to us, if it can."""


class RealtimeSession(ABC, EventEmitter[EventTypes | TEvent], Generic[TEvent]):
    """One conversation with a realtime model. `EventTypes` names its events; their payloads are in this module."""

    def __init__(self, realtime_model: RealtimeModel) -> None:
        super().__init__()
        self._realtime_model = realtime_model

    @property
    def realtime_model(self) -> RealtimeModel:
        """Whose session it is."""
        return self._realtime_model

    @property
    def capabilities(self) -> RealtimeCapabilities:
        """Of the model that answers at present."""
        return self._realtime_model.capabilities

    @property
    @abstractmethod
    def chat_ctx(self) -> ChatContext:
        """The conversation as the model has it."""

    @property
    @abstractmethod
    def tools(self) -> ToolContext:
        """What the model may call."""

    @abstractmethod
    async def update_instructions(self, instructions: str) -> None:
        """Tell the model something else from now on. Raises RealtimeError."""

    @abstractmethod
    async def update_chat_ctx(self, chat_ctx: ChatContext) -> None:
        """Give the model another conversation; what it has already isn't sent. Raises RealtimeError."""

    @abstractmethod
    async def update_tools(self, tools: list[Tool]) -> None:
        """Give the model other tools. Raises RealtimeError."""

    @abstractmethod
    def update_options(self, *, tool_choice: NotGivenOr[ToolChoice | None] = NOT_GIVEN) -> None:
        """Change what is asked of each answer."""

    @abstractmethod
    def push_audio(self, frame: AudioFrame) -> None:
        """Let the model hear a frame, of any rate."""

    @abstractmethod
    def push_video(self, frame: VideoFrame) -> None:
        """Let the model see a frame."""

    @abstractmethod
    def generate_reply(
        self,
        *,
        instructions: NotGivenOr[str] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN,
        tools: NotGivenOr[list[Tool]] = NOT_GIVEN,
    ) -> asyncio.Future[GenerationCreatedEvent]:
        """Have the model answer. The future ends when it begins to, or fails with RealtimeError."""

    @abstractmethod
    def commit_audio(self) -> None:
        """What the model heard so far is the user's message."""

    @abstractmethod
    def clear_audio(self) -> None:
        """Forget what the model heard since the last message."""

    @abstractmethod
    def interrupt(self) -> None:
        """Have the model stop its answer, if it is making one."""

    @abstractmethod
    def truncate(
        self,
        *,
        message_id: str,
        modalities: list[Literal["text", "audio"]],
        audio_end_ms: int,
        audio_transcript: NotGivenOr[str] = NOT_GIVEN,
    ) -> None:
        """Have the model forget what of its message wasn't heard: all after `audio_end_ms` milliseconds."""

    @abstractmethod
    async def aclose(self) -> None:
        """End the conversation."""

    def start_user_activity(self) -> None:
        """Tell the model that the user does something; most needn't know."""

    def say(self, text: str | AsyncIterable[str]) -> asyncio.Future[GenerationCreatedEvent]:
        """Have the model speak a text. Only where it `supports_say`."""
        raise NotImplementedError(f"{type(self).__name__} can't speak a given text: give the session a tts for that")

    async def _update_session(
        self,
        *,
        instructions: NotGivenOr[str] = NOT_GIVEN,
        chat_ctx: NotGivenOr[ChatContext] = NOT_GIVEN,
        tools: NotGivenOr[list[Tool]] = NOT_GIVEN,
    ) -> None:
        """All three in the order that a fresh session wants them; what the model refuses is logged and left out."""
        try:
            if is_given(instructions):
                await self.update_instructions(instructions)
        except RealtimeError:
            logger.exception("the model didn't take its instructions")
        try:
            if is_given(chat_ctx):
                await self.update_chat_ctx(chat_ctx)
        except RealtimeError:
            logger.exception("the model didn't take the conversation")
        try:
            if is_given(tools):
                await self.update_tools(tools)
        except RealtimeError:
            logger.exception("the model didn't take its tools")

    def _report_connection_acquired(self, acquire_time: float) -> None:
        """For providers: tell in metrics that connecting took so many seconds."""
        self.emit("metrics_collected", connection_metrics(self._realtime_model, acquire_time))


def connection_metrics(model: Provider, acquire_time: float) -> RealtimeModelMetrics:
    """What is told of connecting to a model, which took so many seconds."""
    return RealtimeModelMetrics(
        request_id="",
        timestamp=time.time(),
        label=model.label,
        acquire_time=acquire_time,
        input_token_details=RealtimeModelMetrics.InputTokenDetails(),
        output_token_details=RealtimeModelMetrics.OutputTokenDetails(),
        metadata=Metadata(model_name=model.model, model_provider=model.provider),
    )
