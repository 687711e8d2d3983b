"""The agent's voice as a track of the room."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from math import floor
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np
from livekit import rtc
from numpy.typing import NDArray

from agent_runtime.clock import Clock
from agent_runtime.devices.playout import SegmentedOutput
from agent_runtime.media.frames import frame_from_array
from agent_runtime.room.options import AudioOutputOptions
from agent_runtime.types import is_given

if TYPE_CHECKING:
    from agent_runtime.clock import TimerHandle

logger = logging.getLogger(__name__)

TRACK_NAME: Final = "roomio_audio"
STEP: Final = 0.02
"""Seconds that are sent at a time."""
LEAD: Final = 0.06
"""Seconds that the SDK has before they are due: what survives a loop that is busy for so long."""
SUBSCRIPTION_TIMEOUT: Final = 5.0
"""Seconds for which speech waits for somebody who is there to subscribe to the track."""
_SOURCE_QUEUE_MS: Final = 200
_UNIT: Final = 0.01
"""The SDK sends 10 ms at a time and keeps what is left over to itself."""


class Source(Protocol):
    """What takes samples to the track; `livekit.rtc.AudioSource` is one."""

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Queue a frame."""

    def clear_queue(self) -> None:
        """Forget what is queued."""

    async def aclose(self) -> None:
        """Be of no more use."""


class _Sent(NamedTuple):
    """A stretch that went to the track."""

    heard_at: float
    start: int
    length: int


