"""Several recognisers behind one: the first that is up listens."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from livekit.rtc import AudioFrame

from agent_runtime.clock import Clock
from agent_runtime.errors import APIConnectionError
from agent_runtime.media.frames import duration
from agent_runtime.stt.stream import RecognizeStream
from agent_runtime.stt.stream_adapter import StreamAdapter
from agent_runtime.stt.stt import STT
from agent_runtime.stt.types import AudioBuffer, SpeechEvent, SpeechEventType, STTCapabilities
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions, NotGivenOr
from agent_runtime.utils import aio
from agent_runtime.utils.circuit_breaker import CircuitBoard, CircuitBreaker
from agent_runtime.vad import VAD

if TYPE_CHECKING:
    from agent_runtime.llm.chat_items import MetricsMetadata

logger = logging.getLogger(__name__)

DEFAULT_FALLBACK_API_CONNECT_OPTIONS: Final = APIConnectOptions(
    max_retry=0, timeout=DEFAULT_API_CONNECT_OPTIONS.timeout
)
REPLAY_SECONDS: Final = 30.0
"""Audio since the last final that the next recogniser gets to hear at most, when one fails."""


@dataclass
class AvailabilityChangedEvent:
    """A recogniser went down or came back."""

    stt: STT[Any]
    available: bool


@dataclass
class _Member:
    stt: STT[Any]
    breaker: CircuitBreaker
    probe: asyncio.Task[None] | None = None


class FallbackAdapter(STT[Literal["stt_availability_changed"]]):
    """Asks the first recogniser of a list, and the next one when that fails, which then hears what wasn't final yet.

    One that failed is skipped from then on. It is probed in the background, with the audio that it failed or missed,
    and used again for the next request or stream once it has recognised something. If all are down, each is asked all
    the same.

    Event besides those of `STT`: `stt_availability_changed` (`AvailabilityChangedEvent`). `metrics_collected` are those
    of the recognisers. They aren't closed by `aclose`.

    Args:
        stt: the recognisers, best first.
        vad: finds the speech for those that don't stream.
        attempt_timeout: seconds that an attempt may take.
        max_retry_per_stt: how often one is asked again before the next one is.
        retry_interval: seconds between these.
        clock: what the pauses between probes are measured with.
    """

    _recognize_metrics_needed = False  # the recognisers report their own

    def __init__(
        self,
        stt: list[STT[Any]],
        *,
        vad: VAD | None = None,
        attempt_timeout: float = 10.0,
        max_retry_per_stt: int = 1,
        retry_interval: float = 5,
        clock: Clock | None = None,
    ) -> None:
        if not stt:
            raise ValueError("at least one STT is needed")
        self._adapters: list[StreamAdapter] = []
        self.circuits = CircuitBoard()
        members = [
            _Member(self._streaming(one, vad), self.circuits.add(one, CircuitBreaker(clock=clock))) for one in stt
        ]
        capabilities = [member.stt.capabilities for member in members]
        super().__init__(
            capabilities=STTCapabilities(
                streaming=True,
                interim_results=all(c.interim_results for c in capabilities),
                diarization=all(c.diarization for c in capabilities),
                aligned_transcript=all(c.aligned_transcript for c in capabilities)
                and capabilities[0].aligned_transcript,
                keyterms=any(c.keyterms for c in capabilities),
                chat_context=any(c.chat_context for c in capabilities),
                manual_flush=all(c.manual_flush for c in capabilities),
            )
        )
        self._members = members
        self._attempt_timeout = attempt_timeout
        self._max_retry_per_stt = max_retry_per_stt
        self._retry_interval = retry_interval
        self._served_last = members[0]
        self._closed = False
        for member in members:
            member.stt.on("metrics_collected", self._forward_metrics)

    @property
    def model(self) -> str:
        """Of the recogniser that is asked next."""
        return self._next.stt.model

    @property
    def provider(self) -> str:
        """Of the recogniser that is asked next."""
        return self._next.stt.provider

    @property
    def metrics_metadata(self) -> MetricsMetadata:
        """Of the recogniser that served last."""
        return self._served_last.stt.metrics_metadata

    async def recognize(
        self,
        buffer: AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_FALLBACK_API_CONNECT_OPTIONS,
    ) -> SpeechEvent:
        """See `STT.recognize`. `conn_options` tell how often the whole list is tried again."""
        return await super().recognize(buffer, language=language, conn_options=conn_options)

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_FALLBACK_API_CONNECT_OPTIONS,
    ) -> RecognizeStream:
        """See `STT.stream`. `conn_options` tell how often the whole list is tried again."""
        return FallbackRecognizeStream(self, language=language, conn_options=conn_options)

    def prewarm(self) -> None:
        """Prewarm the first one; the others are not expected to be asked."""
        self._members[0].stt.prewarm()

    async def aclose(self) -> None:
        """Stop probing and forwarding metrics."""
        self._closed = True
        for member in self._members:
            member.stt.off("metrics_collected", self._forward_metrics)
        await aio.cancel_and_wait(*(member.probe for member in self._members if member.probe is not None))
        for adapter in self._adapters:
            await adapter.aclose()

    @property
    def _next(self) -> _Member:
        return next((member for member in self._members if member.breaker.available), self._members[0])

    def _streaming(self, stt: STT[Any], vad: VAD | None) -> STT[Any]:
        if stt.capabilities.streaming:
            return stt
        if vad is None:
            raise ValueError(f"{stt.label} doesn't stream: give the FallbackAdapter a vad, or wrap it in StreamAdapter")
        self._adapters.append(StreamAdapter(stt=stt, vad=vad))
        return self._adapters[-1]

    def _options(self, options: APIConnectOptions) -> APIConnectOptions:
        return dataclasses.replace(
            options,
            max_retry=self._max_retry_per_stt,
            timeout=self._attempt_timeout,
            retry_interval=self._retry_interval,
        )

    def _candidates(self, problems: list[str]) -> list[_Member]:
        """Those to ask, in order. All, if none is up: nothing is lost by it."""
        up = [member for member in self._members if member.breaker.available]
        if not up:
            return list(self._members)
        problems += [f"{m.stt.label}: skipped, it failed before" for m in self._members if m not in up]
        return up

    async def _recognize_impl(
        self, buffer: AudioBuffer, *, language: NotGivenOr[str] = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> SpeechEvent:
        async def ask(member: _Member) -> SpeechEvent:
            return await member.stt.recognize(buffer, language=language, conn_options=self._options(conn_options))

        async def probe(member: _Member) -> bool:
            await ask(member)
            return True

        problems: list[str] = []
        try:
            for member in self._candidates(problems):
                try:
                    event = await ask(member)
                except Exception as e:
                    self._report_failure(member, e)
                    problems.append(f"{member.stt.label}: {e}")
                else:
                    self._report_success(member)
                    self._served_last = member
                    return event
        finally:
            for member in self._members:
                if not self._closed and member.breaker.begin_probe():
                    member.probe = asyncio.create_task(self._probe(member, probe))
        raise APIConnectionError(f"no recogniser answered: {'; '.join(problems)}")

    async def _probe(self, member: _Member, attempt: Callable[[_Member], Awaitable[bool]]) -> None:
        """Find out whether it is back. `attempt` says False if that remained open."""
        try:
            settled = await attempt(member)
        except Exception as e:
            logger.warning("%s is still down: %s", member.stt.label, e)
            member.breaker.record_failure(str(e))
        except asyncio.CancelledError:
            member.breaker.abandon_probe()
            raise
        else:
            if settled:
                self._report_success(member)
            else:
                member.breaker.abandon_probe()

    def _report_success(self, member: _Member) -> None:
        if member.breaker.record_success():
            logger.info("%s is back", member.stt.label)
            self.emit("stt_availability_changed", AvailabilityChangedEvent(member.stt, available=True))

    def _report_failure(self, member: _Member, error: Exception) -> None:
        logger.warning("%s failed, asking the next recogniser: %s", member.stt.label, error)
        if member.breaker.record_failure(str(error)):
            self.emit("stt_availability_changed", AvailabilityChangedEvent(member.stt, available=False))

    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        for member in self._members:
            member.stt._update_session_keyterms(keyterms)

    def _push_conversation_item(self, ev: Any) -> None:
        for member in self._members:
            member.stt._push_conversation_item(ev)

    def _forward_metrics(self, metrics: object) -> None:
        self.emit("metrics_collected", metrics)


@dataclass
class _Backlog:
    """The audio since the last final, for the next recogniser."""

    items: deque[AudioFrame | None] = field(default_factory=deque)
    """Frames, and None where it was flushed."""
    start: float = 0.0
    """Seconds of the stream before the first of them."""
    seconds: float = 0.0

    def push(self, item: AudioFrame | None) -> None:
        self.items.append(item)
        self.seconds += 0.0 if item is None else duration(item)
        while self.seconds > REPLAY_SECONDS:
            self._drop()

    def clear(self) -> None:
        while self.items:
            self._drop()

    def _drop(self) -> None:
        dropped = self.items.popleft()
        if dropped is not None:
            self.seconds -= duration(dropped)
            self.start += duration(dropped)


class FallbackRecognizeStream(RecognizeStream):
    """See `FallbackAdapter`."""

    _reports_usage = False  # the recognisers report their own

    def __init__(self, stt: FallbackAdapter, *, language: NotGivenOr[str], conn_options: APIConnectOptions) -> None:
        super().__init__(stt=stt, conn_options=conn_options)
        self._adapter = stt
        self._language = language
        self._backlog = _Backlog()
        self._main: RecognizeStream | None = None
        self._probes: list[RecognizeStream] = []
        self._refusals: dict[RecognizeStream, Exception] = {}
        """What each stream raised that took no audio."""

    async def _run(self) -> None:
        adapter = self._adapter
        problems: list[str] = []
        forward = asyncio.create_task(self._forward_input())
        try:
            for member in adapter._candidates(problems):
                self._probe_the_others(member)
                try:
                    async for event in self._listen(member):
                        adapter._served_last = member
                        self._event_ch.send_nowait(event)
                except Exception as e:
                    adapter._report_failure(member, e)
                    problems.append(f"{member.stt.label}: {e}")
                else:
                    return
        finally:
            self._main = None
            await aio.cancel_and_wait(forward)
            for probe in self._probes:
                probe._input_ch.close()
        raise APIConnectionError(f"no recogniser answered: {'; '.join(problems)}")

    async def _listen(self, member: _Member) -> AsyncIterator[SpeechEvent]:
        options = self._adapter._options(self._conn_options)
        async with member.stt.stream(language=self._language, conn_options=options) as stream:
            stream.start_time_offset = self.start_time_offset + self._backlog.start
            for item in self._backlog.items:
                _push(stream, item)
            self._main = stream
            if self._input_ch.closed and self._input_ch.empty():
                stream._input_ch.close()  # the flush at its end is in the backlog
            async for event in stream:
                if event.type is SpeechEventType.FINAL_TRANSCRIPT:
                    self._backlog.clear()
                    self._adapter._report_success(member)
                yield event
            if (refusal := self._refusals.pop(stream, None)) is not None:
                raise refusal

    async def _forward_input(self) -> None:
        async for item in self._input_ch:
            frame = item if isinstance(item, AudioFrame) else None
            self._backlog.push(frame)
            if self._main is not None and not self._offer(self._main, frame):
                self._main = None  # the next one gets the frame with the backlog
            for probe in list(self._probes):
                if not self._offer(probe, frame):
                    self._probes.remove(probe)
        if self._main is not None:
            self._main._input_ch.close()

    def _offer(self, stream: RecognizeStream, frame: AudioFrame | None) -> bool:
        """Whether a stream takes the frame. If it raises, whoever iterates over it is told, and the others hear on."""
        try:
            _push(stream, frame)
        except Exception as e:
            self._refusals[stream] = e
            stream._event_ch.close()
            return False
        return True

    def _probe_the_others(self, asked: _Member) -> None:
        for member in self._adapter._members:
            if member is not asked and member.breaker.begin_probe():
                member.probe = asyncio.create_task(self._adapter._probe(member, self._hear_something))

    async def _hear_something(self, member: _Member) -> bool:
        """Whether a recogniser has recognised something of the live audio, before the stream ended."""
        options = dataclasses.replace(self._adapter._options(self._conn_options), max_retry=0)
        async with member.stt.stream(language=self._language, conn_options=options) as stream:
            self._probes.append(stream)
            try:
                async for event in stream:
                    if event.type is SpeechEventType.FINAL_TRANSCRIPT and event.alternatives[0].text:
                        return True
            finally:
                if stream in self._probes:
                    self._probes.remove(stream)
            if (refusal := self._refusals.pop(stream, None)) is not None:
                raise refusal
        return False


def _push(stream: RecognizeStream, frame: AudioFrame | None) -> None:
    if stream._input_ch.closed or stream._event_ch.closed:
        return  # it failed, which whoever iterates over it is told
    if frame is None:
        stream.flush()
    else:
        stream.push_frame(frame)
