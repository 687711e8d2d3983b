"""A running synthesis: text in, audio out, tried again when the provider fails before anything was heard."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, ClassVar, Self

from livekit.rtc import AudioFrame, combine_audio_frames

from agent_runtime.errors import APIError, APIStatusError
from agent_runtime.metrics import Metadata, TTSMetrics
from agent_runtime.tts.emitter import AudioEmitter
from agent_runtime.tts.tts import TTS
from agent_runtime.tts.types import SynthesizedAudio
from agent_runtime.types import USERDATA_TIMED_TRANSCRIPT, USERDATA_TTS_STARTED_TIME, APIConnectOptions
from agent_runtime.utils import aio, shortuuid

logger = logging.getLogger(__name__)

_CLIENT_CLOSED_REQUEST = 499


class AudioStream(ABC):
    """What `ChunkedStream` and `SynthesizeStream` share: attempts, iteration, metrics, closing.

    A provider writes `_run`, which pushes audio to the emitter that it is given. If it raises an `APIError` that is
    worth a retry and no audio has been sent on, `_run` is called again with the same input.
    """

    _reports_usage: ClassVar[bool] = True
    """False for an adapter, whose wrapped provider reports for itself."""
    _streamed: ClassVar[bool]

    def __init__(self, *, tts: TTS[Any], conn_options: APIConnectOptions) -> None:
        self._tts = tts
        self._conn_options = conn_options
        self._started_time: float | None = None
        self._input_tokens = 0
        self._output_tokens = 0
        self._acquire_time = 0.0
        self._connection_reused = False
        self.__emitter: AudioEmitter | None = None
        self._event_ch = _AudioChan(self)
        # Twice, as a provider may have a `_task` of its own. What LiveKit's classes don't have is out of reach (`__`).
        self.__task = self._task = asyncio.create_task(self._main_task(), name=f"{type(self).__name__}._main_task")
        self.__task.add_done_callback(self.__on_done)

    @property
    def provider_request_ids(self) -> list[str]:
        """The provider's own ids of what was asked, to find it in the provider's logs."""
        return self.__emitter.provider_request_ids if self.__emitter is not None else []

    @abstractmethod
    async def _run(self, output_emitter: AudioEmitter) -> None: ...

    @abstractmethod
    def _input_so_far(self) -> str: ...

    def _set_token_usage(self, *, input_tokens: int = 0, output_tokens: int = 0) -> None:
        # For providers that bill by tokens.
        self._input_tokens = input_tokens
        self._output_tokens = output_tokens

    async def aclose(self) -> None:
        """Stop at once, and drop what wasn't taken."""
        await aio.cancel_and_wait(self.__task)
        self._event_ch.close()

    async def __anext__(self) -> SynthesizedAudio:
        try:
            audio = await self._event_ch.recv()
        except aio.ChanClosed:
            if self.__task.done() and not self.__task.cancelled() and (exc := self.__task.exception()):
                raise exc from None
            raise StopAsyncIteration from None
        if self._started_time is not None:
            audio.frame.userdata[USERDATA_TTS_STARTED_TIME] = self._started_time
        return audio

    def __aiter__(self) -> AsyncIterator[SynthesizedAudio]:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _main_task(self) -> None:
        attempt = 0
        while not await self.__attempt(last=attempt >= self._conn_options.max_retry):
            await asyncio.sleep(self._conn_options.interval_for(attempt))
            self._prepare_retry()
            self._event_ch.failed = False
            attempt += 1

    async def __attempt(self, *, last: bool) -> bool:
        emitter = self.__emitter = AudioEmitter(label=self._tts.label, dst_ch=self._event_ch)
        try:
            await self._run(emitter)
            if emitter.started:
                emitter.end_input()
            self._check_complete(emitter)
        except APIError as e:
            if isinstance(e, APIStatusError) and e.status_code == _CLIENT_CLOSED_REQUEST:
                return True
            self._event_ch.failed = True
            if last or not e.retryable or emitter.total_duration > 0:
                self._tts._emit_error(e, recoverable=False)
                raise
            self._tts._emit_error(e, recoverable=True)
            return False
        except Exception as e:
            self._event_ch.failed = True
            self._tts._emit_error(e, recoverable=False)
            raise
        finally:
            await emitter.aclose()
        return True

    def _check_complete(self, emitter: AudioEmitter) -> None:
        text = self._input_so_far()
        # Nobody speaks a text of punctuation only, so silence is the right answer to it.
        if emitter.pushed_duration() <= 0 and any(map(str.isalnum, text)):
            raise APIError(f"{self._tts.label} gave no audio for the text {text!r}")

    def _prepare_retry(self) -> None:
        """Make the input readable from its beginning."""

    def __on_done(self, task: asyncio.Task[None]) -> None:
        self._event_ch.finish(cancelled=task.cancelled())
        if not task.cancelled():
            # Whoever iterates gets it; asked for here so that asyncio doesn't also report it as never retrieved.
            task.exception()


class ChunkedStream(AudioStream):
    """The audio of one whole text.

    Args:
        tts: whose stream it is.
        input_text: what to speak.
        conn_options: how often `_run` is tried again.
    """

    _streamed = False

    def __init__(self, *, tts: TTS[Any], input_text: str, conn_options: APIConnectOptions) -> None:
        self._input_text = input_text
        super().__init__(tts=tts, conn_options=conn_options)
        self._started_time = asyncio.get_running_loop().time()
        self._synthesize_task = self._task

    @property
    def input_text(self) -> str:
        """What is spoken."""
        return self._input_text

    @property
    def done(self) -> bool:
        """Whether all audio has been made, or it failed."""
        return self._synthesize_task.done()

    @property
    def exception(self) -> BaseException | None:
        """What it failed with. Raises InvalidStateError while it runs."""
        return self._synthesize_task.exception()

    async def collect(self) -> AudioFrame:
        """All the audio as one frame."""
        return combine_audio_frames([audio.frame async for audio in self])

    def _input_so_far(self) -> str:
        return self._input_text


