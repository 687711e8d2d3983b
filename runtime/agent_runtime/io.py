"""Where a session's audio and text come from and go to: the interfaces that devices, files and rooms fill in.

Names and meanings are those of `livekit.agents.voice.io`. Inputs and outputs may be chained: one that is given a
`source` or a `next_in_chain` is a layer over it, and by itself passes on attaching, pausing and what is reported.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from agent_runtime.records import record
from agent_runtime.utils.event_emitter import EventEmitter

if TYPE_CHECKING:
    import numpy as np
    from livekit.rtc import AudioFrame, VideoFrame
    from numpy.typing import NDArray


class AudioInput:
    """Frames of the user's speech, in real time, without an end while the session lasts.

    A device that is lost pauses the iteration and goes on when it is back; it does not end or raise.
    """

    def __init__(self, *, label: str, source: AudioInput | None = None) -> None:
        self.__label, self.__source = label, source

    @property
    def label(self) -> str:
        """Name for people."""
        return self.__label

    @property
    def source(self) -> AudioInput | None:
        """What it is a layer over."""
        return self.__source

    def __aiter__(self) -> AsyncIterator[AudioFrame]:
        return self

    async def __anext__(self) -> AudioFrame:
        """The next frame. Raises StopAsyncIteration only once the input is closed (a file that ended)."""
        if self.source is None:
            raise NotImplementedError(f"{type(self).__name__} has no source and must define __anext__")
        return await self.source.__anext__()

    @property
    def latency(self) -> float:
        """Seconds from a sound in the air to the frame that holds its end; what is told of speech is set back by it."""
        return 0.0 if self.source is None else self.source.latency

    def on_attached(self) -> None:
        """The session starts to read: open the device."""
        if self.source is not None:
            self.source.on_attached()

    def on_detached(self) -> None:
        """The session stops reading: drop what is queued."""
        if self.source is not None:
            self.source.on_detached()


class VideoInput:
    """Frames of what the user shows: a camera, a screen."""

    def __init__(self, *, label: str, source: VideoInput | None = None) -> None:
        self.__label, self.__source = label, source

    @property
    def label(self) -> str:
        """Name for people."""
        return self.__label

    @property
    def source(self) -> VideoInput | None:
        """What it is a layer over."""
        return self.__source

    def __aiter__(self) -> AsyncIterator[VideoFrame]:
        return self

    async def __anext__(self) -> VideoFrame:
        """The next frame. Raises StopAsyncIteration only once the input is closed."""
        if self.source is None:
            raise NotImplementedError(f"{type(self).__name__} has no source and must define __anext__")
        return await self.source.__anext__()

    def on_attached(self) -> None:
        """The session starts to look: open the device."""
        if self.source is not None:
            self.source.on_attached()

    def on_detached(self) -> None:
        """The session stops looking."""
        if self.source is not None:
            self.source.on_detached()


class VideoOutput(ABC):
    """Takes the agent's picture. The session itself makes none: avatars write to it."""

    def __init__(self, *, label: str, next_in_chain: VideoOutput | None = None) -> None:
        self.__label, self.__next = label, next_in_chain

    @property
    def label(self) -> str:
        """Name for people."""
        return self.__label

    @property
    def next_in_chain(self) -> VideoOutput | None:
        """What it is a layer over."""
        return self.__next

    @abstractmethod
    async def capture_frame(self, frame: VideoFrame) -> None:
        """Show a frame."""

    @abstractmethod
    def flush(self) -> None:
        """What is shown is complete."""

    def on_attached(self) -> None:
        """A session starts to use it."""
        if self.next_in_chain is not None:
            self.next_in_chain.on_attached()

    def on_detached(self) -> None:
        """The session stopped using it."""
        if self.next_in_chain is not None:
            self.next_in_chain.on_detached()


@record(frozen=True, slots=True)
class PlaybackStartedEvent:
    """The first sample of a segment is being heard."""

    created_at: float
    """Seconds since the epoch, as `time.time()` tells them."""
    at: float | None = None
    """The same on the session's clock, where the output knows that clock."""


@record(frozen=True, slots=True)
class PlaybackFinishedEvent:
    """A segment is over: played to its end, or cut."""

    playback_position: float
    """Seconds of the segment that were heard, by the device's own position."""
    interrupted: bool
    synchronized_transcript: str | None = None


