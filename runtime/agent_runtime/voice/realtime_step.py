"""One answer of a realtime model: its messages, heard one after the other, and the tools that it calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from agent_runtime import events as ev
from agent_runtime.llm import FunctionCall, GenerationCreatedEvent, MessageGeneration, ToolContext
from agent_runtime.utils import aio
from agent_runtime.voice.blame import blamed, open_node, wrong_piece
from agent_runtime.voice.circuits import name_of, served_by
from agent_runtime.voice.delivery import Delivery
from agent_runtime.voice.generation import Step
from agent_runtime.voice.tool_runner import ToolRunner

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame


@dataclass(slots=True)
class _Spoken:
    """A message of the model on its way to the listener."""

    message: MessageGeneration
    delivery: Delivery
    modalities: list[Literal["text", "audio"]] = field(default_factory=list)


class RealtimeStep(Step):
    """See the module. What the model sends comes in with `follow`; the rest is as for every step."""

    _messages: list[_Spoken]
    _complete = False
    """Whether the model has said everything."""
    _own_voice = False
    """Whether the model speaks itself."""

    def follow(self, generation: GenerationCreatedEvent, tools: ToolContext, *, cause: str) -> None:
        """Take an answer as the model makes it."""
        self._messages = []
        self.response_id = generation.response_id
        self.tools = ToolRunner(self.engine, self.speech, tools)
        self._emit(ev.LLMStarted(self.speech.id, name_of(self.engine.llm), self.speech.num_steps - 1), cause)
        self._source = self.engine.spawn(self._read_generation(generation), "realtime generation")

    async def _read_generation(self, generation: GenerationCreatedEvent) -> None:
        calls = asyncio.create_task(self._read_calls(generation.function_stream), name="realtime calls")
        try:
            async for message in generation.message_stream:
                await self._read_message(message)
            await calls
            self._complete = True
        finally:
            await aio.cancel_and_wait(calls)
            took = self.engine.clock.now() - self.began_at
            tokens = self.engine.realtime.tokens(generation.response_id)
            model = served_by(self.engine.llm)
            self._emit(ev.LLMFinished(self.speech.id, *tokens, took, not self._complete, model))

    async def _read_calls(self, calls: AsyncIterable[FunctionCall]) -> None:
        async for call in calls:
            self._take_call(call)

    async def _read_message(self, message: MessageGeneration) -> None:
        spoken = _Spoken(message, Delivery(self, message.message_id))
        self._messages.append(spoken)
        text = asyncio.create_task(self._read_text_of(spoken), name="realtime text")
        try:
            spoken.modalities = await message.modalities
            if "audio" in spoken.modalities:
                self._own_voice = True
                spoken.delivery.audio = self._voice(message.audio_stream)
                spoken.delivery.may_be_silent = True
            self._deliveries.append(spoken.delivery)
            self._start_delivery()
            await text
        finally:
            await aio.cancel_and_wait(text)

    async def _read_text_of(self, spoken: _Spoken) -> None:
        try:
            async for piece in spoken.message.text_stream:
                if piece:
                    self._note_first_token()
                    self._emit(ev.AgentText(self.speech.id, spoken.message.message_id, str(piece)))
                    spoken.delivery.add(piece)
        finally:
            spoken.delivery.end()

    async def _voice(self, audio: AsyncIterable[AudioFrame]) -> AsyncGenerator[AudioFrame, None]:
        from livekit.rtc import AudioFrame

        agent, name = self.agent, "realtime_audio_output_node"
        with blamed(agent, name):
            node = await open_node(agent, name, agent.realtime_audio_output_node(self._noted(audio), self.settings))
            if node is None:
                return
            try:
                async for frame in node:
                    if not isinstance(frame, AudioFrame):
                        raise wrong_piece(agent, name, frame, "AudioFrame")
                    yield frame
            finally:
                if isinstance(node, AsyncGenerator):
                    await node.aclose()

    async def _noted(self, audio: AsyncIterable[AudioFrame]) -> AsyncGenerator[AudioFrame, None]:
        async for frame in audio:
            self._note_first_token()
            yield frame

    def mark_generation(self) -> None:
        """Until its first sound the time is the model's, unless a voice of ours speaks for it."""
        clock = self.speech._turn_clock
        if clock is not None and self._own_voice and self.first_audio_at is not None:
            clock.mark("llm", self.engine.report.relative(self.first_audio_at), name_of(self.engine.llm))
        else:
            super().mark_generation()

    async def cancel(self) -> None:
        """Stop the model too, and have it forget what wasn't heard."""
        link = self.engine.realtime
        if not self._complete:
            link.stop()
        await super().cancel()
        session, unheard = link.session, False
        if session is None:
            return
        for spoken in self._messages:
            heard = spoken.delivery.heard
            if not heard and spoken.delivery.position == 0.0:
                unheard = True
            elif spoken.delivery.was_cut and session.capabilities.message_truncation:
                session.truncate(
                    message_id=spoken.message.message_id,
                    modalities=spoken.modalities,
                    audio_end_ms=round(spoken.delivery.position * 1000),
                    audio_transcript=heard,
                )
        if unheard and session.capabilities.mutable_chat_context:
            link.refresh(chat_ctx=True)
