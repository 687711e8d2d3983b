"""A realtime model that follows a script: it hears what the script says, and answers from a list."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from livekit.rtc import AudioFrame

from agent_runtime.llm import (
    ChatContext,
    ChatMessage,
    FunctionCall,
    FunctionCallOutput,
    GenerationCreatedEvent,
    InputSpeechStartedEvent,
    InputSpeechStoppedEvent,
    InputTranscriptionCompleted,
    MessageGeneration,
    RealtimeCapabilities,
    RealtimeError,
    RealtimeModel,
    RealtimeModelError,
    RealtimeSession,
    RealtimeSessionReconnectedEvent,
    ToolChoice,
    ToolContext,
)
from agent_runtime.metrics import Metadata, RealtimeModelMetrics
from agent_runtime.testing.scripted import Answer, UserSpeech
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.utils import aio, shortuuid
from agent_tools import Tool

if TYPE_CHECKING:
    from livekit.rtc import VideoFrame

SAMPLE_RATE = 24000
MIN_SILENCE = 0.5
"""Seconds of silence after which it takes the user's turn to be over."""

_ALL = RealtimeCapabilities(
    message_truncation=True,
    turn_detection=True,
    user_transcription=True,
    auto_tool_reply_generation=False,
    audio_output=True,
    manual_function_calls=True,
    can_disable_turn_detection=True,
    mutable_chat_context=True,
    mutable_instructions=True,
    mutable_tools=True,
    per_response_tool_choice=True,
)


class ScriptedRealtimeModel(RealtimeModel):
    """Hears `speeches` and answers from `answers`, in order; silence for sound. `sessions` holds those that it began.

    It takes a turn 0.5 s after the end of a speech and begins to answer at once; the transcript of a speech comes
    `stt_delay` after that. Words and sound of an answer come `ttft` after it began, all at once.

    Args:
        speeches: what the user says and when, in seconds since the first frame that a session was given.
        answers: what it says; the `error` of an answer is that of the connection, after `duration`.
        durations: seconds of sound of each answer, in order; after them, 0.06 a character.
        capabilities: what it can do other than everything but `say` and answers to tools of its own.
    """

    def __init__(
        self,
        speeches: Sequence[UserSpeech] = (),
        answers: Sequence[Answer] = (),
        *,
        durations: Sequence[float] = (),
        **capabilities: bool,
    ) -> None:
        super().__init__(capabilities=dataclasses.replace(_ALL, **capabilities))
        self.speeches = list(speeches)
        self.answers = list(answers)
        self.durations = list(durations)
        self.sessions: list[ScriptedRealtimeSession] = []

    @property
    def model(self) -> str:
        """`scripted-realtime`."""
        return "scripted-realtime"

    def session(self, *, turn_detection_disabled: bool = False) -> ScriptedRealtimeSession:
        """A session that follows the script."""
        session = ScriptedRealtimeSession(self, detects=not turn_detection_disabled)
        self.sessions.append(session)
        return session

    async def aclose(self) -> None:
        """Nothing is held."""