class ChunkedStreamFromStream(ChunkedStream):
    """A whole text spoken by a synthesizer that only streams."""

    _reports_usage = False

    async def _run(self, output_emitter: AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=shortuuid(),
            sample_rate=self._tts.sample_rate,
            num_channels=self._tts.num_channels,
            mime_type="audio/pcm",
        )
        options = APIConnectOptions(max_retry=0, timeout=self._conn_options.timeout)
        async with self._tts.stream(conn_options=options) as stream:
            stream.push_text(self._input_text)
            stream.end_input()
            async for audio in stream:
                if words := audio.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT):
                    output_emitter.push_timed_transcript(words)
                output_emitter.push_frame(audio.frame)


class SynthesizeStream(AudioStream):
    """Speaks text that comes piece by piece: one segment, up to `flush` or `end_input`."""

    _streamed = True
    # Packages that end their input by themselves look for text that isn't counted yet: here all is, once it is pushed.
    _mtc_text = ""

    class _FlushSentinel:
        """Marks the place where `flush` was called."""

    def __init__(self, *, tts: TTS[Any], conn_options: APIConnectOptions) -> None:
        self._input_ch = aio.Chan[str | SynthesizeStream._FlushSentinel]()
        self._input_buffer: list[str | SynthesizeStream._FlushSentinel] = []
        self._pushed_text = ""
        self._segment_ended = False
        super().__init__(tts=tts, conn_options=conn_options)

    def push_text(self, token: str) -> None:
        """Speak this after what was pushed before. After `flush` it is refused with a warning: make another stream."""
        if not token or self._input_ch.closed:
            return
        if self._segment_ended:
            logger.warning("text after flush() is ignored (%r): make a new SynthesizeStream for each segment", token)
            return
        self._pushed_text += token
        self._input_ch.send_nowait(token)
        self._input_buffer.append(token)

    def flush(self) -> None:
        """The segment is complete: speak what was held back."""
        if self._input_ch.closed:
            return
        self._segment_ended = bool(self._pushed_text)
        sentinel = self._FlushSentinel()
        self._input_ch.send_nowait(sentinel)
        self._input_buffer.append(sentinel)

    def end_input(self) -> None:
        """No more text will come; the audio ends when all is spoken."""
        self.flush()
        self._input_ch.close()

    async def aclose(self) -> None:
        """Stop at once, and drop what wasn't taken."""
        self._input_ch.close()
        await super().aclose()

    def _mark_started(self) -> None:
        # For providers: the first text goes out now, which is where the time to the first audio counts from.
        if self._started_time is None:
            self._started_time = asyncio.get_running_loop().time()

    def _input_so_far(self) -> str:
        return self._pushed_text

    def _check_complete(self, emitter: AudioEmitter) -> None:
        super()._check_complete(emitter)
        if self._pushed_text.strip() and emitter.num_segments > 1:
            raise APIError(f"{self._tts.label} made {emitter.num_segments} segments of one")

    def _prepare_retry(self) -> None:
        ended = self._input_ch.closed
        self._input_ch = aio.Chan[str | SynthesizeStream._FlushSentinel]()
        for item in self._input_buffer:
            self._input_ch.send_nowait(item)
        if ended:
            self._input_ch.close()


class _AudioChan(aio.Chan[SynthesizedAudio]):
    """Measures the audio that passes, and reports it once, when it is all there or was cut, unless it failed."""

    def __init__(self, stream: AudioStream) -> None:
        super().__init__()
        self._stream = stream
        self._ttfb = -1.0
        self._audio_duration = 0.0
        self._last: SynthesizedAudio | None = None
        self._reported = False
        self.failed = False
        self._created = asyncio.get_running_loop().time()

    def send_nowait(self, value: SynthesizedAudio) -> None:
        if self.closed:
            return  # a provider's thread or task that hasn't heard yet that nobody listens
        super().send_nowait(value)
        if self._last is None:
            self._ttfb = asyncio.get_running_loop().time() - self._since
        self._audio_duration += value.frame.duration
        self._last = value
        if value.is_final and self._stream._streamed:
            self._report(cancelled=False)

    def finish(self, *, cancelled: bool) -> None:
        """Close, and report what hasn't been reported."""
        self.close()
        if not self._reported:
            self._report(cancelled=cancelled)

    def _report(self, *, cancelled: bool) -> None:
        stream = self._stream
        asked = self._last is not None or (stream._started_time is not None and bool(stream._input_so_far()))
        if not asked or self.failed or not stream._reports_usage:
            return
        self._reported = True
        metrics = TTSMetrics(
            label=stream._tts.label,
            request_id=self._last.request_id if self._last else "",
            segment_id=(self._last.segment_id if self._last else "") if stream._streamed else None,
            timestamp=time.time(),
            ttfb=self._ttfb,
            duration=asyncio.get_running_loop().time() - self._since,
            audio_duration=self._audio_duration,
            cancelled=cancelled,
            characters_count=len(stream._input_so_far()),
            input_tokens=stream._input_tokens,
            output_tokens=stream._output_tokens,
            streamed=stream._streamed,
            acquire_time=stream._acquire_time,
            connection_reused=stream._connection_reused,
            metadata=Metadata(model_name=stream._tts.model, model_provider=stream._tts.provider),
        )
        stream._tts.emit("metrics_collected", metrics)

    @property
    def _since(self) -> float:
        started = self._stream._started_time
        return self._created if started is None else started