class TrackSink:
    """A `Sink` that hands samples to a track as they are due, and so knows what has gone out when it is stopped.

    It holds still from the beginning; `resume` lets it go.

    Args:
        source: takes the samples.
        clock: says when they are due.
        sample_rate: Hz.
        channels: each gets the same.
    """

    def __init__(self, source: Source, *, clock: Clock, sample_rate: int, channels: int = 1) -> None:
        self._source = source
        self._clock = clock
        self._rate = sample_rate
        self._channels = channels
        self._unit = round(_UNIT * sample_rate)
        self._buffer = np.zeros(0, np.int16)
        self._base = 0  # index of the buffer's first sample
        self._sent = 0  # index up to which samples were handed over
        self._complete = 0  # index up to which nothing more belongs to what is there
        self._dry_at = 0.0  # when the source has sent all that it has
        self._history: deque[_Sent] = deque(maxlen=256)
        self._held = True
        self._paused = False
        self._timer: TimerHandle | None = None
        self._frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()
        self._sender = asyncio.create_task(self._send(), name="send audio")
        self._sender.add_done_callback(_report)

    @property
    def sample_rate(self) -> int:
        """See `Sink.sample_rate`."""
        return self._rate

    @property
    def written(self) -> int:
        """See `Sink.written`."""
        return self._base + len(self._buffer)

    @property
    def queued(self) -> int:
        """See `Sink.queued`."""
        return self.written - self._sent

    def write(self, samples: NDArray[np.int16]) -> None:
        """See `Sink.write`."""
        self._buffer = np.concatenate((self._buffer, samples))
        self._pump()

    def flush(self) -> None:
        """See `Sink.flush`. The last frame is filled up with silence."""
        self._complete = self.written
        self._pump()

    def heard(self, now: float) -> int:
        """See `Sink.heard`: up to where the track has sent it."""
        for stretch in reversed(self._history):
            if stretch.heard_at <= now:
                return min(stretch.start + stretch.length, self._at(stretch, now))
        return self._history[0].start if self._history else self._sent

    def time_of(self, index: int) -> float | None:
        """See `Sink.time_of`."""
        for stretch in reversed(self._history):
            if stretch.start <= index < stretch.start + stretch.length:
                return stretch.heard_at + (index - stretch.start) / self._rate
        return self._history[0].heard_at if self._history and index < self._history[0].start else None

    def clear(self) -> None:
        """See `Sink.clear`."""
        self._recall(self._clock.now())
        self._base = self.written
        self._buffer = self._buffer[:0]
        self._sent = self._complete = self._base

    def pause(self) -> None:
        """See `Sink.pause`. What the track has and hasn't sent is taken back."""
        self._paused = True
        self._sent = self._recall(self._clock.now())

    def resume(self) -> None:
        """See `Sink.resume`."""
        self._paused = False
        self._pump()

    def release(self) -> None:
        """There is somebody to hear it now."""
        self._held = False
        self._pump()

    async def aclose(self) -> None:
        """Send no more."""
        self._cancel_timer()
        self._held = True
        self._sender.cancel()
        await asyncio.wait([self._sender])
        await self._source.aclose()

    def _at(self, stretch: _Sent, now: float) -> int:
        return stretch.start + floor((now - stretch.heard_at) * self._rate + 1e-6)

    def _recall(self, now: float) -> int:
        """Take back what isn't out yet; the index up to which it is."""
        self._cancel_timer()
        out = self.heard(now)
        while not self._frames.empty():
            self._frames.get_nowait()
        if self._sent > out:
            self._source.clear_queue()
        while self._history and self._history[-1].start >= out:
            self._history.pop()
        if self._history:
            last = self._history.pop()
            self._history.append(last._replace(length=min(last.length, out - last.start)))
        self._dry_at = now
        return out

    def _pump(self) -> None:
        """Hand over what is due within `LEAD`, and come back when more is."""
        if self._held or self._paused:
            return
        self._cancel_timer()
        now = self._clock.now()
        while self._dry_at - now < LEAD - 1e-6 and (count := self._ready()):
            start = max(now, self._dry_at)
            self._frames.put_nowait(self._frame(count))
            self._history.append(_Sent(start, self._sent, count))
            self._sent += count
            self._dry_at = start + count / self._rate
        self._forget()
        if self._ready():
            self._timer = self._clock.call_at(self._dry_at - LEAD + STEP, self._pump)

    def _ready(self) -> int:
        """Samples of the next frame; 0 while there aren't enough."""
        count = min(self.queued, round(STEP * self._rate))
        if self._complete > self._sent:
            return min(count, self._complete - self._sent)
        return count - count % self._unit

    def _frame(self, count: int) -> rtc.AudioFrame:
        begin = self._sent - self._base
        samples = self._buffer[begin : begin + count]
        if missing := -count % self._unit:
            samples = np.concatenate((samples, np.zeros(missing, np.int16)))
        if self._channels > 1:
            samples = samples[:, np.newaxis].repeat(self._channels, axis=1)
        return frame_from_array(samples, self._rate)

    def _forget(self) -> None:
        """Keep of what was handed over only what may be taken back."""
        keep = self._sent - round(2 * LEAD * self._rate)
        if keep > self._base:
            self._buffer = self._buffer[keep - self._base :]
            self._base = keep

    async def _send(self) -> None:
        while True:
            await self._source.capture_frame(await self._frames.get())

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class RoomAudioOutput(SegmentedOutput):
    """Speaks into a room. What is said before `publish` has found a listener waits.

    Args:
        room: the room.
        options: rate, number of channels, name and kind of the track.
        clock: the clock of the loop.
    """

    def __init__(self, room: rtc.Room, options: AudioOutputOptions, *, clock: Clock) -> None:
        self._room = room
        self._options = options
        self._rtc_source = rtc.AudioSource(options.sample_rate, options.num_channels, queue_size_ms=_SOURCE_QUEUE_MS)
        self._track_sink = TrackSink(
            self._rtc_source, clock=clock, sample_rate=options.sample_rate, channels=options.num_channels
        )
        self._publication: rtc.LocalTrackPublication | None = None
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once somebody hears it."""
        super().__init__(self._track_sink, clock=clock, label="room")

    @property
    def track_sid(self) -> str | None:
        """The track, once it is published."""
        return None if self._publication is None else self._publication.sid

    async def publish(self) -> None:
        """Publish the track, once the room is connected, and speak when a participant has subscribed to it."""
        if self._publication is None:
            options = self._options
            name = options.track_name if is_given(options.track_name) else TRACK_NAME
            track = rtc.LocalAudioTrack.create_audio_track(name, self._rtc_source)
            self._publication = await self._room.local_participant.publish_track(track, options.track_publish_options)
        try:
            async with asyncio.timeout(SUBSCRIPTION_TIMEOUT):
                await self._publication.wait_for_subscription()
        except TimeoutError:
            logger.warning("nobody subscribed to the agent's track within %s s: it speaks anyway", SUBSCRIPTION_TIMEOUT)
        if not self.subscribed.done():
            self.subscribed.set_result(None)
        self._track_sink.release()

    async def aclose(self) -> None:
        """Fall silent and take the track back."""
        await super().aclose()
        await self._track_sink.aclose()
        publication, self._publication = self._publication, None
        if publication is not None and self._room.isconnected():
            try:
                await self._room.local_participant.unpublish_track(publication.sid)
            except rtc.participant.UnpublishTrackError as exc:
                logger.debug("the track was gone already: %s", exc)
        self.subscribed.cancel()


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("the agent's voice can't be sent", exc_info=error)
