"""Segments of speech on their way to a listener: which began, how far they got, which are over.

An output is a *sink*, which takes samples and knows when each is heard (a device, a file, nothing at all), and
`SegmentedOutput`, which keeps the promises of `AudioOutput` with it. Everything is counted in samples ever written to
the sink, so positions never drift and a queue that runs dry moves nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from agent_runtime.clock import Clock, TimerHandle
from agent_runtime.io import AudioOutput, AudioOutputCapabilities
from agent_runtime.media.frames import to_array
from agent_runtime.media.mix import to_mono
from agent_runtime.media.resample import Resampler

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame


_INSTANT = 1e-6
"""Seconds that are no time: a loop may run a timer a hair before its time, and asking it again would spin."""


class Sink(Protocol):
    """Where samples are played, mono, one after the other. Used from the session's loop only."""

    @property
    def sample_rate(self) -> int:
        """Hz of what it takes. It doesn't change while samples are queued."""
        ...

    @property
    def written(self) -> int:
        """Samples ever written."""
        ...

    @property
    def queued(self) -> int:
        """Samples written that aren't on their way out yet."""
        ...

    def write(self, samples: NDArray[np.int16]) -> None:
        """Queue `int16[samples]`."""

    def flush(self) -> None:
        """A segment is complete: nothing of it may stay behind in a filter."""

    def heard(self, now: float) -> int:
        """Index, counted in samples ever written, up to which all that will be heard has been heard at `now`."""
        ...

    def time_of(self, index: int) -> float | None:
        """When sample `index` is heard, in the clock's seconds; None as long as it can't be told."""
        ...

    def clear(self) -> None:
        """Fall silent; forget what is queued, without a click."""

    def pause(self) -> None:
        """Fall silent and keep what is queued."""

    def resume(self) -> None:
        """Go on where `pause` stopped."""


@dataclass(slots=True)
class _Segment:
    start: int
    end: int | None = None
    """Index after its last sample; None while more may come."""
    started: bool = False