@record(frozen=True, slots=True)
class PlaybackProgressedEvent:
    """A stretch of the current segment was heard and can't be called back."""

    started_at: float
    """Seconds since the epoch at which it began to be heard."""
    offset: float
    """Where it begins in the segment, in seconds."""
    duration: float


PlaybackEvent: TypeAlias = Literal["playback_started", "playback_progressed", "playback_finished"]


@record(frozen=True, slots=True)
class AudioOutputCapabilities:
    """What an output can do."""

    pause: bool


class Background(Protocol):
    """Sound that lies under the agent's speech, read by the output as it plays, maybe in its audio thread."""

    @property
    def sample_rate(self) -> int:
        """Hz."""
        ...

    @property
    def ducked_gain(self) -> float:
        """How loud it is while the agent speaks, as a factor from 0.0 to 1.0."""
        ...

    @property
    def duck_fade(self) -> float:
        """Seconds from full loudness to `ducked_gain` and back."""
        ...

    def read(self, count: int) -> NDArray[np.float32] | None:
        """The next `float32[count]`, mono, in units of int16; None where nothing plays."""
        ...


class AudioOutput(ABC, EventEmitter[PlaybackEvent]):
    """Plays segments of the agent's speech, one after the other.

    A segment is what is captured up to `flush()`. For each segment there is exactly one call of `on_playback_started`
    (once its first sample is heard; none if nothing was heard) and exactly one of `on_playback_finished`, also after
    `clear_buffer()`: the subclass makes them, on the session's loop. Who wants to hear of them subscribes with
    `on("playback_started", …)` and `on("playback_finished", …)`.

    Args:
        label: name for people.
        capabilities: what it can do.
        next_in_chain: what it is a layer over; what that reports is reported as its own.
        sample_rate: Hz that it wants; None takes any. Frames of another rate are resampled before they come here.
    """

    def __init__(
        self,
        *,
        label: str,
        capabilities: AudioOutputCapabilities,
        next_in_chain: AudioOutput | None = None,
        sample_rate: int | None = None,
    ) -> None:
        super().__init__()
        self.__label, self.__capabilities, self.__sample_rate = label, capabilities, sample_rate
        self.__next: AudioOutput | None = None
        self.__capturing = False
        self.__captured = self.__finished = 0
        self.__last = PlaybackFinishedEvent(0.0, interrupted=False)
        self.__waiting: list[asyncio.Future[None]] = []
        if next_in_chain is not None:
            self._chain(next_in_chain)

    def _chain(self, sink: AudioOutput) -> None:
        """Be a layer over `sink` from now on, in place of what was below."""
        old, self.__next = self.__next, sink
        if old is not None:
            old.off("playback_started", self.__next_started)
            old.off("playback_progressed", self.__next_progressed)
            old.off("playback_finished", self.__next_finished)
        sink.on("playback_started", self.__next_started)
        sink.on("playback_progressed", self.__next_progressed)
        sink.on("playback_finished", self.__next_finished)

    def __next_started(self, event: PlaybackStartedEvent) -> None:
        # By its name: a subclass may want to know.
        if event.at is None:
            self.on_playback_started(created_at=event.created_at)
        else:
            self.on_playback_started(created_at=event.created_at, at=event.at)

    def __next_progressed(self, event: PlaybackProgressedEvent) -> None:
        self.on_playback_progressed(started_at=event.started_at, offset=event.offset, duration=event.duration)

    def __next_finished(self, event: PlaybackFinishedEvent) -> None:
        self.on_playback_finished(
            playback_position=event.playback_position,
            interrupted=event.interrupted,
            synchronized_transcript=event.synchronized_transcript,
        )

    @property
    def label(self) -> str:
        """Name for people."""
        return self.__label

    @property
    def capabilities(self) -> AudioOutputCapabilities:
        """What it can do."""
        return self.__capabilities

    @property
    def next_in_chain(self) -> AudioOutput | None:
        """What it is a layer over."""
        return self.__next

    @property
    def sample_rate(self) -> int | None:
        """Hz that it wants; None takes any."""
        return self.__sample_rate

    @property
    def can_pause(self) -> bool:
        """Whether `pause` and `resume` do anything."""
        return self.capabilities.pause and (self.next_in_chain is None or self.next_in_chain.can_pause)

    @abstractmethod
    async def capture_frame(self, frame: AudioFrame) -> None:
        """Queue a frame of the current segment; waits while the queue is full (a few hundred milliseconds).

        What is here only counts segments, for `wait_for_playout`.
        """
        if not self.__capturing:
            self.__capturing = True
            self.__captured += 1

    @abstractmethod
    def flush(self) -> None:
        """The current segment has all its frames."""
        self.__capturing = False

    @abstractmethod
    def clear_buffer(self) -> None:
        """Stop at once and forget what is queued. The segment finishes as interrupted, at the position heard."""

    def pause(self) -> None:
        """Hold still, keeping what is queued. Only where `can_pause`."""
        if self.next_in_chain is not None:
            self.next_in_chain.pause()

    def resume(self) -> None:
        """Go on after `pause`."""
        if self.next_in_chain is not None:
            self.next_in_chain.resume()

    @property
    def playback_position(self) -> float | None:
        """Seconds of the current segment heard so far, by the device's own position.

        None where it can't tell: then the time since the segment's start is taken for it.
        """
        return None if self.next_in_chain is None else self.next_in_chain.playback_position

    def set_background(self, background: Background | None) -> bool:
        """Play it under the speech from now on, in place of the one before. False if this output can't.

        It changes nothing of the speech: neither its positions nor when it starts, pauses and ends.
        """
        return self.next_in_chain is not None and self.next_in_chain.set_background(background)

    def on_attached(self) -> None:
        """A session starts to use it."""
        if self.next_in_chain is not None:
            self.next_in_chain.on_attached()

    def on_detached(self) -> None:
        """The session stopped using it."""
        if self.next_in_chain is not None:
            self.next_in_chain.on_detached()

    async def aclose(self) -> None:
        """Stop playing and free the device."""
        if self.next_in_chain is not None:
            await self.next_in_chain.aclose()

    def on_playback_started(self, *, created_at: float, at: float | None = None) -> None:
        """The first sample of a segment is heard since `created_at` (see `PlaybackStartedEvent`)."""
        self.emit("playback_started", PlaybackStartedEvent(created_at, at))

    def on_playback_progressed(self, *, started_at: float, offset: float, duration: float) -> None:
        """A stretch of the current segment was heard (see `PlaybackProgressedEvent`); an output need not tell."""
        self.emit("playback_progressed", PlaybackProgressedEvent(started_at, offset, duration))

    def on_playback_finished(
        self, *, playback_position: float, interrupted: bool, synchronized_transcript: str | None = None
    ) -> None:
        """A segment is over (see `PlaybackFinishedEvent`)."""
        self.__last = PlaybackFinishedEvent(playback_position, interrupted, synchronized_transcript)
        self.__finished += 1
        self.__capturing = self.__capturing and not interrupted
        waiting, self.__waiting = self.__waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)
        self.emit("playback_finished", self.__last)

    @property
    def captured_playout_segments(self) -> int:
        """How many segments were begun with `capture_frame`."""
        return self.__captured

    async def wait_for_playout(self) -> PlaybackFinishedEvent:
        """Wait until the segments that were captured so far are over. Returns the end of the last one."""
        target = self.__captured
        while self.__finished < target:
            waiter = asyncio.get_running_loop().create_future()
            self.__waiting.append(waiter)
            await waiter
        return self.__last


class TextOutput(ABC):
    """Takes the transcript of the agent's speech, as it is heard."""

    def __init__(self, *, label: str, next_in_chain: TextOutput | None = None) -> None:
        self.__label, self.__next = label, next_in_chain

    @property
    def label(self) -> str:
        """Name for people."""
        return self.__label

    @property
    def next_in_chain(self) -> TextOutput | None:
        """What it is a layer over."""
        return self.__next

    @abstractmethod
    async def capture_text(self, text: str) -> None:
        """The next words."""

    @abstractmethod
    def flush(self) -> None:
        """The segment is over."""

    def on_attached(self) -> None:
        """A session starts to use it."""
        if self.next_in_chain is not None:
            self.next_in_chain.on_attached()

    def on_detached(self) -> None:
        """The session stopped using it."""
        if self.next_in_chain is not None:
            self.next_in_chain.on_detached()
