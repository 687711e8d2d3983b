"""Segments of the agent's speech on their way through the audio output, and the words heard of each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakSet

from agent_runtime.clock import Clock, TimerHandle
from agent_runtime.io import AudioOutput, PlaybackFinishedEvent, PlaybackStartedEvent
from agent_runtime.types import USERDATA_TIMED_TRANSCRIPT
from agent_runtime.voice.transcript_sync import HeardText, Pace

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame


LONGEST_DELAY = 5.0
"""Seconds that the news of a segment's start may take. If it seems to take longer, two clocks disagree."""


class Segment:
    """One uninterrupted stretch of speech. `finished` always comes, even if nothing was ever heard."""

    def __init__(self, playout: Playout, pace: Pace, *, word_times: bool) -> None:
        self._playout = playout
        self._word_times = word_times
        self.text = HeardText(pace)
        self.started_at: float | None = None
        """When its first sample was heard, on the session's clock."""
        self.finished: asyncio.Future[PlaybackFinishedEvent] = asyncio.get_running_loop().create_future()
        self.on_started: Callable[[float], None] | None = None
        """Called once, when its first sample is heard."""
        self.on_finished: Callable[[PlaybackFinishedEvent], None] | None = None
        """Called once, when it is over, if anything of it reached the output."""
        self.on_heard: Callable[[str, float], None] | None = None
        """Called with the words heard so far and the position, each time another word is over."""
        self.on_unheard: Callable[[], None] | None = None
        """Called once, when the output goes away before it got any of it."""
        self.held_still = 0.0
        """Seconds for which it was paused, as far as they are over."""
        self.captured = False
        """Whether the output got audio of it."""
        self.closed = False
        self._recent: deque[tuple[float, AudioFrame]] = deque()
        """Where each frame that may still be audible begins."""

    def level(self, position: float) -> float:
        """How loud it is there, RMS in dBFS."""
        from agent_runtime.media.frames import to_array
        from agent_runtime.media.levels import SILENCE, measure

        while len(self._recent) > 1 and self._recent[1][0] <= position:
            self._recent.popleft()
        return measure(to_array(self._recent[0][1])).rms if self._recent else SILENCE

    @property
    def heard(self) -> str:
        """The words that reached the listener, once it is finished."""
        event = self.finished.result()
        if not self.captured:
            return ""
        if event.synchronized_transcript is not None:
            return event.synchronized_transcript
        return self.text.heard(event.playback_position) if event.interrupted else self.text.text

    async def push(self, frame: AudioFrame) -> None:
        """Play a frame after those before it. What comes after the segment was cut is dropped."""
        output = self._playout.output
        if self.closed or output is None:
            return
        if not self.captured:
            self.captured = True
            self._playout._waiting.discard(self)
            self._playout._in_flight.append(self)
        if self._playout.wants_level():
            self._recent.append((self.text.audio, frame))
        self.text.add_audio(frame.samples_per_channel / frame.sample_rate)
        if self._word_times and (words := frame.userdata.get(USERDATA_TIMED_TRANSCRIPT)):
            self.text.add_timed(words)
        await output.capture_frame(frame)

    def end(self) -> None:
        """All its audio was pushed."""
        if self.closed:
            return
        self.closed = True
        self._playout._waiting.discard(self)
        self.text.end_audio()
        if not self.captured:
            self.finished.set_result(PlaybackFinishedEvent(0.0, interrupted=False))
        elif self._playout.output is not None:
            self._playout.output.flush()
        self._playout._watch_words()