class SegmentedOutput(AudioOutput):
    """Plays segments through a sink and reports each one exactly once, by the sink's own times.

    Args:
        sink: what plays the samples.
        clock: times are read from it and timers set on it.
        label: name for people.
        ahead: seconds that may be queued before `capture_frame` waits.
    """

    def __init__(self, sink: Sink, *, clock: Clock, label: str, ahead: float = 0.3) -> None:
        super().__init__(label=label, capabilities=AudioOutputCapabilities(pause=True))
        self._sink = sink
        self._clock = clock
        self._ahead = ahead
        self._segments: deque[_Segment] = deque()
        self._resampler: Resampler | None = None
        self._cuts = 0
        self._paused = False
        self._closed = False
        self._timer: TimerHandle | None = None
        self._waiters: set[asyncio.Future[None]] = set()

    async def capture_frame(self, frame: AudioFrame) -> None:
        """See `AudioOutput.capture_frame`. Any rate and number of channels. What is cut while it waits is dropped."""
        await super().capture_frame(frame)
        cuts = self._cuts
        samples = self._convert(frame)
        if self._open_segment() is None and not self._closed:
            self._segments.append(_Segment(self._sink.written))
        while len(samples) and cuts == self._cuts and not self._closed:
            room = round(self._ahead * self._sink.sample_rate) - self._sink.queued
            if room > 0:
                self._sink.write(samples[:room])
                samples = samples[room:]
                self._check()
            else:
                # Half of the queue at a time: few wake-ups, and still far from running dry.
                needed = min(len(samples), round(self._ahead * self._sink.sample_rate / 2)) - room
                await self._wait(max(1, needed) / self._sink.sample_rate)

    def flush(self) -> None:
        """See `AudioOutput.flush`."""
        super().flush()
        segment = self._open_segment()
        if segment is None:
            return
        if self._resampler is not None:
            self._sink.write(self._resampler.flush())
        self._sink.flush()
        segment.end = self._sink.written
        self._check()

    def clear_buffer(self) -> None:
        """See `AudioOutput.clear_buffer`."""
        self._cuts += 1
        self._check()  # what was over before the cut was not interrupted
        heard = self._sink.heard(self._clock.now())
        cut, self._segments = self._segments, deque()
        self._cancel_timer()
        self._sink.clear()
        if self._resampler is not None:
            self._resampler.reset()
        self._wake()
        for segment in cut:
            self._finish(segment, heard, interrupted=True)

    def pause(self) -> None:
        """See `AudioOutput.pause`."""
        if not self._paused:
            self._paused = True
            self._sink.pause()
            self._check()

    def resume(self) -> None:
        """See `AudioOutput.resume`."""
        if self._paused:
            self._paused = False
            self._sink.resume()
            self._wake()
            self._check()

    @property
    def playback_position(self) -> float:
        """Seconds of the segment that is being heard; 0.0 between segments."""
        if not self._segments:
            return 0.0
        return self._position(self._segments[0], self._sink.heard(self._clock.now()))

    def on_detached(self) -> None:
        """The session stopped using it: what is queued is cut."""
        self.clear_buffer()

    async def aclose(self) -> None:
        """Cut what is queued. Frames that are captured later are dropped."""
        self.clear_buffer()
        self._closed = True

    def _convert(self, frame: AudioFrame) -> NDArray[np.int16]:
        samples = to_mono(to_array(frame))
        resampler = self._resampler
        if resampler is not None and resampler.in_rate == frame.sample_rate:
            return resampler.push(samples)
        self._resampler = Resampler(frame.sample_rate, self._sink.sample_rate)
        head = resampler.flush() if resampler is not None else samples[:0]
        return np.concatenate((head, self._resampler.push(samples)))

    def _open_segment(self) -> _Segment | None:
        last = self._segments[-1] if self._segments else None
        return last if last is not None and last.end is None else None

    def _check(self) -> None:
        """Report what has been reached by now and look again when the next thing is due."""
        self._cancel_timer()
        while self._segments:
            segment = self._segments[0]
            if segment.end == segment.start:
                self._segments.popleft()
                self._finish(segment, segment.start, interrupted=False)
                continue
            mark = segment.end if segment.started else segment.start
            if mark is None or (not segment.started and self._sink.written == mark):
                return  # waits for frames or for the flush
            at = self._reached_at(segment)
            now = self._clock.now()
            if at is None or at > now + _INSTANT:
                self._look_again(mark, at, now)
                return
            if segment.started:
                self._segments.popleft()
                self._finish(segment, mark, interrupted=False)
            else:
                segment.started = True
                self._tell_started(at)

    def _reached_at(self, segment: _Segment) -> float | None:
        if not segment.started:
            return self._sink.time_of(segment.start)
        # The end is when the last sample ends: the sample after it may come much later, or never.
        last = self._sink.time_of((segment.end or 0) - 1)
        return None if last is None else last + 1 / self._sink.sample_rate

    def _look_again(self, mark: int, at: float | None, now: float) -> None:
        if at is None:
            if self._paused:
                return  # resume looks again
            # The device has yet to take it: when it has, if it takes it without a stop.
            ahead = mark - (self._sink.written - self._sink.queued)
            at = now + max(0.005, ahead / self._sink.sample_rate)
        self._cancel_timer()
        self._timer = self._clock.call_at(at, self._check)

    def _finish(self, segment: _Segment, heard: int, *, interrupted: bool) -> None:
        if not segment.started and heard > segment.start:
            segment.started = True
            at = self._sink.time_of(segment.start)
            self._tell_started(self._clock.now() if at is None else at)
        self.on_playback_finished(playback_position=self._position(segment, heard), interrupted=interrupted)

    def _tell_started(self, at: float) -> None:
        self.on_playback_started(created_at=self._clock.wall() - (self._clock.now() - at), at=at)

    def _position(self, segment: _Segment, heard: int) -> float:
        end = self._sink.written if segment.end is None else segment.end
        return max(0, min(heard, end) - segment.start) / self._sink.sample_rate

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _wait(self, seconds: float) -> None:
        """For `seconds` (while it is paused: without an end), or until something is cut or goes on."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        timer = None if self._paused else self._clock.call_at(self._clock.now() + seconds, lambda: _settle(waiter))
        try:
            await waiter
        finally:
            if timer is not None:
                timer.cancel()
            self._waiters.discard(waiter)

    def _wake(self) -> None:
        for waiter in self._waiters:
            _settle(waiter)


def _settle(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
