"""Providers that follow a script: no model, no waiting but what the script says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from livekit.rtc import AudioFrame

from agent_runtime.llm import (
    LLM,
    ChatChunk,
    ChatContext,
    ChatMessage,
    ChoiceDelta,
    CompletionUsage,
    FunctionCallOutput,
    FunctionToolCall,
    LLMStream,
    ToolChoice,
)
from agent_runtime.records import record
from agent_runtime.stt import STT, RecognizeStream, SpeechData, SpeechEvent, SpeechEventType, STTCapabilities
from agent_runtime.tts import TTS, AudioEmitter, ChunkedStream, SynthesizeStream, TTSCapabilities
from agent_runtime.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
    TimedString,
)
from agent_runtime.utils import shortuuid
from agent_runtime.vad import VAD, VADCapabilities, VADEvent, VADEventType, VADStream
from agent_tools import Tool


@record(frozen=True, slots=True)
class UserSpeech:
    """What the user says from `start` to `end`, in seconds since the scripted microphone began."""

    start: float
    end: float
    text: str = ""
    """Empty for a noise."""
    stt_delay: float = 0.2
    """From the end of the speech to its final transcript."""
    interims: Sequence[tuple[float, str]] = ()
    """(time, text) each."""


class ScriptedVAD(VAD):
    """Hears `speeches`: reports speech `min_speech` late and silence `min_silence` late, with a window each 50 ms.

    Times count from the first frame that a stream gets.
    """

    def __init__(self, speeches: Sequence[UserSpeech], *, min_speech: float = 0.05, min_silence: float = 0.5) -> None:
        super().__init__(capabilities=VADCapabilities(update_interval=0.05))
        self.speeches = list(speeches)
        self.min_speech = min_speech
        self.min_silence = min_silence

    def stream(self) -> VADStream:
        """A stream that follows the script."""
        return _ScriptedVADStream(self)


class _ScriptedVADStream(VADStream):
    _window = 0.05

    async def _main_task(self) -> None:
        vad = self._vad
        assert isinstance(vad, ScriptedVAD)
        loop = asyncio.get_running_loop()
        await self._input_ch.recv()
        origin = loop.time()

        async def until(when: float) -> float:
            await asyncio.sleep(max(0.0, origin + when - loop.time()))
            return loop.time() - origin

        reader = asyncio.create_task(self._drop_input(), name="scripted vad input")
        try:
            for speech in vad.speeches:
                if speech.end + vad.min_silence < loop.time() - origin:
                    continue
                now = await until(speech.start + vad.min_speech)
                self._send(VADEventType.START_OF_SPEECH, speech, now)
                count = 1
                while (when := speech.start + vad.min_speech + count * self._window) < speech.end + vad.min_silence:
                    self._send(VADEventType.INFERENCE_DONE, speech, await until(when))
                    count += 1
                self._send(VADEventType.END_OF_SPEECH, speech, await until(speech.end + vad.min_silence))
            await reader
        finally:
            reader.cancel()

    async def _drop_input(self) -> None:
        async for _ in self._input_ch:
            pass

    def _send(self, kind: VADEventType, speech: UserSpeech, now: float) -> None:
        # Times are sums; a duration that is meant to be 0.5 must not come out as 0.49999999.
        silence = round(max(0.0, now - speech.end), 6)
        self._event_ch.send_nowait(
            VADEvent(
                type=kind,
                samples_index=round(now * 16000),
                timestamp=now,
                speech_duration=round(now - speech.start, 6),
                silence_duration=silence,
                probability=0.0 if silence else 0.9,
                speaking=kind is not VADEventType.END_OF_SPEECH,
                raw_accumulated_silence=silence,
                raw_accumulated_speech=0.0 if silence else round(now - speech.start, 6),
            )
        )


class ScriptedSTT(STT[Any]):
    """Recognises `speeches`: their interims at their times, and a final `stt_delay` after the end of each."""

    def __init__(self, speeches: Sequence[UserSpeech]) -> None:
        super().__init__(capabilities=STTCapabilities(streaming=True, interim_results=True))
        self.speeches = list(speeches)
        self.frames: list[AudioFrame] = []
        """Everything that it was given to hear."""
        self.flushes: list[float] = []
        """Loop times at which it was asked to finish."""
        self._origin: float | None = None
        self._began = asyncio.Event()
        self._told: set[tuple[float, str]] = set()

    async def _recognize_impl(
        self, buffer: Any, *, language: NotGivenOr[str] = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> SpeechEvent:
        raise NotImplementedError("ScriptedSTT follows its script as a stream only")

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> RecognizeStream:
        """A stream that follows the script; a later one goes on where the script is by then."""
        return _ScriptedSTTStream(stt=self, conn_options=conn_options)


class _ScriptedSTTStream(RecognizeStream):
    async def _run(self) -> None:
        stt = self._stt
        assert isinstance(stt, ScriptedSTT)
        loop = asyncio.get_running_loop()
        reader = asyncio.create_task(self._read(stt), name="scripted stt input")
        try:
            await stt._began.wait()
            assert stt._origin is not None
            said: list[tuple[float, SpeechEventType, str]] = []
            for speech in stt.speeches:
                if speech.text:
                    said += [(at, SpeechEventType.INTERIM_TRANSCRIPT, text) for at, text in speech.interims]
                    said.append((speech.end + speech.stt_delay, SpeechEventType.FINAL_TRANSCRIPT, speech.text))
            for when, kind, text in sorted(said, key=lambda entry: entry[0]):
                wait = stt._origin + when - loop.time()
                if wait < -1e-9 or (when, text) in stt._told:
                    continue
                await asyncio.sleep(max(0.0, wait))
                stt._told.add((when, text))
                self._event_ch.send_nowait(
                    SpeechEvent(type=kind, request_id="scripted", alternatives=[SpeechData(language="en", text=text)])
                )
            await reader
        finally:
            reader.cancel()

    async def _read(self, stt: ScriptedSTT) -> None:
        loop = asyncio.get_running_loop()
        async for item in self._input_ch:
            if isinstance(item, AudioFrame):
                if stt._origin is None:
                    stt._origin = loop.time()
                    stt._began.set()
                stt.frames.append(item)
            else:
                stt.flushes.append(loop.time())


@record(frozen=True, slots=True)
class Answer:
    """What the model says: the whole text `duration` after the request, its first token after `ttft`."""

    text: str = ""
    tool_calls: Sequence[tuple[str, str]] = ()
    """(name, JSON arguments) each."""
    ttft: float = 0.1
    duration: float = 0.3
    error: Exception | None = None
    """Raised at the end instead of an orderly one."""


@dataclass(slots=True)
class ScriptedLLM(LLM[Any]):
    """Answers from `answers`: by the last message or tool output where `by_input` has it, else in order.

    `requests` holds a copy of the chat context of each request.
    """

    answers: list[Answer] = field(default_factory=list)
    by_input: dict[str, Answer] = field(default_factory=dict)
    requests: list[ChatContext] = field(default_factory=list)
    choices: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        LLM.__init__(self)

    @property
    def model(self) -> str:
        """`scripted-llm`."""
        return "scripted-llm"

    def chat(
        self,
        *,
        chat_ctx: ChatContext,
        tools: list[Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> LLMStream:
        """The next answer of the script. Raises LookupError when the script is over."""
        self.requests.append(chat_ctx.copy())
        self.choices.append(tool_choice)
        answer = self.by_input.get(_last_words(chat_ctx))
        if answer is None:
            if not self.answers:
                raise LookupError(f"the script has no answer to {_last_words(chat_ctx)!r}")
            answer = self.answers.pop(0)
        return _ScriptedLLMStream(self, answer, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


def _last_words(chat_ctx: ChatContext) -> str:
    for item in reversed(chat_ctx.items):
        if isinstance(item, ChatMessage):
            return item.text_content or ""
        if isinstance(item, FunctionCallOutput):
            return item.output
    return ""


class _ScriptedLLMStream(LLMStream):
    def __init__(self, llm: ScriptedLLM, answer: Answer, **kwargs: Any) -> None:
        self._answer = answer
        super().__init__(llm, **kwargs)

    async def _run(self) -> None:
        answer = self._answer
        request_id = shortuuid("scripted_")
        await _pass(answer.ttft)
        words = answer.text.split(" ") if answer.text else []
        pieces = [word if i == 0 else f" {word}" for i, word in enumerate(words)]
        rest = max(0.0, answer.duration - answer.ttft)
        for index, piece in enumerate(pieces):
            if index:
                await _pass(rest / max(1, len(pieces) - 1))
            self._event_ch.send_nowait(ChatChunk(id=request_id, delta=ChoiceDelta(role="assistant", content=piece)))
        if len(pieces) < 2:
            await _pass(rest)
        if answer.tool_calls:
            calls = [
                FunctionToolCall(name=name, arguments=arguments, call_id=shortuuid("call_"))
                for name, arguments in answer.tool_calls
            ]
            self._event_ch.send_nowait(ChatChunk(id=request_id, delta=ChoiceDelta(tool_calls=calls)))
        if answer.error is not None:
            raise answer.error
        usage = CompletionUsage(completion_tokens=len(words), prompt_tokens=10, total_tokens=10 + len(words))
        self._event_ch.send_nowait(ChatChunk(id=request_id, usage=usage))


async def _pass(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)


class ScriptedTTS(TTS[Any]):
    """Speaks silence: audio of a length that the script says, `ttfb` after the text is complete.

    Args:
        durations: seconds of audio of each text in order; after them, `pace` seconds a character.
        ttfb: seconds from the complete text to the first audio.
        pace: seconds of audio a character where no duration is scripted.
        aligned: whether it tells when each word is spoken.
        tail: seconds of silence after each text: many synthesizers mark the end of their audio by such a sliver.
    """

    def __init__(
        self,
        durations: Sequence[float] = (),
        *,
        ttfb: float = 0.2,
        pace: float = 0.06,
        aligned: bool = False,
        tail: float = 0.01,
    ) -> None:
        super().__init__(
            capabilities=TTSCapabilities(streaming=True, aligned_transcript=aligned), sample_rate=24000, num_channels=1
        )
        self.durations = list(durations)
        self.ttfb = ttfb
        self.pace = pace
        self.tail = tail
        self.texts: list[str] = []
        """What it was asked to speak."""
        self.error: Exception | None = None
        """Raised in place of the next audio."""

    @property
    def model(self) -> str:
        """`scripted-tts`."""
        return "scripted-tts"

    def synthesize(self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> ChunkedStream:
        """The same for a whole text."""
        return self._synthesize_with_stream(text, conn_options=conn_options)

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> SynthesizeStream:
        """A stream that follows the script."""
        return _ScriptedTTSStream(tts=self, conn_options=conn_options)


class _ScriptedTTSStream(SynthesizeStream):
    async def _run(self, output_emitter: AudioEmitter) -> None:
        tts = self._tts
        assert isinstance(tts, ScriptedTTS)
        text = ""
        async for piece in self._input_ch:
            if isinstance(piece, str):
                text += piece
        output_emitter.initialize(
            request_id="scripted", sample_rate=24000, num_channels=1, mime_type="audio/pcm", stream=True
        )
        if not text:
            return
        self._mark_started()
        tts.texts.append(text)
        await _pass(tts.ttfb)
        if tts.error is not None:
            error, tts.error = tts.error, None
            raise error
        seconds = tts.durations.pop(0) if tts.durations else len(text) * tts.pace
        output_emitter.start_segment(segment_id="scripted")
        if tts.capabilities.aligned_transcript:
            output_emitter.push_timed_transcript(_timed(text, seconds))
        output_emitter.push(bytes(2 * round(24000 * (seconds + tts.tail))))
        output_emitter.end_segment()


def _timed(text: str, seconds: float) -> list[TimedString]:
    words = text.split(" ")
    each = seconds / len(words)
    return [
        TimedString(word if i == 0 else f" {word}", start_time=i * each, end_time=(i + 1) * each)
        for i, word in enumerate(words)
    ]
