"""A duplex model as a realtime model: what it says becomes answers, and what a session asks becomes what it can do."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from agent_runtime.llm.audio_gate import AdaptiveNoiseGate, AudioGate, FixedGate
from agent_runtime.llm.chat_context import ChatContext
from agent_runtime.llm.chat_items import ChatItem, ChatMessage, FunctionCall
from agent_runtime.llm.duplex import DuplexEventTypes, DuplexModel, DuplexSession
from agent_runtime.llm.duplex_speech import Kind, SpeechCutter
from agent_runtime.llm.realtime import (
    GenerationCreatedEvent,
    InputTranscriptionCompleted,
    RealtimeCapabilities,
    RealtimeError,
    RealtimeModel,
    RealtimeModelError,
    RealtimeSession,
)
from agent_runtime.llm.tool_context import ToolChoice, ToolContext
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.utils import aio
from agent_tools import Tool

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame, VideoFrame

__all__ = ["AdaptiveNoiseGate", "AudioGate", "DuplexRealtimeAdapter", "FixedGate"]

logger = logging.getLogger(__name__)

_REPLY_TIMEOUT: Final = 10.0
"""Seconds in which a model that was asked to speak has to begin; LiveKit's."""

_FORWARDED: Final[tuple[DuplexEventTypes, ...]] = (
    "input_speech_started",
    "input_speech_stopped",
    "metrics_collected",
    "error",
)


class DuplexRealtimeAdapter(RealtimeModel):
    """Has a session talk by a duplex model. Sessions and agents make one of the model that they are given.

    Args:
        duplex_model: the model.
        gate: makes what tells its speech from its silence, anew for each conversation. None: the model's own
            `audio_gate()`, or if it has none a gate that learns the model's silence.
        audio_timeout: seconds without sound after which the model is silent, for one that then sends nothing.
    """

    def __init__(
        self, duplex_model: DuplexModel, *, gate: Callable[[], AudioGate] | None = None, audio_timeout: float = 0.8
    ) -> None:
        own = duplex_model.capabilities
        super().__init__(
            capabilities=RealtimeCapabilities(
                message_truncation=False,
                turn_detection=True,
                user_transcription=own.user_transcription,
                auto_tool_reply_generation=own.auto_tool_reply_generation,
                audio_output=True,
                manual_function_calls=False,
                supports_overlapping_speech=True,
                mutable_chat_context=own.mutable_chat_context,
                mutable_instructions=own.mutable_instructions,
                mutable_tools=own.mutable_tools,
            )
        )
        self._duplex_model, self._gate, self._audio_timeout = duplex_model, gate, audio_timeout

    @property
    def duplex_model(self) -> DuplexModel:
        """The model behind it."""
        return self._duplex_model

    @property
    def model(self) -> str:
        """That of the duplex model."""
        return self._duplex_model.model

    @property
    def provider(self) -> str:
        """That of the duplex model."""
        return self._duplex_model.provider

    def session(self, *, turn_detection_disabled: bool = False) -> DuplexRealtimeSession:
        """Begin a conversation. The model always finds the turns itself."""
        gate = self._gate() if self._gate is not None else self._duplex_model.audio_gate()
        return DuplexRealtimeSession(
            self, self._duplex_model.session(), gate or AdaptiveNoiseGate(), audio_timeout=self._audio_timeout
        )

    async def aclose(self) -> None:
        """Close the model."""
        await self._duplex_model.aclose()