class ScriptedRealtimeSession(RealtimeSession[Any]):
    """See `ScriptedRealtimeModel`. What it was told is in its attributes."""

    def __init__(self, model: ScriptedRealtimeModel, *, detects: bool) -> None:
        super().__init__(model)
        self._model = model
        self._context = ChatContext.empty()
        self._tools = ToolContext.empty()
        self._detects = detects and model.capabilities.turn_detection
        self._tasks: set[asyncio.Task[None]] = set()
        self._answering: asyncio.Task[None] | None = None
        self._heard_from: float | None = None
        self.instructions = ""
        self.tool_choices: list[Any] = []
        """That of each answer that was asked for."""
        self.asked_instructions: list[str | None] = []
        """Those of each answer that was asked for."""
        self.frames: list[AudioFrame] = []
        """Everything that it was given to hear."""
        self.video: list[VideoFrame] = []
        """Everything that it was given to see."""
        self.commits = 0
        self.clears = 0
        self.interrupts = 0
        """How often an answer was stopped that it was making."""
        self.truncations: list[tuple[str, int, str]] = []
        """(message, milliseconds, words) of each."""
        self.closed = False

    @property
    def chat_ctx(self) -> ChatContext:
        """The conversation as it has it."""
        return self._context.copy()

    @property
    def tools(self) -> ToolContext:
        """What it may call."""
        return self._tools

    async def update_instructions(self, instructions: str) -> None:
        """Keep them."""
        self.instructions = instructions

    async def update_chat_ctx(self, chat_ctx: ChatContext) -> None:
        """Keep it; if it was given outputs, and is to answer to these itself, it does."""
        known = {item.id for item in self._context.items}
        self._context = chat_ctx.copy()
        new = [item for item in chat_ctx.items if item.id not in known and isinstance(item, FunctionCallOutput)]
        if new and self.capabilities.auto_tool_reply_generation:
            self.emit("generation_created", self._begin(user_initiated=False))

    async def update_tools(self, tools: list[Tool]) -> None:
        """Keep them."""
        self._tools = ToolContext(tools)

    def update_options(self, *, tool_choice: NotGivenOr[ToolChoice | None] = NOT_GIVEN) -> None:
        """Keep it."""
        self.tool_choices.append(tool_choice)

    def push_audio(self, frame: AudioFrame) -> None:
        """Hear a frame; the first begins the script."""
        self.frames.append(frame)
        if self._heard_from is None:
            self._heard_from = asyncio.get_running_loop().time()
            if self._detects:
                self._spawn(self._detect(self._heard_from))

    def push_video(self, frame: VideoFrame) -> None:
        """See a frame."""
        self.video.append(frame)

    def commit_audio(self) -> None:
        """The next speech of the script is the user's message, if it is over."""
        self.commits += 1
        if self._heard_from is None or not self._model.speeches:
            return
        if self._model.speeches[0].end <= asyncio.get_running_loop().time() - self._heard_from:
            self._spawn(self._transcribe(self._model.speeches.pop(0)))

    def clear_audio(self) -> None:
        """Count it."""
        self.clears += 1

    def interrupt(self) -> None:
        """Stop the answer that it is making, if it makes one."""
        if self._answering is not None and not self._answering.done():
            self.interrupts += 1
            self._answering.cancel()

    def truncate(
        self,
        *,
        message_id: str,
        modalities: list[Literal["text", "audio"]],
        audio_end_ms: int,
        audio_transcript: NotGivenOr[str] = NOT_GIVEN,
    ) -> None:
        """Keep of the message what was heard."""
        words = audio_transcript if is_given(audio_transcript) else ""
        self.truncations.append((message_id, audio_end_ms, words))
        message = self._context.get_by_id(message_id)
        if isinstance(message, ChatMessage):
            message.content = [words]

    def generate_reply(
        self,
        *,
        instructions: NotGivenOr[str] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN,
        tools: NotGivenOr[list[Tool]] = NOT_GIVEN,
    ) -> asyncio.Future[GenerationCreatedEvent]:
        """The next answer of the script. The future fails with RealtimeError when the script is over."""
        self.asked_instructions.append(instructions if is_given(instructions) else None)
        self.tool_choices.append(tool_choice)
        return self._answer_to_request(None)

    def say(self, text: str | AsyncIterable[str]) -> asyncio.Future[GenerationCreatedEvent]:
        """Speak a whole text. Raises TypeError for a stream of it."""
        if not isinstance(text, str):
            raise TypeError("ScriptedRealtimeSession speaks whole texts only")
        return self._answer_to_request(Answer(text, ttft=0.0))

    def _answer_to_request(self, answer: Answer | None) -> asyncio.Future[GenerationCreatedEvent]:
        future: asyncio.Future[GenerationCreatedEvent] = asyncio.get_running_loop().create_future()
        if answer is None and not self._model.answers:
            future.set_exception(RealtimeError("the script has no further answer"))
        else:
            generation = self._begin(user_initiated=True, answer=answer)
            self.emit("generation_created", generation)
            future.set_result(generation)
        return future

    def reconnect(self) -> None:
        """The connection is lost and made anew: the answer ends where it is, the conversation is kept."""
        if self._answering is not None:
            self._answering.cancel()
        self.emit("session_reconnected", RealtimeSessionReconnectedEvent())

    def fail(self, error: Exception, *, recoverable: bool = False) -> None:
        """The connection fails: the answer ends where it is."""
        if self._answering is not None:
            self._answering.cancel()
        label = self._model.label
        self.emit("error", RealtimeModelError(timestamp=time.time(), label=label, error=error, recoverable=recoverable))

    async def aclose(self) -> None:
        """End everything."""
        self.closed = True
        await aio.cancel_and_wait(*self._tasks)

    # --- the script --------------------------------------------------------------------------------------------------

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work, name="scripted realtime")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _detect(self, origin: float) -> None:
        loop = asyncio.get_running_loop()
        for speech in self._model.speeches:
            await asyncio.sleep(max(0.0, origin + speech.start - loop.time()))
            self.interrupt()
            self.emit("input_speech_started", InputSpeechStartedEvent())
            await asyncio.sleep(max(0.0, origin + speech.end + MIN_SILENCE - loop.time()))
            told = InputSpeechStoppedEvent(user_transcription_enabled=self.capabilities.user_transcription)
            self.emit("input_speech_stopped", told)
            if not speech.text:
                continue
            self._spawn(self._transcribe(speech))
            if self._model.answers:
                self.emit("generation_created", self._begin(user_initiated=False))

    async def _transcribe(self, speech: UserSpeech) -> None:
        message = ChatMessage(role="user", content=[speech.text])
        self._context.insert(message)
        if not self.capabilities.user_transcription:
            return
        await asyncio.sleep(speech.stt_delay)
        said = InputTranscriptionCompleted(item_id=message.id, transcript=speech.text, is_final=True)
        self.emit("input_audio_transcription_completed", said)

    def _begin(self, *, user_initiated: bool, answer: Answer | None = None) -> GenerationCreatedEvent:
        messages: aio.Chan[MessageGeneration] = aio.Chan()
        calls: aio.Chan[FunctionCall] = aio.Chan()
        answer = answer or self._model.answers.pop(0)
        response_id = shortuuid("response_")
        # An answer that replaces another ends it.
        if self._answering is not None:
            self._answering.cancel()
        self._answering = self._spawn(self._answer(answer, response_id, messages, calls))
        return GenerationCreatedEvent(messages, calls, user_initiated=user_initiated, response_id=response_id)

    async def _answer(
        self, answer: Answer, response_id: str, messages: aio.Chan[MessageGeneration], calls: aio.Chan[FunctionCall]
    ) -> None:
        text: aio.Chan[str] = aio.Chan()
        audio: aio.Chan[AudioFrame] = aio.Chan()
        cancelled = True
        try:
            await asyncio.sleep(answer.ttft)
            if answer.text:
                self._speak(answer.text, messages, text, audio)
            for name, arguments in answer.tool_calls:
                call = FunctionCall(call_id=shortuuid("call_"), name=name, arguments=arguments)
                self._context.items.append(call)
                calls.send_nowait(call)
            if answer.error is not None:
                await asyncio.sleep(max(0.0, answer.duration - answer.ttft))
                self._spawn(self._fail_with(answer.error))
            cancelled = False
        finally:
            for channel in (messages, calls, text, audio):
                channel.close()
            self._tell_metrics(answer, response_id, cancelled=cancelled)

    async def _fail_with(self, error: Exception) -> None:
        self.fail(error)

    def _speak(
        self, text: str, messages: aio.Chan[MessageGeneration], words: aio.Chan[str], audio: aio.Chan[AudioFrame]
    ) -> None:
        modalities: list[Literal["text", "audio"]] = ["audio", "text"] if self.capabilities.audio_output else ["text"]
        known: asyncio.Future[list[Literal["text", "audio"]]] = asyncio.get_running_loop().create_future()
        known.set_result(modalities)
        message = ChatMessage(role="assistant", content=[text])
        self._context.items.append(message)
        messages.send_nowait(MessageGeneration(message.id, words, audio, known))
        words.send_nowait(text)
        if self.capabilities.audio_output:
            seconds = self._model.durations.pop(0) if self._model.durations else len(text) * 0.06
            count = round(SAMPLE_RATE * seconds)
            audio.send_nowait(AudioFrame(bytes(2 * count), SAMPLE_RATE, 1, count))

    def _tell_metrics(self, answer: Answer, response_id: str, *, cancelled: bool) -> None:
        words = len(answer.text.split())
        metrics = RealtimeModelMetrics(
            label=self._model.label,
            request_id=response_id,
            timestamp=time.time(),
            duration=answer.ttft,
            ttft=answer.ttft,
            cancelled=cancelled,
            input_tokens=10,
            output_tokens=words,
            total_tokens=10 + words,
            input_token_details=RealtimeModelMetrics.InputTokenDetails(audio_tokens=10),
            output_token_details=RealtimeModelMetrics.OutputTokenDetails(audio_tokens=words),
            metadata=Metadata(model_name=self._model.model, model_provider=self._model.provider),
        )
        self.emit("metrics_collected", metrics)
