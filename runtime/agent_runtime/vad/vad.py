"""The interface of a voice activity detector, and what every one of them has in common."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum, unique
from types import TracebackType
from typing import Literal

from livekit.rtc import AudioFrame

from agent_runtime.metrics import Metadata, VADMetrics
from agent_runtime.utils import EventEmitter, aio
from agent_runtime.utils.provider import Named


@unique
class VADEventType(StrEnum):
    """What a detector tells."""

    START_OF_SPEECH = "start_of_speech"
    INFERENCE_DONE = "inference_done"
    END_OF_SPEECH = "end_of_speech"


@dataclass
class VADEvent:
    """What a detector found. Durations and timestamps are in seconds of the stream's audio."""

    type: VADEventType
    samples_index: int
    """Samples heard so far, at the detector's own rate."""
    timestamp: float
    """Seconds of audio heard so far: the event was found out here, which is later than when it began."""
    speech_duration: float
    """Seconds of the present speech, or of the last one, from its true start to its last voiced moment so far."""
    silence_duration: float
    """Seconds since the last voiced moment; at `END_OF_SPEECH`, by how much the end is reported late."""
    frames: list[AudioFrame] = field(default_factory=list)
    """At `START_OF_SPEECH` the speech so far with its prefix padding, at `INFERENCE_DONE` the window that was looked
    at, at `END_OF_SPEECH` the whole speech."""
    probability: float = 0.0
    """That there is speech, 0 to 1; with `INFERENCE_DONE` only."""
    inference_duration: float = 0.0
    """Seconds that the model took; with `INFERENCE_DONE` only."""
    speaking: bool = False
    """Whether somebody speaks, by what has been reported so far."""
    raw_accumulated_silence: float = 0.0
    """Seconds of windows in a row that don't hold speech, before any minimum is applied."""
    raw_accumulated_speech: float = 0.0
    """Seconds of windows in a row that hold speech, before any minimum is applied."""


@dataclass
class VADCapabilities:
    """What a detector can do. `update_interval`: seconds between two looks at the audio."""

    update_interval: float


class VAD(Named, ABC, EventEmitter[Literal["metrics_collected"]]):
    """Finds out when somebody speaks. Emits `metrics_collected` (`VADMetrics`) about once in a second of audio."""

    def __init__(self, *, capabilities: VADCapabilities) -> None:
        super().__init__()
        self._capabilities = capabilities

    @property
    def capabilities(self) -> VADCapabilities:
        """What it can do."""
        return self._capabilities

    @abstractmethod
    def stream(self) -> VADStream:
        """Start to listen. Streams of one detector don't influence each other."""
        ...


class VADStream(ABC):
    """Takes frames, gives `VADEvent`s, until `end_input` or `aclose`.

    A subclass writes `_main_task`: read `_input_ch` until it ends, send events to `_event_ch`. A `_FlushSentinel` in
    the input is a hard boundary: what has been gathered about the present speech is forgotten.
    """

    class _FlushSentinel:
        """Marks the place where `flush` was called."""

    def __init__(self, vad: VAD) -> None:
        self._vad = vad
        self._input_ch = aio.Chan[AudioFrame | VADStream._FlushSentinel]()
        self._event_ch: aio.Chan[VADEvent] = _EventChan(vad)
        self._task = asyncio.create_task(self._main_task(), name=f"{type(self).__name__}._main_task")
        self._task.add_done_callback(self.__on_done)

    @abstractmethod
    async def _main_task(self) -> None: ...

    def push_frame(self, frame: AudioFrame) -> None:
        """Hear another frame; any size and rate that the detector takes."""
        self._check_input_not_ended()
        self._check_not_closed()
        self._input_ch.send_nowait(frame)

    def flush(self) -> None:
        """Forget the speech in progress: the next frame begins afresh."""
        self._check_input_not_ended()
        self._check_not_closed()
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

    async def __anext__(self) -> VADEvent:
        try:
            return await self._event_ch.recv()
        except aio.ChanClosed:
            if self._task.done() and not self._task.cancelled() and (exc := self._task.exception()):
                raise exc from None
            raise StopAsyncIteration from None

    def __aiter__(self) -> AsyncIterator[VADEvent]:
        return self

    async def __aenter__(self) -> VADStream:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()

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


class _EventChan(aio.Chan[VADEvent]):
    """Sums up the inferences that pass and reports them about once in a second of audio."""

    def __init__(self, vad: VAD) -> None:
        super().__init__()
        self._vad = vad
        self._inferences = 0
        self._duration = 0.0
        self._last_activity = asyncio.get_running_loop().time()

    def send_nowait(self, value: VADEvent) -> None:
        super().send_nowait(value)
        if value.type is not VADEventType.INFERENCE_DONE:
            self._last_activity = asyncio.get_running_loop().time()
            return
        self._inferences += 1
        self._duration += value.inference_duration
        if self._inferences >= 1 / self._vad.capabilities.update_interval:
            self._report()

    def _report(self) -> None:
        metrics = VADMetrics(
            label=self._vad.label,
            timestamp=time.time(),
            idle_time=asyncio.get_running_loop().time() - self._last_activity,
            inference_duration_total=self._duration,
            inference_count=self._inferences,
            metadata=Metadata(model_name=self._vad.model, model_provider=self._vad.provider),
        )
        self._inferences, self._duration = 0, 0.0
        self._vad.emit("metrics_collected", metrics)
