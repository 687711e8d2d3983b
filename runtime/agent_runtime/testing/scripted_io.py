"""Scripted ends of a session: a microphone that only keeps time, a speaker that plays by the clock."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from livekit.rtc import AudioFrame

from agent_runtime.clock import Clock, LoopClock, TimerHandle
from agent_runtime.io import (
    AudioInput,
    AudioOutput,
    AudioOutputCapabilities,
    TextOutput,
)


class ScriptedAudioInput(AudioInput):
    """Frames of silence, `interval` seconds apart and that long: the script is in the STT and the VAD.

    `latency` is that of the device, as it tells it: seconds from the air to the frame.
    """

    def __init__(self, *, interval: float = 0.05, sample_rate: int = 16000, latency: float = 0.0) -> None:
        super().__init__(label="scripted microphone")
        self._latency = latency
        self._interval = interval
        self._frame = AudioFrame(
            bytes(2 * round(interval * sample_rate)), sample_rate, 1, round(interval * sample_rate)
        )
        self._next: float | None = None
        self._closed = False

    @property
    def latency(self) -> float:
        """What was given."""
        return self._latency

    async def __anext__(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        if self._closed:
            raise StopAsyncIteration
        if self._next is None:
            self._next = loop.time()
        else:
            self._next += self._interval
            await asyncio.sleep(max(0.0, self._next - loop.time()))
        return self._frame

    def close(self) -> None:
        """No more frames."""
        self._closed = True


@dataclass(slots=True)
class Played:
    """A segment that was played."""

    position: float
    interrupted: bool
    at: float
    """Loop time of its end."""


@dataclass(slots=True)
class _Playing:
    pushed: float = 0.0
    played: float = 0.0
    since: float | None = None
    """When it last began to run; None while it doesn't."""
    started: bool = False
    flushed: bool = False


class ScriptedAudioOutput(AudioOutput):
    """Plays in the clock's time, without sound; `played` lists what it played.

    Args:
        can_pause: whether it can hold still.
        clock: unset, the running loop's.
        latency: seconds from the first frame to the first audible sample.
    """

    def __init__(self, *, can_pause: bool = True, clock: Clock | None = None, latency: float = 0.0) -> None:
        super().__init__(label="scripted speaker", capabilities=AudioOutputCapabilities(pause=can_pause))
        self._clock = clock or LoopClock()
        self._latency = latency
        self._segments: deque[_Playing] = deque()
        self._paused = False
        self._timer: TimerHandle | None = None
        self.played: list[Played] = []

    async def capture_frame(self, frame: AudioFrame) -> None:
        """Take a frame; this speaker's queue is endless."""
        await super().capture_frame(frame)
        if not self._segments or self._segments[-1].flushed:
            self._segments.append(_Playing())
        self._segments[-1].pushed += frame.samples_per_channel / frame.sample_rate
        self._run()

    def flush(self) -> None:
        """The segment is complete."""
        super().flush()
        if self._segments and not self._segments[-1].flushed:
            self._segments[-1].flushed = True
            self._run()

    def clear_buffer(self) -> None:
        """Cut everything."""
        self._cancel()
        while self._segments:
            segment = self._segments[0]
            position = min(self._position(segment), segment.pushed)
            self._segments.popleft()
            self._end(position, interrupted=True)

    def pause(self) -> None:
        """Hold still."""
        if self._paused:
            return
        self._paused = True
        self._cancel()
        if self._segments:
            segment = self._segments[0]
            segment.played, segment.since = self._position(segment), None

    def resume(self) -> None:
        """Go on."""
        if self._paused:
            self._paused = False
            self._run()

    @property
    def playback_position(self) -> float:
        """Seconds of the current segment."""
        return min(self._position(self._segments[0]), self._segments[0].pushed) if self._segments else 0.0

    def _position(self, segment: _Playing) -> float:
        if segment.since is None:
            return segment.played
        return segment.played + max(0.0, self._clock.now() - segment.since)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run(self) -> None:
        if self._paused or not self._segments:
            return
        segment = self._segments[0]
        now = self._clock.now()
        if segment.since is None:
            segment.since = now + (0.0 if segment.started else self._latency)
        self._cancel()
        if not segment.started:
            if segment.since <= now:
                segment.started = True
                self.on_playback_started(created_at=self._clock.wall(), at=now)
            else:
                self._timer = self._clock.call_at(segment.since, self._run)
                return
        if segment.flushed:
            end = segment.since + segment.pushed - segment.played
            if end <= now + 1e-9:
                self._segments.popleft()
                self._end(segment.pushed, interrupted=False)
                self._run()
            else:
                self._timer = self._clock.call_at(end, self._run)

    def _end(self, position: float, *, interrupted: bool) -> None:
        position = round(position, 6)
        self.played.append(Played(position, interrupted, self._clock.now()))
        self.on_playback_finished(playback_position=position, interrupted=interrupted)


class ScriptedTextOutput(TextOutput):
    """Collects what it is given."""

    def __init__(self) -> None:
        super().__init__(label="scripted transcript")
        self.text = ""

    async def capture_text(self, text: str) -> None:
        """Add it."""
        self.text += text

    def flush(self) -> None:
        """Nothing to do."""
