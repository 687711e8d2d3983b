"""Speaking text as it comes with a synthesizer of whole texts: sentence by sentence."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from agent_runtime.tokenize import SentenceStream, SentenceTokenizer, blingfire
from agent_runtime.tts.emitter import AudioEmitter
from agent_runtime.tts.markup import strip_markup
from agent_runtime.tts.stream_pacer import SentenceStreamPacer
from agent_runtime.tts.streams import ChunkedStream, SynthesizeStream
from agent_runtime.tts.tts import TTS
from agent_runtime.tts.types import TTSCapabilities, TTSError
from agent_runtime.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
    TimedString,
    is_given,
)
from agent_runtime.utils import aio, shortuuid
from agent_runtime.utils.circuit_breaker import CircuitBoard

# `synthesize` is tried again already.
DEFAULT_STREAM_ADAPTER_API_CONNECT_OPTIONS: Final = APIConnectOptions(
    max_retry=0, timeout=DEFAULT_API_CONNECT_OPTIONS.timeout
)


class StreamAdapter(TTS[str]):
    """Makes a streaming synthesizer, whose transcript is aligned by sentences, of one that isn't.

    Args:
        tts: speaks whole texts. It is not closed with the adapter.
        sentence_tokenizer: cuts the text.
        text_pacing: hold sentences back until the audio before them is nearly over, so that less is made in vain
            when the speech is interrupted, and more at once.
    """

    def __init__(
        self,
        *,
        tts: TTS[Any],
        sentence_tokenizer: NotGivenOr[SentenceTokenizer] = NOT_GIVEN,
        text_pacing: SentenceStreamPacer | bool = False,
    ) -> None:
        super().__init__(
            capabilities=TTSCapabilities(streaming=True, aligned_transcript=True),
            sample_rate=tts.sample_rate,
            num_channels=tts.num_channels,
        )
        self._wrapped_tts = tts
        self._sentence_tokenizer = (
            sentence_tokenizer
            if is_given(sentence_tokenizer)
            else blingfire.SentenceTokenizer(retain_format=True, xml_aware=bool(tts.markup._provider_key()))
        )
        self._pacer = SentenceStreamPacer() if text_pacing is True else text_pacing or None
        tts.on("metrics_collected", self._forward_metrics)
        tts.on("error", self._forward_error)

    class Markup(TTS.Markup):
        """The wrapped one's."""

        def _provider_key(self) -> str:
            tts: Any = self._tts
            return str(tts._wrapped_tts.markup._provider_key())

    @property
    def circuits(self) -> CircuitBoard | None:
        """The wrapped one's, if it is a fallback adapter."""
        return getattr(self._wrapped_tts, "circuits", None)

    @property
    def wrapped_tts(self) -> TTS[Any]:
        """The synthesizer of whole texts."""
        return self._wrapped_tts

    @property
    def model(self) -> str:
        """The wrapped one's."""
        return self._wrapped_tts.model

    @property
    def provider(self) -> str:
        """The wrapped one's."""
        return self._wrapped_tts.provider

    def synthesize(self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> ChunkedStream:
        """See `TTS.synthesize`."""
        return self._wrapped_tts.synthesize(text, conn_options=conn_options)

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> StreamAdapterWrapper:
        """See `TTS.stream`."""
        return StreamAdapterWrapper(tts=self, conn_options=conn_options)

    def prewarm(self) -> None:
        """See `TTS.prewarm`."""
        self._wrapped_tts.prewarm()

    async def aclose(self) -> None:
        """Stop forwarding metrics and errors."""
        self._wrapped_tts.off("metrics_collected", self._forward_metrics)
        self._wrapped_tts.off("error", self._forward_error)

    def _set_expressive(self, enabled: bool) -> None:
        super()._set_expressive(enabled)
        self._wrapped_tts._set_expressive(enabled)

    def _forward_metrics(self, metrics: object) -> None:
        self.emit("metrics_collected", metrics)

    def _forward_error(self, error: TTSError) -> None:
        if error.recoverable:  # the last one ends the adapter's own stream, which tells it
            self.emit("error", error)


class StreamAdapterWrapper(SynthesizeStream):
    """See `StreamAdapter`."""

    _reports_usage = False  # the wrapped one reports its own
    _tts: StreamAdapter

    def __init__(self, *, tts: StreamAdapter, conn_options: APIConnectOptions) -> None:
        super().__init__(tts=tts, conn_options=DEFAULT_STREAM_ADAPTER_API_CONNECT_OPTIONS)
        self._wrapped_tts_conn_options = conn_options
        self._marked_up = tts._expressive and bool(tts.markup._provider_key())

    async def _run(self, output_emitter: AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=shortuuid(),
            sample_rate=self._tts.sample_rate,
            num_channels=self._tts.num_channels,
            mime_type="audio/pcm",
            stream=True,
        )
        output_emitter.start_segment(segment_id=shortuuid())
        sentences: SentenceStream = self._tts._sentence_tokenizer.stream()
        if self._tts._pacer is not None:
            sentences = self._tts._pacer.wrap(sent_stream=sentences, audio_emitter=output_emitter)
        tasks = [
            asyncio.create_task(self._forward_input(sentences)),
            asyncio.create_task(self._synthesize(sentences, output_emitter)),
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            await sentences.aclose()
            await aio.cancel_and_wait(*tasks)

    async def _forward_input(self, sentences: SentenceStream) -> None:
        async for item in self._input_ch:
            if isinstance(item, str):
                sentences.push_text(item)
            else:
                sentences.flush()
        sentences.end_input()

    async def _synthesize(self, sentences: SentenceStream, emitter: AudioEmitter) -> None:
        markup = self._tts._wrapped_tts.markup
        seconds = 0.0
        async for sentence in sentences:
            words = strip_markup(sentence.token) if self._marked_up else sentence.token
            emitter.push_timed_transcript(TimedString(words, start_time=seconds))
            text = sentence.token.strip()
            if self._marked_up:
                text = markup.convert(markup.normalize(text)).strip()
            if not text:
                continue
            self._mark_started()
            async with self._tts._wrapped_tts.synthesize(text, conn_options=self._wrapped_tts_conn_options) as audio:
                async for piece in audio:
                    emitter.push_frame(piece.frame)
                    seconds += piece.frame.duration
            emitter.flush()