class DuplexRealtimeSession(RealtimeSession[Any]):
    """See `DuplexRealtimeAdapter`. It keeps the conversation and tells the model only what is new."""

    def __init__(
        self, adapter: DuplexRealtimeAdapter, duplex: DuplexSession[Any], gate: AudioGate, *, audio_timeout: float
    ) -> None:
        super().__init__(adapter)
        self._duplex = duplex
        self._audio_timeout = audio_timeout
        self._context = ChatContext.empty()
        self._closed = False
        self._told = False
        """Whether the model was told what it needs to begin."""
        self._asked: asyncio.Future[GenerationCreatedEvent] | None = None
        """Who waits for the model to speak."""
        self._cutter = SpeechCutter(gate, announce=self._begins, said=self._remember)
        for name in _FORWARDED:
            duplex.on(name, partial(self.emit, name))
        duplex.on("transcript_delta", self._cutter.read)
        duplex.on("function_call", self._calls)
        duplex.on("input_audio_transcription_completed", self._transcribed)
        duplex.on("session_reconnected", self._reconnected)
        self._listening = asyncio.create_task(self._listen(), name="duplex sound")

    @property
    def duplex_session(self) -> DuplexSession[Any]:
        """The provider's own session."""
        return self._duplex

    @property
    def chat_ctx(self) -> ChatContext:
        """The conversation as the model has been told of it."""
        return self._context.copy()

    @property
    def tools(self) -> ToolContext:
        """What the model may call."""
        return self._duplex.tools

    # --- what the model is told --------------------------------------------------------------------------------------

    async def _update_session(
        self,
        *,
        instructions: NotGivenOr[str] = NOT_GIVEN,
        chat_ctx: NotGivenOr[ChatContext] = NOT_GIVEN,
        tools: NotGivenOr[list[Tool]] = NOT_GIVEN,
    ) -> None:
        """All three at once, before the model connects. A session that can't be told ends, and raises why.

        One that is in use is told like any other time.
        """
        if self._told:
            await super()._update_session(instructions=instructions, chat_ctx=chat_ctx, tools=tools)
            return
        self._told = True
        told = _for_model(chat_ctx) if is_given(chat_ctx) else NOT_GIVEN
        if is_given(told):
            self._context = told.copy()
        try:
            await self._duplex._update_session(instructions=instructions, chat_ctx=told, tools=tools)
        except BaseException:
            await self.aclose()
            raise

    async def update_instructions(self, instructions: str) -> None:
        """Tell the model something else from now on."""
        await self._duplex._update_instructions(instructions)

    async def update_chat_ctx(self, chat_ctx: ChatContext) -> None:
        """Have the model remember what is new. What it was told before it keeps: a warning tells if that changed.

        Its own messages may change all the same: the session keeps of them what was heard.
        """
        new = _for_model(chat_ctx).copy(exclude_instructions=True)
        known = {item.id: item for item in self._context.items}
        now = {item.id: item for item in new.items}
        changed = [
            item_id
            for item_id, item in known.items()
            if not _is_answer(item) and (item_id not in now or _text(now[item_id]) != _text(item))
        ]
        if changed:
            logger.warning("a duplex model forgets nothing: it keeps items as they were (%s)", ", ".join(changed))
        added = [item for item in new.items if item.id not in known]
        if added:
            await self._duplex._append_items(added)
        self._context = new

    async def update_tools(self, tools: list[Tool]) -> None:
        """Give the model other tools."""
        await self._duplex._update_tools(tools)

    def update_options(self, *, tool_choice: NotGivenOr[ToolChoice | None] = NOT_GIVEN) -> None:
        """Change what is asked of each answer."""
        self._duplex._update_options(tool_choice=tool_choice)

    def push_audio(self, frame: AudioFrame) -> None:
        """Let the model hear a frame."""
        self._duplex.push_audio(frame)

    def push_video(self, frame: VideoFrame) -> None:
        """Let the model see a frame."""
        self._duplex.push_video(frame)

    def generate_reply(
        self,
        *,
        instructions: NotGivenOr[str] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN,
        tools: NotGivenOr[list[Tool]] = NOT_GIVEN,
    ) -> asyncio.Future[GenerationCreatedEvent]:
        """Have the model speak. What it says next is taken for the reply; it has 10 s to begin."""
        loop = asyncio.get_running_loop()
        asked: asyncio.Future[GenerationCreatedEvent] = loop.create_future()
        try:
            self._duplex._generate_reply(instructions=instructions, tool_choice=tool_choice, tools=tools)
        except RealtimeError as error:
            asked.set_exception(error)
            return asked
        self._refuse("another reply was asked for before the model began this one")
        self._asked = asked
        timer = loop.call_later(_REPLY_TIMEOUT, self._refuse, f"the model didn't speak within {_REPLY_TIMEOUT:g} s")
        asked.add_done_callback(lambda _: timer.cancel())
        return asked

    def _refuse(self, reason: str) -> None:
        if self._asked is not None and not self._asked.done():
            self._asked.set_exception(RealtimeError(reason))

    # What follows is the model's own affair: it hears all the time, and stops when it thinks that it should.

    def commit_audio(self) -> None:
        """Nothing: the model hears all the time."""

    def clear_audio(self) -> None:
        """Nothing: what the model heard it heard."""

    def interrupt(self) -> None:
        """Nothing: the model itself stops for the user."""

    def truncate(
        self,
        *,
        message_id: str,
        modalities: list[Literal["text", "audio"]],
        audio_end_ms: int,
        audio_transcript: NotGivenOr[str] = NOT_GIVEN,
    ) -> None:
        """Nothing: the model remembers what it said."""

    async def aclose(self) -> None:
        """End the conversation."""
        if self._closed:
            return
        self._closed = True
        await aio.cancel_and_wait(self._listening)
        self._cutter.end()
        self._refuse("the session was closed before the model spoke")
        try:
            await self._duplex.aclose()
        except Exception:
            logger.exception("the duplex session of %s didn't close properly", self._duplex.duplex_model.label)

    # --- what the model tells ----------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        silence: asyncio.TimerHandle | None = None
        try:
            async for piece in self._duplex.audio_stream:
                if silence is not None:
                    silence.cancel()
                self._cutter.hear(piece)
                if self._cutter.speaking:
                    silence = loop.call_later(piece.frame.duration + self._audio_timeout, self._cutter.end)
            if not self._closed:
                raise RealtimeError("the sound of the model ended before the session")
        except Exception as error:
            # There is no other stream: a session that heard nothing of it would wait for ever.
            logger.exception("the sound of a duplex model ended")
            label = self._duplex.duplex_model.label
            self.emit("error", RealtimeModelError(timestamp=time.time(), label=label, error=error, recoverable=False))
        finally:
            if silence is not None:
                silence.cancel()
            self._cutter.end()

    def _begins(self, generation: GenerationCreatedEvent, kind: Kind) -> None:
        # A call, or words of what was said before, aren't yet what was asked for.
        if kind == "speech" and self._asked is not None and not self._asked.done():
            generation.user_initiated = True
            self._asked.set_result(generation)
        self.emit("generation_created", generation)

    def _remember(self, item: ChatItem) -> None:
        self._context.insert(item)

    def _calls(self, call: FunctionCall) -> None:
        self._remember(call)
        self._cutter.call(call)

    def _transcribed(self, event: InputTranscriptionCompleted) -> None:
        if event.is_final:
            message = ChatMessage(
                id=event.item_id,
                role="user",
                content=[event.transcript],
                transcript_confidence=1.0 if event.confidence is None else event.confidence,
            )
            if event.turn_started_at is not None:
                message.created_at = event.turn_started_at
            self._remember(message)
        self.emit("input_audio_transcription_completed", event)

    def _reconnected(self, event: object) -> None:
        self._cutter.break_off()
        self._refuse("the connection was lost before the model spoke")
        self.emit("session_reconnected", event)


def _for_model(context: ChatContext) -> ChatContext:
    return context.copy(exclude_handoff=True, exclude_config_update=True)


def _is_answer(item: ChatItem) -> bool:
    return isinstance(item, ChatMessage) and item.role == "assistant"


def _text(item: ChatItem) -> str | None:
    return item.text_content if isinstance(item, ChatMessage) else None
