"""A realtime model as people write it for LiveKit Agents, with its names alone. It hears tones and speaks tones."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import numpy as np
from livekit import rtc
from livekit.agents import NOT_GIVEN, NotGivenOr, llm, utils

RATE = 16000
PAUSE = 0.5
"""Seconds of silence after which it answers."""


class ToneModel(llm.RealtimeModel):
    """Answers what was said with a tone; asked for tea it calls a tool before."""

    def __init__(self, hears: list[str]) -> None:
        super().__init__(
            capabilities=llm.RealtimeCapabilities(
                message_truncation=True,
                turn_detection=True,
                user_transcription=True,
                auto_tool_reply_generation=False,
                audio_output=True,
                manual_function_calls=True,
                mutable_chat_context=True,
                mutable_instructions=True,
                mutable_tools=True,
            )
        )
        self.hears = hears
        self.sessions: list[ToneSession] = []

    @property
    def model(self) -> str:
        return "tones"

    def session(self, *, turn_detection_disabled: bool = False) -> ToneSession:
        self.sessions.append(ToneSession(self))
        return self.sessions[-1]

    async def aclose(self) -> None:
        for session in self.sessions:
            await session.aclose()


class ToneSession(llm.RealtimeSession[Literal["tone_heard"]]):
    def __init__(self, model: ToneModel) -> None:
        super().__init__(model)
        self._model = model
        self._remote = llm.ChatContext.empty()
        self._tools = llm.ToolContext.empty()
        self._silence = 0.0
        self._speaking = False
        self._tasks = utils.aio.TaskSet()
        self._answer: asyncio.Task[None] | None = None
        self.instructions = ""
        self.cuts: list[tuple[str, int]] = []

    @property
    def chat_ctx(self) -> llm.ChatContext:
        return self._remote.copy()

    @property
    def tools(self) -> llm.ToolContext:
        return self._tools.copy()

    async def update_instructions(self, instructions: str) -> None:
        self.instructions = instructions

    async def update_chat_ctx(self, chat_ctx: llm.ChatContext) -> None:
        diff = llm.utils.compute_chat_ctx_diff(self._remote, chat_ctx)
        new = [chat_ctx.get_by_id(item_id) for _, item_id in diff.to_create]
        self._remote.items[:] = [item for item in self._remote.items if item.id not in diff.to_remove]
        self._remote.items += [item for item in new if item is not None]

    async def update_tools(self, tools: list[llm.Tool]) -> None:
        self._tools = llm.ToolContext(tools)

    def update_options(self, *, tool_choice: NotGivenOr[llm.ToolChoice | None] = NOT_GIVEN) -> None:
        pass

    def push_audio(self, frame: rtc.AudioFrame) -> None:
        loud = float(np.abs(np.frombuffer(frame.data, np.int16)).mean()) > 500
        self._silence = 0.0 if loud else self._silence + frame.duration
        if loud and not self._speaking:
            self._speaking = True
            self.emit("input_speech_started", llm.InputSpeechStartedEvent())
            self.emit("tone_heard", frame)
            self.interrupt()
        elif self._speaking and self._silence >= PAUSE:
            self._speaking = False
            self.emit("input_speech_stopped", llm.InputSpeechStoppedEvent(user_transcription_enabled=True))
            heard = llm.ChatMessage(role="user", content=[self._model.hears.pop(0)])
            self._remote.items.append(heard)
            self.emit(
                "input_audio_transcription_completed",
                llm.InputTranscriptionCompleted(item_id=heard.id, transcript=heard.text_content or "", is_final=True),
            )
            self._begin(user_initiated=False)

    def push_video(self, frame: rtc.VideoFrame) -> None:
        raise llm.RealtimeError("tones have no picture")

    def generate_reply(
        self,
        *,
        instructions: NotGivenOr[str] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        tools: NotGivenOr[list[llm.Tool]] = NOT_GIVEN,
    ) -> asyncio.Future[llm.GenerationCreatedEvent]:
        begun = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.1, lambda: begun.set_result(self._begin(user_initiated=True)))
        return begun

    def commit_audio(self) -> None:
        pass

    def clear_audio(self) -> None:
        pass

    def interrupt(self) -> None:
        if self._answer is not None:
            self._answer.cancel()

    def truncate(
        self,
        *,
        message_id: str,
        modalities: list[Literal["text", "audio"]],
        audio_end_ms: int,
        audio_transcript: NotGivenOr[str] = NOT_GIVEN,
    ) -> None:
        self.cuts.append((message_id, audio_end_ms))

    async def aclose(self) -> None:
        await self._tasks.aclose()

    def _begin(self, *, user_initiated: bool) -> llm.GenerationCreatedEvent:
        messages = utils.aio.Chan[llm.MessageGeneration]()
        calls = utils.aio.Chan[llm.FunctionCall]()
        event = llm.GenerationCreatedEvent(
            message_stream=messages, function_stream=calls, user_initiated=user_initiated, response_id="r"
        )
        self._answer = self._tasks.create_task(self._make(messages, calls))
        self.emit("generation_created", event)
        return event

    async def _make(self, messages: Any, calls: Any) -> None:
        text, audio = utils.aio.Chan[str](), utils.aio.Chan[rtc.AudioFrame]()
        try:
            last = self._remote.items[-1]
            if last.type == "message" and "tea" in (last.text_content or "") and "bring" in self._tools.function_tools:
                call = llm.FunctionCall(call_id=utils.shortuuid(), name="bring", arguments='{"what": "tea"}')
                self._remote.items.append(call)
                calls.send_nowait(call)
                return
            modalities: asyncio.Future[list[Literal["text", "audio"]]] = asyncio.get_running_loop().create_future()
            modalities.set_result(["audio", "text"])
            message = llm.MessageGeneration(utils.shortuuid("item_"), text, audio, modalities)
            messages.send_nowait(message)
            for word in ("Here ", "you ", "are."):
                text.send_nowait(word)
                samples = RATE // 2
                audio.send_nowait(rtc.AudioFrame(bytes(2 * samples), RATE, 1, samples))
                await asyncio.sleep(0.05)
        finally:
            for channel in (text, audio, messages, calls):
                channel.close()
