"""Providers as people write them for LiveKit Agents, with its names alone. They hear tones and speak tones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np
from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectionError,
    APIConnectOptions,
    NotGivenOr,
    llm,
    stt,
    tokenize,
    tts,
    utils,
    vad,
)
from livekit.agents.log import logger
from livekit.agents.utils import AudioBuffer, is_given
from livekit.agents.voice import io

RATE = 16000


def loudness(frames: AudioBuffer) -> float:
    samples = np.frombuffer(utils.merge_frames(frames).data, dtype=np.int16)
    return float(np.sqrt(np.mean(np.square(samples.astype(np.float64))))) if len(samples) else 0.0


def tone(seconds: float, rate: int = RATE) -> bytes:
    times = np.arange(int(seconds * rate)) / rate
    return (8000 * np.sin(2 * np.pi * 300 * times)).astype(np.int16).tobytes()


class ToneMicrophone(io.AudioInput):
    """Frames of 20 ms: a tone where the user speaks, silence elsewhere."""

    def __init__(self, spoken: list[tuple[float, float]]) -> None:
        super().__init__(label="tones")
        self._stream = self._frames(spoken)

    async def _frames(self, spoken: list[tuple[float, float]]) -> AsyncIterator[rtc.AudioFrame]:
        at = 0.0
        while True:
            loud = any(start <= at < end for start, end in spoken)
            data = tone(0.02) if loud else bytes(2 * RATE // 50)
            yield rtc.AudioFrame(data, RATE, 1, RATE // 50)
            await asyncio.sleep(0.02)
            at += 0.02

    async def __anext__(self) -> rtc.AudioFrame:
        return await anext(self._stream)


# --- voice activity detection ----------------------------------------------------------------------------------------


class LoudnessVAD(vad.VAD):
    def __init__(self, *, min_silence: float = 0.3) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=0.04))
        self.min_silence = min_silence

    @property
    def model(self) -> str:
        return "loudness"

    def stream(self) -> vad.VADStream:
        return LoudnessVADStream(self)


class LoudnessVADStream(vad.VADStream):
    def __init__(self, detector: LoudnessVAD) -> None:
        super().__init__(detector)
        self._detector = detector

    @utils.log_exceptions(logger=logger)
    async def _main_task(self) -> None:
        windows = utils.audio.AudioByteStream(RATE, 1, RATE // 25)
        smoothed = utils.ExpFilter(0.35)
        heard: list[rtc.AudioFrame] = []
        speaking, at, silence, speech = False, 0.0, 0.0, 0.0
        async for item in self._input_ch:
            if not isinstance(item, rtc.AudioFrame):
                continue
            for frame in windows.push(item.data.cast("b")):
                at += frame.duration
                probability = smoothed.apply(1.0, 1.0 if loudness(frame) > 1000 else 0.0)
                if probability > 0.5:
                    speech, silence = speech + frame.duration, 0.0
                else:
                    silence += frame.duration
                if probability > 0.5 and not speaking:
                    speaking, speech, heard = True, frame.duration, []
                    self._send(vad.VADEventType.START_OF_SPEECH, at, speech, silence, [frame], probability, True)
                heard.append(frame)
                self._send(vad.VADEventType.INFERENCE_DONE, at, speech, silence, [frame], probability, speaking)
                if speaking and silence >= self._detector.min_silence:
                    speaking = False
                    self._send(vad.VADEventType.END_OF_SPEECH, at, speech, silence, heard, probability, False)

    def _send(
        self,
        kind: vad.VADEventType,
        at: float,
        speech: float,
        silence: float,
        frames: list[rtc.AudioFrame],
        probability: float,
        speaking: bool,
    ) -> None:
        self._event_ch.send_nowait(
            vad.VADEvent(
                type=kind,
                samples_index=int(at * RATE),
                timestamp=at,
                speech_duration=speech,
                silence_duration=silence,
                frames=frames,
                probability=probability,
                inference_duration=0.0,
                speaking=speaking,
                raw_accumulated_silence=silence,
                raw_accumulated_speech=0.0 if silence else speech,
            )
        )


# --- speech to text --------------------------------------------------------------------------------------------------


class WholeSTT(stt.STT):
    """Recognises a whole buffer; the session puts it behind a detector."""

    def __init__(self, texts: list[str], *, failures: int = 0) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))
        self.texts = texts
        self.failures = failures
        self.seconds: list[float] = []

    async def _recognize_impl(
        self,
        buffer: AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.SpeechEvent:
        if self.failures:
            self.failures -= 1
            raise APIConnectionError()
        self.seconds.append(utils.audio.calculate_audio_duration(buffer))
        await asyncio.sleep(0.1)
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            alternatives=[
                stt.SpeechData(
                    language=language if is_given(language) else "en", text=self.texts.pop(0), confidence=0.9
                )
            ],
        )


@dataclass
class Options:
    language: str
    hold: float


class LiveSTT(stt.STT):
    """Recognises while it hears."""

    def __init__(self, texts: list[str], *, language: str = "en", failures: int = 0) -> None:
        super().__init__(
            capabilities=stt.STTCapabilities(streaming=True, interim_results=True, aligned_transcript="word")
        )
        self._opts = Options(language=language, hold=0.2)
        self.texts = texts
        self.failures = failures

    @property
    def model(self) -> str:
        return "live"

    @property
    def provider(self) -> str:
        return "tones"

    async def _recognize_impl(
        self, buffer: AudioBuffer, *, language: NotGivenOr[str], conn_options: APIConnectOptions
    ) -> stt.SpeechEvent:
        raise NotImplementedError("live recognition only")

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> LiveSTTStream:
        return LiveSTTStream(stt=self, opts=self._opts, conn_options=conn_options)


class LiveSTTStream(stt.SpeechStream):
    def __init__(self, *, stt: LiveSTT, opts: Options, conn_options: APIConnectOptions) -> None:
        super().__init__(stt=stt, conn_options=conn_options, sample_rate=RATE)
        self._live = stt
        self._opts = opts

    async def _run(self) -> None:
        if self._live.failures:
            self._live.failures -= 1
            raise APIConnectionError("no route")
        pieces = utils.aio.Chan[rtc.AudioFrame]()

        @utils.log_exceptions(logger=logger)
        async def read() -> None:
            stream = utils.audio.AudioByteStream(sample_rate=RATE, num_channels=1, samples_per_channel=RATE // 50)
            async for data in self._input_ch:
                frames = stream.flush() if isinstance(data, self._FlushSentinel) else stream.write(data.data.tobytes())
                for frame in frames:
                    pieces.send_nowait(frame)
            pieces.close()

        reader = asyncio.create_task(read())
        try:
            await self._recognize(pieces)
        finally:
            await utils.aio.gracefully_cancel(reader)

    async def _recognize(self, pieces: utils.aio.Chan[rtc.AudioFrame]) -> None:
        began, at, silence = None, 0.0, 0.0
        async for frame in pieces:
            at += frame.duration
            silence = 0.0 if loudness(frame) > 1000 else silence + frame.duration
            if began is None and silence == 0.0:
                began = at
                self._send(stt.SpeechEventType.START_OF_SPEECH)
                self._send(stt.SpeechEventType.INTERIM_TRANSCRIPT, self._live.texts[0].split()[0], began, at)
            elif began is not None and silence >= self._opts.hold:
                self._send(stt.SpeechEventType.FINAL_TRANSCRIPT, self._live.texts.pop(0), began, at - silence)
                self._send(stt.SpeechEventType.END_OF_SPEECH)
                self._event_ch.send_nowait(
                    stt.SpeechEvent(
                        type=stt.SpeechEventType.RECOGNITION_USAGE,
                        recognition_usage=stt.RecognitionUsage(audio_duration=at - began),
                    )
                )
                began = None

    def _send(self, kind: stt.SpeechEventType, text: str = "", began: float = 0.0, ended: float = 0.0) -> None:
        words = [io.TimedString(word, start_time=began, end_time=ended) for word in text.split()]
        data = stt.SpeechData(
            language=self._opts.language, text=text, start_time=began, end_time=ended, confidence=0.8, words=words
        )
        alternatives = [data] if text else []
        self._event_ch.send_nowait(stt.SpeechEvent(type=kind, request_id="live", alternatives=alternatives))


# --- language model --------------------------------------------------------------------------------------------------


class EchoLLM(llm.LLM):
    """Says back what it hears, and calls the first tool when it is asked to."""

    def __init__(self, *, failures: int = 0) -> None:
        super().__init__()
        self.failures = failures
        self.requests: list[llm.ChatContext] = []

    @property
    def model(self) -> str:
        return "echo"

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, object]] = NOT_GIVEN,
    ) -> EchoStream:
        self.requests.append(chat_ctx)
        return EchoStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class EchoStream(llm.LLMStream):
    async def _run(self) -> None:
        request_id = utils.shortuuid("echo_")
        if self._llm.failures:
            self._llm.failures -= 1
            raise APIConnectionError("the model is away", retryable=True)
        messages, _ = self._chat_ctx.to_provider_format("openai")
        last = messages[-1]
        context = llm.ToolContext(self._tools)
        if last["role"] == "user" and "please" in last["content"]:
            name = next(iter(context.function_tools))
            call = llm.FunctionToolCall(name=name, arguments='{"what": "tea"}', call_id=utils.shortuuid("call_"))
            delta = llm.ChoiceDelta(role="assistant", tool_calls=[call])
            self._event_ch.send_nowait(llm.ChatChunk(id=request_id, delta=delta))
        else:
            for word in tokenize.basic.split_words(f"You said: {last['content']}", ignore_punctuation=False):
                await asyncio.sleep(0.02)
                delta = llm.ChoiceDelta(role="assistant", content=f"{word[0]} ")
                self._event_ch.send_nowait(llm.ChatChunk(id=request_id, delta=delta))
        usage = llm.CompletionUsage(completion_tokens=5, prompt_tokens=20, total_tokens=25)
        self._event_ch.send_nowait(llm.ChatChunk(id=request_id, usage=usage))


# --- text to speech --------------------------------------------------------------------------------------------------


class WholeTTS(tts.TTS):
    """Speaks whole texts; the session cuts them into sentences."""

    def __init__(self, *, failures: int = 0) -> None:
        super().__init__(capabilities=tts.TTSCapabilities(streaming=False), sample_rate=RATE, num_channels=1)
        self.failures = failures
        self.texts: list[str] = []

    def synthesize(self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> WholeTTSStream:
        return WholeTTSStream(tts=self, input_text=text, conn_options=conn_options)


class WholeTTSStream(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        if self._tts.failures:
            self._tts.failures -= 1
            raise APIConnectionError()
        self._tts.texts.append(self.input_text)
        output_emitter.initialize(request_id=utils.shortuuid(), sample_rate=RATE, num_channels=1, mime_type="audio/pcm")
        for _ in range(len(self.input_text)):
            await asyncio.sleep(0.001)
            output_emitter.push(tone(0.05))
        output_emitter.flush()


class LiveTTS(tts.TTS):
    """Speaks while the text still comes."""

    def __init__(self) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True, aligned_transcript=True), sample_rate=RATE, num_channels=1
        )
        self._pool = utils.ConnectionPool[str](connect_cb=self._connect, max_session_duration=60)
        self.texts: list[str] = []

    async def _connect(self, timeout: float) -> str:
        await asyncio.sleep(0.05)
        return utils.shortuuid("socket_")

    def prewarm(self) -> None:
        self._pool.prewarm()

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return self._synthesize_with_stream(text, conn_options=conn_options)

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> LiveTTSStream:
        return LiveTTSStream(tts=self, conn_options=conn_options)

    async def aclose(self) -> None:
        await self._pool.aclose()


class LiveTTSStream(tts.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid(), sample_rate=RATE, num_channels=1, mime_type="audio/pcm", stream=True
        )
        sentences = tokenize.blingfire.SentenceTokenizer(min_sentence_len=5).stream()

        async def read() -> None:
            async for piece in self._input_ch:
                if isinstance(piece, self._FlushSentinel):
                    sentences.flush()
                else:
                    sentences.push_text(piece)
            sentences.end_input()

        async def speak() -> None:
            async with self._tts._pool.connection(timeout=self._conn_options.timeout):
                output_emitter.start_segment(segment_id=utils.shortuuid())
                at = 0.0
                async for sentence in sentences:
                    self._mark_started()
                    self._tts.texts.append(sentence.token)
                    for word in sentence.token.split():
                        said = io.TimedString(f"{word} ", start_time=at, end_time=at + 0.3)
                        output_emitter.push_timed_transcript(said)
                        output_emitter.push(tone(0.3))
                        at += 0.3
                output_emitter.end_segment()

        tasks = [asyncio.create_task(read()), asyncio.create_task(speak())]
        try:
            await asyncio.gather(*tasks)
        finally:
            await utils.aio.gracefully_cancel(*tasks)
