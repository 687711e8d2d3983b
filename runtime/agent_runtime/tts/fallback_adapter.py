"""Several synthesizers behind one: the first that is up speaks."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from agent_runtime.clock import Clock
from agent_runtime.errors import APIConnectionError
from agent_runtime.tts.emitter import AudioEmitter
from agent_runtime.tts.stream_adapter import StreamAdapter
from agent_runtime.tts.streams import ChunkedStream, SynthesizeStream
from agent_runtime.tts.tts import TTS
from agent_runtime.tts.types import SynthesizedAudio, TTSCapabilities
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, USERDATA_TIMED_TRANSCRIPT, APIConnectOptions
from agent_runtime.utils import aio, shortuuid
from agent_runtime.utils.circuit_breaker import CircuitBoard, CircuitBreaker

if TYPE_CHECKING:
    from agent_runtime.llm.chat_items import MetricsMetadata

logger = logging.getLogger(__name__)

DEFAULT_FALLBACK_API_CONNECT_OPTIONS: Final = APIConnectOptions(
    max_retry=0, timeout=DEFAULT_API_CONNECT_OPTIONS.timeout
)
_Speak: TypeAlias = Callable[[TTS[Any], APIConnectOptions], AsyncIterator[SynthesizedAudio]]


@dataclass
class AvailabilityChangedEvent:
    """A synthesizer went down or came back."""

    tts: TTS[Any]
    available: bool


@dataclass
class _Member:
    tts: TTS[Any]
    breaker: CircuitBreaker
    probe: asyncio.Task[None] | None = None
    failed_streaming: bool = False
    """Whether it was a stream that failed: the probe is one too, for the other way may work all the while."""


class FallbackAdapter(TTS[Literal["tts_availability_changed"]]):
    """Asks the first synthesizer of a list, and the next one when that fails before anything could be heard.

    One that failed is skipped from then on. It is probed in the background, with the text that it failed or missed and
    in the way that failed, and used again once it speaks. If all are down, each is asked all the same. Audio of another
    rate is resampled.

    Event besides those of `TTS`: `tts_availability_changed` (`AvailabilityChangedEvent`). `metrics_collected` are those
    of the synthesizers. They aren't closed by `aclose`.

    Args:
        tts: the synthesizers, best first; all with the same number of channels.
        max_retry_per_tts: how often one is asked again before the next one is.
        sample_rate: Hz of the audio; the highest of theirs if left out.
        clock: what the pauses between probes are measured with.
    """

    def __init__(
        self,
        tts: list[TTS[Any]],
        *,
        max_retry_per_tts: int = 2,
        sample_rate: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not tts:
            raise ValueError("at least one TTS is needed")
        if len({one.num_channels for one in tts}) != 1:
            raise ValueError("all TTS must have the same number of channels")
        super().__init__(
            capabilities=TTSCapabilities(
                streaming=any(one.capabilities.streaming for one in tts),
                aligned_transcript=all(one.capabilities.aligned_transcript for one in tts),
            ),
            sample_rate=sample_rate or max(one.sample_rate for one in tts),
            num_channels=tts[0].num_channels,
        )
        self.circuits = CircuitBoard()
        self._members = [_Member(one, self.circuits.add(one, CircuitBreaker(clock=clock))) for one in tts]
        self._max_retry_per_tts = max_retry_per_tts
        self._served_last = self._members[0]
        self._closed = False
        for one in tts:
            one.on("metrics_collected", self._forward_metrics)

    @property
    def model(self) -> str:
        """Of the synthesizer that is asked next."""
        return self._next.tts.model

    @property
    def provider(self) -> str:
        """Of the synthesizer that is asked next."""
        return self._next.tts.provider

    @property
    def metrics_metadata(self) -> MetricsMetadata:
        """Of the synthesizer that served last."""
        return self._served_last.tts.metrics_metadata

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_FALLBACK_API_CONNECT_OPTIONS
    ) -> FallbackChunkedStream:
        """See `TTS.synthesize`. `conn_options` tell how often the whole list is tried again."""
        return FallbackChunkedStream(tts=self, input_text=text, conn_options=conn_options)

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_FALLBACK_API_CONNECT_OPTIONS
    ) -> FallbackSynthesizeStream:
        """See `TTS.stream`. `conn_options` tell how often the whole list is tried again."""
        return FallbackSynthesizeStream(tts=self, conn_options=conn_options)

    def prewarm(self) -> None:
        """Prewarm the first one; the others are not expected to be asked."""
        self._members[0].tts.prewarm()

    async def aclose(self) -> None:
        """Stop probing and forwarding metrics."""
        self._closed = True
        for member in self._members:
            member.tts.off("metrics_collected", self._forward_metrics)
        await aio.cancel_and_wait(*(member.probe for member in self._members if member.probe is not None))

    @property
    def _next(self) -> _Member:
        return next((member for member in self._members if member.breaker.available), self._members[0])

    async def _serve(
        self,
        speak: _Speak,
        emitter: AudioEmitter,
        text: Callable[[], str],
        options: APIConnectOptions,
        *,
        streaming: bool = False,
    ) -> None:
        """Let one after the other `speak` into the emitter until one has."""
        up = [member for member in self._members if member.breaker.available] or self._members
        problems = [f"{m.tts.label}: skipped, it failed before" for m in self._members if m not in up]
        options = dataclasses.replace(options, max_retry=self._max_retry_per_tts)
        try:
            for member in list(up):
                try:
                    async for audio in speak(member.tts, options):
                        self._served_last = member
                        if words := audio.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT):
                            emitter.push_timed_transcript(words)
                        emitter.push_frame(audio.frame)
                except Exception as e:
                    member.failed_streaming = streaming and member.tts.capabilities.streaming
                    self._report_failure(member, e)
                    problems.append(f"{member.tts.label}: {e}")
                    if emitter.total_duration > 0:
                        logger.warning("%s had begun to speak: what is missing is left out", member.tts.label)
                        return
                else:
                    self._report_success(member)
                    return
        finally:
            self._probe(text(), options)
        raise APIConnectionError(f"no synthesizer answered: {'; '.join(problems)}")

    def _probe(self, text: str, options: APIConnectOptions) -> None:
        for member in self._members:
            if text.strip() and not self._closed and member.breaker.begin_probe():
                member.probe = asyncio.create_task(self._run_probe(member, text, options))

    async def _run_probe(self, member: _Member, text: str, options: APIConnectOptions) -> None:
        options = dataclasses.replace(options, max_retry=0)
        try:
            if member.failed_streaming:
                await _try_stream(member.tts, text, options)
            else:
                async with member.tts.synthesize(text, conn_options=options) as chunks:
                    async for _ in chunks:
                        pass
        except Exception as e:
            logger.warning("%s is still down: %s", member.tts.label, e)
            member.breaker.record_failure(str(e))
        except asyncio.CancelledError:
            member.breaker.abandon_probe()
            raise
        else:
            self._report_success(member)

    def _report_success(self, member: _Member) -> None:
        if member.breaker.record_success():
            logger.info("%s is back", member.tts.label)
            self.emit("tts_availability_changed", AvailabilityChangedEvent(member.tts, available=True))

    def _report_failure(self, member: _Member, error: Exception) -> None:
        logger.warning("%s failed, asking the next synthesizer: %s", member.tts.label, error)
        if member.breaker.record_failure(str(error)):
            self.emit("tts_availability_changed", AvailabilityChangedEvent(member.tts, available=False))

    def _forward_metrics(self, metrics: object) -> None:
        self.emit("metrics_collected", metrics)


class FallbackChunkedStream(ChunkedStream):
    """See `FallbackAdapter`."""

    _reports_usage = False  # the synthesizers report their own
    _tts: FallbackAdapter

    async def _run(self, output_emitter: AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=shortuuid(),
            sample_rate=self._tts.sample_rate,
            num_channels=self._tts.num_channels,
            mime_type="audio/pcm",
        )
        await self._tts._serve(self._speak, output_emitter, lambda: self.input_text, self._conn_options)

    async def _speak(self, tts: TTS[Any], options: APIConnectOptions) -> AsyncIterator[SynthesizedAudio]:
        async with tts.synthesize(self.input_text, conn_options=options) as stream:
            async for audio in stream:
                yield audio


class FallbackSynthesizeStream(SynthesizeStream):
    """See `FallbackAdapter`."""

    _reports_usage = False  # the synthesizers report their own
    _tts: FallbackAdapter

    def __init__(self, *, tts: FallbackAdapter, conn_options: APIConnectOptions) -> None:
        super().__init__(tts=tts, conn_options=conn_options)
        self._listener: SynthesizeStream | None = None
        self._read: list[Any] = []
        """The input so far, for the next synthesizer."""
        self._refusal: Exception | None = None
        """What the listener raised that took no text."""

    async def _run(self, output_emitter: AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=shortuuid(),
            sample_rate=self._tts.sample_rate,
            num_channels=self._tts.num_channels,
            mime_type="audio/pcm",
            stream=True,
        )
        output_emitter.start_segment(segment_id=shortuuid())
        self._read = []
        forward = asyncio.create_task(self._forward_input())
        try:
            await self._tts._serve(
                self._speak, output_emitter, lambda: self._pushed_text, self._conn_options, streaming=True
            )
        finally:
            await aio.cancel_and_wait(forward)

    async def _forward_input(self) -> None:
        async for item in self._input_ch:
            self._hand_on(item)
        self._hand_on(None)

    def _hand_on(self, item: Any) -> None:
        self._read.append(item)
        if self._listener is None:
            return
        try:
            _push(self._listener, item)
        except Exception as e:
            # Whoever iterates over it raises it, and the next synthesizer gets all of the input.
            self._refusal = e
            self._listener._event_ch.close()
            self._listener = None

    async def _speak(self, tts: TTS[Any], options: APIConnectOptions) -> AsyncIterator[SynthesizedAudio]:
        adapter = None if tts.capabilities.streaming else StreamAdapter(tts=tts)
        try:
            async with (adapter or tts).stream(conn_options=options) as stream:
                for item in self._read:
                    _push(stream, item)
                self._listener = stream
                try:
                    async for audio in stream:
                        self._note_start(stream)
                        yield audio
                finally:
                    self._note_start(stream)  # whoever listens waits for one that fails, too
                if self._refusal is not None:
                    refusal, self._refusal = self._refusal, None
                    raise refusal
        finally:
            self._listener = None
            if adapter is not None:
                await adapter.aclose()

    def _note_start(self, stream: SynthesizeStream) -> None:
        if self._started_time is None:
            self._started_time = stream._started_time


def _push(stream: SynthesizeStream, item: Any) -> None:
    if item is None:
        stream._input_ch.close()  # the flush at its end came before
    elif isinstance(item, str):
        stream.push_text(item)
    else:
        stream.flush()


async def _try_stream(tts: TTS[Any], text: str, options: APIConnectOptions) -> None:
    async with tts.stream(conn_options=options) as stream:
        stream.push_text(text)
        stream.end_input()
        async for _ in stream:
            pass
