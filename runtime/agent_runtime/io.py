"""Where a session's audio and text come from and go to: the interfaces that devices, files and rooms fill in.

Names and meanings are those of `livekit.agents.voice.io`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from livekit.rtc import AudioFrame, VideoFrame
    from numpy.typing import NDArray


class AudioInput(ABC):
    """Frames of the user's speech, in real time, without an end while the session lasts.

    A device that is lost pauses the iteration and goes on when it is back; it does not end or raise.
    """

    def __init__(self, *, label: str) -> None:
        self.label = label

    def __aiter__(self) -> AsyncIterator[AudioFrame]:
        return self

    @abstractmethod
    async def __anext__(self) -> AudioFrame:
        """The next frame. Raises StopAsyncIteration only once the input is closed (a file that ended)."""

    @property
    def latency(self) -> float:
        """Seconds from a sound in the air to the frame that holds its end; what is told of speech is set back by it."""
        return 0.0

    def on_attached(self) -> None:
        """The session starts to read: open the device."""

    def on_detached(self) -> None:
        """The session stops reading: drop what is queued."""


class VideoInput(ABC):
    """Frames of what the user shows: a camera, a screen."""

    def __init__(self, *, label: str) -> None:
        self.label = label

    def __aiter__(self) -> AsyncIterator[VideoFrame]:
        return self

    @abstractmethod
    async def __anext__(self) -> VideoFrame:
        """The next frame. Raises StopAsyncIteration only once the input is closed."""

    def on_attached(self) -> None:
        """The session starts to look: open the device."""

    def on_detached(self) -> None:
        """The session stops looking."""


class VideoOutput(ABC):
    """Takes the agent's picture. The session itself makes none: avatars write to it."""

    def __init__(self, *, label: str) -> None:
        self.label = label

    @abstractmethod
    async def capture_frame(self, frame: VideoFrame) -> None:
        """Show a frame."""

    @abstractmethod
    def flush(self) -> None:
        """What is shown is complete."""

    def on_attached(self) -> None:
        """A session starts to use it."""

    def on_detached(self) -> None:
        """The session stopped using it."""


@dataclass(frozen=True, slots=True)
class PlaybackStartedEvent:
    """The first sample of a segment is being heard."""

    created_at: float
    """Seconds on the session's clock."""


@dataclass(frozen=True, slots=True)
class PlaybackFinishedEvent:
    """A segment is over: played to its end, or cut."""

    playback_position: float
    """Seconds of the segment that were heard, by the device's own position."""
    interrupted: bool
    synchronized_transcript: str | None = None


@dataclass(frozen=True, slots=True)
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


class AudioOutput(ABC):
    """Plays segments of the agent's speech, one after the other.

    A segment is what is captured up to `flush()`. For each segment there is exactly one playback-started call (once its
    first sample is heard; none if nothing was heard) and exactly one playback-finished call, also after
    `clear_buffer()`. The subclass reports them with `_report_started` and `_report_finished`, on the session's loop.
    """

    def __init__(self, *, label: str, capabilities: AudioOutputCapabilities, sample_rate: int | None = None) -> None:
        self.label = label
        self.capabilities = capabilities
        self.sample_rate = sample_rate
        """Hz that it wants; None takes any. Frames of another rate are resampled before they come here."""
        self._on_playback_started: list[Callable[[PlaybackStartedEvent], None]] = []
        self._on_playback_finished: list[Callable[[PlaybackFinishedEvent], None]] = []

    @property
    def can_pause(self) -> bool:
        """Whether `pause` and `resume` do anything."""
        return self.capabilities.pause

    @abstractmethod
    async def capture_frame(self, frame: AudioFrame) -> None:
        """Queue a frame of the current segment; waits while the queue is full (a few hundred milliseconds)."""

    @abstractmethod
    def flush(self) -> None:
        """The current segment has all its frames."""

    @abstractmethod
    def clear_buffer(self) -> None:
        """Stop at once and forget what is queued. The segment finishes as interrupted, at the position heard."""

    def pause(self) -> None:
        """Hold still, keeping what is queued. Only where `can_pause`."""

    def resume(self) -> None:
        """Go on after `pause`."""

    @property
    def playback_position(self) -> float:
        """Seconds of the current segment heard so far, by the device's own position."""
        return 0.0

    def set_background(self, background: Background | None) -> bool:
        """Play it under the speech from now on, in place of the one before. False if this output can't.

        It changes nothing of the speech: neither its positions nor when it starts, pauses and ends.
        """
        return False

    def on_attached(self) -> None:
        """A session starts to use it."""

    def on_detached(self) -> None:
        """The session stopped using it."""

    async def aclose(self) -> None:
        """Stop playing and free the device."""

    def on_playback_started(self, callback: Callable[[PlaybackStartedEvent], None]) -> Callable[[], None]:
        """Be told when a segment starts to be heard. Returns the function that unsubscribes."""
        self._on_playback_started.append(callback)
        return lambda: self._on_playback_started.remove(callback)

    def on_playback_finished(self, callback: Callable[[PlaybackFinishedEvent], None]) -> Callable[[], None]:
        """Be told when a segment is over. Returns the function that unsubscribes."""
        self._on_playback_finished.append(callback)
        return lambda: self._on_playback_finished.remove(callback)

    def _report_started(self, event: PlaybackStartedEvent) -> None:
        for callback in tuple(self._on_playback_started):
            callback(event)

    def _report_finished(self, event: PlaybackFinishedEvent) -> None:
        for callback in tuple(self._on_playback_finished):
            callback(event)


class TextOutput(ABC):
    """Takes the transcript of the agent's speech, as it is heard."""

    def __init__(self, *, label: str) -> None:
        self.label = label

    @abstractmethod
    async def capture_text(self, text: str) -> None:
        """The next words."""

    @abstractmethod
    def flush(self) -> None:
        """The segment is over."""

    def on_attached(self) -> None:
        """A session starts to use it."""

    def on_detached(self) -> None:
        """The session stopped using it."""
