"""Duplex models: they listen and speak at the same time, over one stream of sound each way that never ends.

Names and meanings are those of `livekit.agents.llm.duplex`, so that a plugin's classes need no change. A session runs
one by `DuplexRealtimeAdapter`.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

from agent_runtime.llm.chat_context import ChatContext
from agent_runtime.llm.chat_items import ChatItem
from agent_runtime.llm.realtime import RealtimeError, connection_metrics
from agent_runtime.llm.tool_context import ToolChoice, ToolContext
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.utils import EventEmitter
from agent_runtime.utils.provider import Provider
from agent_tools import Tool

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame, VideoFrame

    from agent_runtime.llm.audio_gate import AudioGate

TEvent = TypeVar("TEvent")

DuplexEventTypes: TypeAlias = Literal[
    "transcript_delta",
    "function_call",
    "input_speech_started",
    "input_speech_stopped",
    "input_audio_transcription_completed",
    "session_reconnected",
    "metrics_collected",
    "error",
]


@dataclass
class DuplexAudioFrame:
    """A piece of what the model sends to be heard."""

    frame: AudioFrame
    start_ms: int | None = None
    """Where in the model's own time it begins, if the provider tells."""


@dataclass
class DuplexOutputTranscriptDelta:
    """A few of the words that the model says."""

    text: str
    start_ms: int | None = None
    end_ms: int | None = None
    """From when to when it says them, in a time of its own: only the distances between pieces count."""


@dataclass
class DuplexCapabilities:
    """In what duplex models differ."""

    user_transcription: bool
    """Tell what the user said."""
    auto_tool_reply_generation: bool
    """Answer to the outputs of tools without being asked."""
    mutable_chat_context: bool = False
    """Take another conversation in mid-session."""
    mutable_instructions: bool = False
    """Take other instructions in mid-session."""
    mutable_tools: bool = False
    """Take other tools in mid-session."""


class DuplexModel(ABC, Provider):
    """A duplex model. A provider's class implements `session` and `aclose`; give it where a language model goes."""

    def __init__(self, *, capabilities: DuplexCapabilities) -> None:
        self._capabilities = capabilities

    @property
    def capabilities(self) -> DuplexCapabilities:
        """What it can do."""
        return self._capabilities

    def audio_gate(self) -> AudioGate | None:
        """What tells its speech from its silence; None: a gate that learns that."""
        return None

    @abstractmethod
    def session(self) -> DuplexSession[Any]:
        """Begin a conversation. It is told everything by `_update_session` before it is used."""


class DuplexSession(ABC, EventEmitter[DuplexEventTypes | TEvent], Generic[TEvent]):
    """One conversation with a duplex model.

    Methods with an underscore are for the adapter: what people need beside it are the provider's own methods, and
    `Agent.duplex_session` is the way to those.
    """

    def __init__(self, duplex_model: DuplexModel) -> None:
        super().__init__()
        self._duplex_model = duplex_model
        self._closing = False
        self._configured = asyncio.Event()
        """Set once everything was told, and on closing: a model that can't be told later connects after that."""

    @property
    def duplex_model(self) -> DuplexModel:
        """Whose session it is."""
        return self._duplex_model

    @property
    def capabilities(self) -> DuplexCapabilities:
        """What the model can do."""
        return self._duplex_model.capabilities

    @property
    @abstractmethod
    def audio_stream(self) -> AsyncIterable[DuplexAudioFrame]:
        """All that the model sends to be heard, its silence too; a model may also send nothing while it is silent."""

    @property
    @abstractmethod
    def tools(self) -> ToolContext:
        """What the model may call."""

    @abstractmethod
    def push_audio(self, frame: AudioFrame) -> None:
        """Let the model hear a frame, of any rate."""

    def push_video(self, frame: VideoFrame) -> None:
        """Let the model see a frame; one that has no eyes needn't know."""

    async def aclose(self) -> None:
        """End the conversation. An override calls this first: who waits for `_configured` then sees `_closing`."""
        self._closing = True
        self._configured.set()

    @abstractmethod
    async def _update_instructions(self, instructions: str) -> None:
        """Tell the model something else from now on."""

    @abstractmethod
    async def _append_items(self, items: list[ChatItem]) -> None:
        """Have the model remember these too."""

    @abstractmethod
    async def _update_tools(self, tools: list[Tool]) -> None:
        """Give the model other tools."""

    @abstractmethod
    def _update_options(self, *, tool_choice: NotGivenOr[ToolChoice | None] = NOT_GIVEN) -> None:
        """Change what is asked of each answer."""

    def _generate_reply(
        self,
        *,
        instructions: NotGivenOr[str] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN,
        tools: NotGivenOr[list[Tool]] = NOT_GIVEN,
    ) -> None:
        """Have the model speak: what it says next is the reply. Raises RealtimeError where it can't be asked."""
        raise RealtimeError(f"{type(self).__name__} can't be asked to speak: its model decides that alone")

    async def _update_session(
        self,
        *,
        instructions: NotGivenOr[str] = NOT_GIVEN,
        chat_ctx: NotGivenOr[ChatContext] = NOT_GIVEN,
        tools: NotGivenOr[list[Tool]] = NOT_GIVEN,
    ) -> None:
        """Tell a fresh session everything; what it refuses is raised."""
        if is_given(instructions):
            await self._update_instructions(instructions)
        if is_given(chat_ctx):
            await self._append_items(chat_ctx.items)
        if is_given(tools):
            await self._update_tools(tools)
        self._configured.set()

    def _report_connection_acquired(self, acquire_time: float) -> None:
        """For providers: tell in metrics that connecting took so many seconds."""
        self.emit("metrics_collected", connection_metrics(self._duplex_model, acquire_time))
