"""A live recognition: frames in, events out, tried again when the provider fails."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, ClassVar

from livekit.rtc import AudioFrame
from pydantic import BaseModel

from agent_runtime.errors import APIConnectionError, APIError
from agent_runtime.media.frames import frame_from_array, to_array
from agent_runtime.media.resample import Resampler
from agent_runtime.stt.stt import STT
from agent_runtime.stt.types import SpeechEvent, SpeechEventType
from agent_runtime.types import NOT_GIVEN, APIConnectOptions, NotGivenOr, is_given
from agent_runtime.utils import aio


class RecognizeStream(ABC):
    """Takes frames, gives `SpeechEvent`s, until `end_input` or `aclose`.

    A provider writes `_run`: read `_input_ch` until it ends, send events to `_event_ch`. If it raises an `APIError`
    that is worth a retry, `_run` is called again and goes on with the frames that haven't been read yet.

    Args:
        stt: whose stream it is.
        conn_options: how often `_run` is tried again.
        sample_rate: Hz that `_run` wants; frames of another rate are resampled. Left out: as they come.
    """

    class _FlushSentinel:
        """Marks the place where `flush` was called."""

    _reports_usage: ClassVar[bool] = True
    """False for an adapter, whose wrapped provider reports for itself."""

    def __init__(
        self, *, stt: STT[Any], conn_options: APIConnectOptions, sample_rate: NotGivenOr[int] = NOT_GIVEN
    ) -> None:
        self._stt = stt
        self._conn_options = conn_options
        self._needed_sr = sample_rate if is_given(sample_rate) else None
        self._pushed_sr = 0
        self._resampler: Resampler | None = None
        self._input_ch = aio.Chan[AudioFrame | RecognizeStream._FlushSentinel]()
        self._event_ch: aio.Chan[SpeechEvent] = _EventChan(self)
        self._num_retries = 0
        self._start_time_offset = 0.0
        self._start_time = time.time()
        self._context: BaseModel | None = None
        self._task = asyncio.create_task(self._main_task(), name=f"{type(self).__name__}._main_task")
        self._task.add_done_callback(self.__on_done)

    @property
    def context(self) -> BaseModel | None:
        """What the provider has found out about the speaker so far, if it does."""
        return self._context

    @context.setter
    def context(self, value: BaseModel | None) -> None:
        self._context = value

    @property
    def start_time_offset(self) -> float:
        """Seconds of the session that had passed when the present attempt began: its times count from there."""
        return self._start_time_offset

    @start_time_offset.setter
    def start_time_offset(self, value: float) -> None:
        if value < 0:
            raise ValueError(f"start_time_offset is {value}; it can't be negative")
        self._start_time_offset = value

    @property
    def start_time(self) -> float:
        """Seconds since the epoch when the present attempt began, or what the provider set it to."""
        return self._start_time

    @start_time.setter
    def start_time(self, value: float) -> None:
        if value < 0:
            raise ValueError(f"start_time is {value}; it can't be negative")
        self._start_time = value

    @abstractmethod
    async def _run(self) -> None: ...

    def push_frame(self, frame: AudioFrame) -> None:
        """Hear another frame. All frames of a stream have the same rate."""
        self._check_input_not_ended()
        self._check_not_closed()
        if self._pushed_sr and self._pushed_sr != frame.sample_rate:
            raise ValueError(f"the stream began at {self._pushed_sr} Hz; now came a frame of {frame.sample_rate} Hz")
        self._pushed_sr = frame.sample_rate
        if self._needed_sr is None or self._needed_sr == frame.sample_rate:
            self._input_ch.send_nowait(frame)
            return
        if self._resampler is None:
            self._resampler = Resampler(frame.sample_rate, self._needed_sr, frame.num_channels)
        samples = to_array(frame)
        self.__push_resampled(self._resampler.push(samples[:, 0] if frame.num_channels == 1 else samples))

    def flush(self) -> None:
        """The present segment is over: make it final."""
        self._check_input_not_ended()
        self._check_not_closed()
        if self._resampler is not None:
            self.__push_resampled(self._resampler.flush())
        self._input_ch.send_nowait(self._FlushSentinel())

    def end_input(self) -> None:
        """No more frames will come; the events end when those that were pushed are worked off."""
        self.flush()
        self._input_ch.close()

    async def aclose(self) -> None:
        """Stop at once."""
        self._input_ch.close()
        await aio.cancel_and_wait(self._task)
        self._event_ch.close()

    async def __anext__(self) -> SpeechEvent:
        try:
            return await self._event_ch.recv()
        except aio.ChanClosed:
            if self._task.done() and not self._task.cancelled() and (exc := self._task.exception()):
                raise exc from None
            raise StopAsyncIteration from None

    def __aiter__(self) -> AsyncIterator[SpeechEvent]:
        return self

    async def __aenter__(self) -> RecognizeStream:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _main_task(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            self._start_time_offset += loop.time() - began
            self._start_time = time.time()
            began = loop.time()
            try:
                return await self._run()
            except APIError as e:
                if loop.time() - began > self._conn_options.timeout:
                    # It was connected for a while: this is a new failure and not the last one going on.
                    self._num_retries = 0
                self.__check_retryable(e)
            except Exception as e:
                self._stt._emit_error(e, recoverable=False)
                raise
            await asyncio.sleep(self._conn_options.interval_for(self._num_retries))
            self._num_retries += 1

    def __check_retryable(self, error: APIError) -> None:
        max_retry = self._conn_options.max_retry
        if not error.retryable or max_retry == 0:
            self._stt._emit_error(error, recoverable=False)
            raise error
        if self._num_retries >= max_retry:
            self._stt._emit_error(error, recoverable=False)
            raise APIConnectionError(f"{self._stt.label} failed {self._num_retries + 1} times: {error}") from error
        self._stt._emit_error(error, recoverable=True)

    def _report_connection_acquired(self, acquire_time: float, connection_reused: bool) -> None:
        # For providers: how long it took to get a connection, as metrics without usage.
        self._stt._emit_metrics(
            "",
            streamed=True,
            duration=0.0,
            audio_duration=0.0,
            acquire_time=acquire_time,
            connection_reused=connection_reused,
        )

    def __push_resampled(self, samples: Any) -> None:
        if len(samples) and self._needed_sr is not None:
            self._input_ch.send_nowait(frame_from_array(samples, self._needed_sr))

    def __on_done(self, task: asyncio.Task[None]) -> None:
        self._event_ch.close()
        if not task.cancelled():
            # Whoever iterates gets it; asked for here so that asyncio doesn't also report it as never retrieved.
            task.exception()

    def _check_not_closed(self) -> None:
        if self._event_ch.closed:
            raise RuntimeError(f"{type(self).__module__}.{type(self).__name__} is closed")

    def _check_input_not_ended(self) -> None:
        if self._input_ch.closed:
            raise RuntimeError(f"{type(self).__module__}.{type(self).__name__} input ended")


class _EventChan(aio.Chan[SpeechEvent]):
    """Turns reported usage into metrics, and takes a final as proof that the provider works."""

    def __init__(self, stream: RecognizeStream) -> None:
        super().__init__()
        self._stream = stream

    def send_nowait(self, value: SpeechEvent) -> None:
        super().send_nowait(value)
        if value.type is SpeechEventType.FINAL_TRANSCRIPT:
            self._stream._num_retries = 0
        elif value.type is SpeechEventType.RECOGNITION_USAGE and self._stream._reports_usage:
            usage = value.recognition_usage
            if usage is None:
                raise ValueError("a RECOGNITION_USAGE event needs its recognition_usage")
            self._stream._stt._emit_metrics(
                value.request_id,
                streamed=True,
                duration=0.0,
                audio_duration=usage.audio_duration,
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
            )


SpeechStream = RecognizeStream