class Playout:
    """The session's way to its audio output, whichever that is at the moment."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.output: AudioOutput | None = None
        self._in_flight: deque[Segment] = deque()
        self._waiting: WeakSet[Segment] = WeakSet()
        """Those whose sound is yet to come."""
        self._word_timer: TimerHandle | None = None
        self._paused = False
        self._paused_at = 0.0
        self._paces: dict[object, Pace] = {}
        self.wants_words: Callable[[], bool] = lambda: True
        """Whether anybody wants to know of words as they are heard."""
        self.wants_level: Callable[[], bool] = lambda: False
        """Whether anybody wants to know how loud it is."""

    @property
    def level(self) -> float:
        """How loud the agent is at this moment, RMS in dBFS. Known only while `wants_level` says so."""
        from agent_runtime.media.levels import SILENCE

        if not self._in_flight or self._paused or self.output is None or self._in_flight[0].started_at is None:
            return SILENCE
        return self._in_flight[0].level(self.position)

    @property
    def position(self) -> float:
        """Seconds of the segment that plays heard so far: the output's own figure, else counted from its start."""
        if self.output is None:
            return 0.0
        told = self.output.playback_position
        if told is not None or not self._in_flight:
            return told or 0.0
        segment = self._in_flight[0]
        if segment.started_at is None:
            return 0.0
        until = self._paused_at if self._paused else self._clock.now()
        return max(0.0, min(until - segment.started_at - segment.held_still, segment.text.audio))

    def set_output(self, output: AudioOutput | None) -> None:
        """Use another output. What plays on the old one counts as interrupted where it is."""
        if output is self.output:
            return
        if self.output is not None:
            self.stop()
            position = self.position
            while self._in_flight:
                self._finish(PlaybackFinishedEvent(position, interrupted=True))
                position = 0.0
            self.output.off("playback_started", self._started)
            self.output.off("playback_finished", self._finish)
        self.output = output
        if output is not None:
            output.on("playback_started", self._started)
            output.on("playback_finished", self._finish)
            return
        for segment in [*self._waiting]:
            if segment.on_unheard is not None:
                segment.on_unheard()

    def open(self, voice: object = None, *, word_times: bool = True) -> Segment:
        """Begin a segment. `voice` tells voices apart, whose pace is learned; `word_times`: frames tell of words."""
        segment = Segment(self, self._paces.setdefault(voice, Pace()), word_times=word_times)
        self._waiting.add(segment)
        return segment

    def pause(self) -> None:
        """Hold still."""
        if self.output is not None and not self._paused:
            self._paused, self._paused_at = True, self._clock.now()
            self._cancel_word_timer()
            self._tell_words()
            self.output.pause()

    def resume(self) -> None:
        """Go on."""
        if self.output is not None and self._paused:
            self._go_on()
            self.output.resume()
            self._watch_words()

    def stop(self) -> None:
        """Silence now; what is in flight finishes as interrupted."""
        if self.output is None:
            return
        for segment in self._in_flight:
            segment.closed = True
        self._cancel_word_timer()
        self.output.clear_buffer()
        if self._paused:
            self._go_on()
            self.output.resume()

    def _go_on(self) -> None:
        self._paused = False
        if self._in_flight:
            segment, now = self._in_flight[0], self._clock.now()
            if segment.started_at is not None:
                segment.held_still += now - max(self._paused_at, segment.started_at)

    def _started(self, event: PlaybackStartedEvent) -> None:
        for segment in self._in_flight:
            if segment.started_at is None:
                segment.started_at = self._time_of(event)
                if segment.on_started is not None:
                    segment.on_started(segment.started_at)
                break
        self._watch_words()

    def _time_of(self, event: PlaybackStartedEvent) -> float:
        if event.at is not None:
            return event.at
        # An output of somebody else's making tells the time of day, which may have been set meanwhile.
        ago = self._clock.wall() - event.created_at
        return self._clock.now() - (ago if 0.0 < ago < LONGEST_DELAY else 0.0)

    def _finish(self, event: PlaybackFinishedEvent) -> None:
        if not self._in_flight:
            return
        segment = self._in_flight.popleft()
        segment.closed = True
        self._cancel_word_timer()
        if not segment.finished.done():
            segment.finished.set_result(event)
        if segment.on_heard is not None and self.wants_words():
            segment.on_heard(segment.heard, event.playback_position)
        if segment.on_finished is not None:
            segment.on_finished(event)
        self._watch_words()

    # --- words as they are heard -------------------------------------------------------------------------------------

    def _cancel_word_timer(self) -> None:
        if self._word_timer is not None:
            self._word_timer.cancel()
            self._word_timer = None

    def _watch_words(self) -> None:
        if self._word_timer is not None or self._paused or not self._in_flight or self.output is None:
            return
        segment = self._in_flight[0]
        if segment.on_heard is None or segment.started_at is None or not self.wants_words():
            return
        position = self.position
        change = segment.text.next_change(position)
        # With no word known ahead, look again when the audio so far is over: more text may have come.
        wait = change - position if change is not None else max(0.1, segment.text.audio - position)
        if change is None and segment.closed:
            return
        self._word_timer = self._clock.call_at(self._clock.now() + max(0.0, wait), self._word_is_due)

    def _word_is_due(self) -> None:
        self._word_timer = None
        self._tell_words()
        self._watch_words()

    def _tell_words(self) -> None:
        if not self._in_flight or self.output is None:
            return
        segment = self._in_flight[0]
        if segment.on_heard is None or segment.started_at is None:
            return
        position = self.position
        if heard := segment.text.heard(position):
            segment.on_heard(heard, position)
