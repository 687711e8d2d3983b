"""A duplex model that says what a test has it say: sound at the pace of the clock, words with the times of another."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any

import numpy as np
from livekit.rtc import AudioFrame

from agent_runtime.llm import (
    AudioGate,
    ChatContext,
    ChatItem,
    DuplexAudioFrame,
    DuplexCapabilities,
    DuplexModel,
    DuplexOutputTranscriptDelta,
    DuplexSession,
    FunctionCall,
    InputSpeechStartedEvent,
    InputSpeechStoppedEvent,
    InputTranscriptionCompleted,
    ToolContext,
)
from agent_runtime.types import is_given
from agent_runtime.utils import aio

SAMPLE_RATE = 24000
FRAME = 0.02
"""Seconds."""
WORDS_AHEAD_MS = 5000
"""What the times of words are ahead of the sound's."""


def sound(level: int = 8000, seconds: float = FRAME) -> AudioFrame:
    """A frame of one level, as int16."""
    count = round(SAMPLE_RATE * seconds)
    return AudioFrame(np.full(count, level, np.int16).tobytes(), SAMPLE_RATE, 1, count)


class FakeDuplexModel(DuplexModel):
    """`sessions` holds those that it began. `streams_silence` False: it sends nothing while it is silent."""

    def __init__(
        self,
        *,
        gate: AudioGate | None = None,
        can_be_asked: bool = True,
        streams_silence: bool = True,
        **capabilities: bool,
    ) -> None:
        known = {"user_transcription": True, "auto_tool_reply_generation": True, **capabilities}
        super().__init__(capabilities=DuplexCapabilities(**known))
        self.gate, self.can_be_asked, self.streams_silence = gate, can_be_asked, streams_silence
        self.sessions: list[FakeDuplexSession] = []
        self.closed = False

    @property
    def model(self) -> str:
        return "fake-duplex"

    @property
    def provider(self) -> str:
        return "fake"

    def audio_gate(self) -> AudioGate | None:
        return self.gate

    def session(self) -> FakeDuplexSession:
        session = FakeDuplexSession(self)
        self.sessions.append(session)
        return session

    async def aclose(self) -> None:
        self.closed = True


class FakeDuplexSession(DuplexSession[Any]):
    """What it was told is in `told`."""

    def __init__(self, model: FakeDuplexModel) -> None:
        super().__init__(model)
        self._model = model
        self._tools = ToolContext.empty()
        self._to_say: deque[AudioFrame] = deque()
        self._stream: aio.Chan[DuplexAudioFrame] = aio.Chan()
        self._spoken_ms = 0
        self._ticker = asyncio.create_task(self._tick())
        self.failure: Exception | None = None
        """What the stream of sound fails with, next."""
        self.told: list[Any] = []
        self.heard = 0
        """Frames."""

    # --- what it does, when a test says so ---------------------------------------------------------------------------

    def speak(self, text: str = "", seconds: float = 1.0, *, ahead_ms: int = WORDS_AHEAD_MS, level: int = 8000) -> None:
        """Say a text from now on; its words come at once, with their times."""
        frames = round(seconds / FRAME)
        words = text.split(" ") if text else []
        begins = self._spoken_ms + 20 * len(self._to_say) + ahead_ms
        for n, word in enumerate(words):
            start, end = (begins + round(1000 * seconds * k / len(words)) for k in (n, n + 1))
            self.words(word if n == 0 else f" {word}", start, end)
        self._to_say.extend(sound(level) for _ in range(frames))

    def words(self, text: str, start_ms: int | None = None, end_ms: int | None = None) -> None:
        self.emit("transcript_delta", DuplexOutputTranscriptDelta(text, start_ms, end_ms))

    def call(self, name: str, arguments: str = "{}") -> FunctionCall:
        call = FunctionCall(call_id=f"call_{name}", name=name, arguments=arguments)
        self.emit("function_call", call)
        return call

    def user_starts(self) -> None:
        self.emit("input_speech_started", InputSpeechStartedEvent())

    def user_stops(self, text: str = "", item_id: str = "user_1") -> None:
        self.emit("input_speech_stopped", InputSpeechStoppedEvent(user_transcription_enabled=True))
        if text:
            said = InputTranscriptionCompleted(item_id=item_id, transcript=text, is_final=True)
            self.emit("input_audio_transcription_completed", said)

    async def _tick(self) -> None:
        while True:
            frame = self._to_say.popleft() if self._to_say else None
            if frame is not None or self._model.streams_silence:
                self._stream.send_nowait(DuplexAudioFrame(frame or sound(0)))
                self._spoken_ms += 20
            await asyncio.sleep(FRAME)

    # --- what it is told ---------------------------------------------------------------------------------------------

    @property
    def audio_stream(self) -> AsyncIterable[DuplexAudioFrame]:
        return self._sounds()

    async def _sounds(self) -> AsyncGenerator[DuplexAudioFrame, None]:
        async for piece in self._stream:
            if self.failure is not None:
                raise self.failure
            yield piece

    @property
    def tools(self) -> ToolContext:
        return self._tools

    def push_audio(self, frame: AudioFrame) -> None:
        self.heard += 1

    async def _update_instructions(self, instructions: str) -> None:
        self.told.append(instructions)

    async def _append_items(self, items: list[ChatItem]) -> None:
        context = ChatContext(items)
        texts = [message.text_content for message in context.messages()]
        self.told.append([*texts, *(item.output for item in items if item.type == "function_call_output")])

    async def _update_tools(self, tools: Any) -> None:
        self.told.append({tool.id for tool in tools})
        self._tools = ToolContext(tools)

    def _update_options(self, *, tool_choice: Any = None) -> None:
        self.told.append(("tool_choice", tool_choice))

    def _generate_reply(self, *, instructions: Any = None, tool_choice: Any = None, tools: Any = None) -> None:
        if not self._model.can_be_asked:
            super()._generate_reply()
        self.told.append(("asked", instructions if is_given(instructions) else None))

    async def aclose(self) -> None:
        await super().aclose()
        self._ticker.cancel()
        self.told.append("closed")
