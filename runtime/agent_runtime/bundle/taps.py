"""Microphone and speaker with somebody who writes down what passes through them; they are not changed by it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from agent_runtime.clock import Clock, TimerHandle
from agent_runtime.io import AudioInput, AudioOutput
from agent_runtime.media.frames import to_array
from agent_runtime.media.mix import to_mono

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame

TICK: Final = 0.1
"""Seconds between two looks at how far the speaker has got."""

Heard: TypeAlias = Callable[[float, NDArray[np.int16], int], None]
"""Gets sound: the clock's time at its end, `int16[samples]`, and their rate in Hz."""


class TappedInput(AudioInput):
    """An input as it is; `heard` gets each of its frames."""

    def __init__(self, source: AudioInput, heard: Heard, clock: Clock) -> None:
        super().__init__(label=source.label, source=source)
        self._source = source
        self._heard = heard
        self._clock = clock

    async def __anext__(self) -> AudioFrame:
        frame = await self._source.__anext__()
        self._heard(self._clock.now() - self._source.latency, to_mono(to_array(frame)), frame.sample_rate)
        return frame


class _Segment:
    """The sound of a segment that wasn't heard yet."""

    def __init__(self) -> None:
        self.complete = False
        self.taken = 0.0
        """Seconds of it that were heard."""
        self._chunks: deque[tuple[NDArray[np.int16], int]] = deque()

    def add(self, samples: NDArray[np.int16], rate: int) -> None:
        self._chunks.append((samples, rate))

    def take(self, position: float) -> list[tuple[NDArray[np.int16], int]]:
        """What lies between what was taken before and `position`."""
        found = []
        while self._chunks:
            samples, rate = self._chunks[0]
            count = min(len(samples), round((position - self.taken) * rate))
            if count <= 0:
                break
            self._chunks.popleft()
            if count < len(samples):
                self._chunks.appendleft((samples[count:], rate))
            found.append((samples[:count], rate))
            self.taken += count / rate
        return found


class TappedOutput(AudioOutput):
    """An output as it is; `heard` gets of each segment what was played of it, as it is played.

    The background under the speech is not among it.
    """

    def __init__(self, sink: AudioOutput, heard: Heard, clock: Clock) -> None:
        super().__init__(
            label=sink.label, capabilities=sink.capabilities, next_in_chain=sink, sample_rate=sink.sample_rate
        )
        self._heard = heard
        self._clock = clock
        self._segments: deque[_Segment] = deque()
        self._looked_at = 0.0
        self._timer: TimerHandle | None = None

    @property
    def _sink(self) -> AudioOutput:
        sink = self.next_in_chain
        assert sink is not None
        return sink

    async def capture_frame(self, frame: AudioFrame) -> None:
        """See `AudioOutput.capture_frame`."""
        await super().capture_frame(frame)
        if not self._segments or self._segments[-1].complete:
            self._segments.append(_Segment())
        self._segments[-1].add(to_mono(to_array(frame)).copy(), frame.sample_rate)
        await self._sink.capture_frame(frame)

    def flush(self) -> None:
        """See `AudioOutput.flush`."""
        super().flush()
        if self._segments:
            self._segments[-1].complete = True
        self._sink.flush()

    def clear_buffer(self) -> None:
        """See `AudioOutput.clear_buffer`."""
        self._sink.clear_buffer()

    def pause(self) -> None:
        """See `AudioOutput.pause`."""
        self._look()
        super().pause()

    async def aclose(self) -> None:
        """See `AudioOutput.aclose`."""
        self._stop_looking()
        await super().aclose()

    def on_playback_started(self, *, created_at: float, at: float | None = None) -> None:
        """See `AudioOutput.on_playback_started`."""
        began = self._clock.now() if at is None else at
        # Nothing, at that moment: what follows begins there, to the sample.
        self._heard(began, np.zeros(0, np.int16), 0)
        self._looked_at = began
        self._look_again()
        super().on_playback_started(created_at=created_at, at=at)

    def on_playback_finished(
        self, *, playback_position: float, interrupted: bool, synchronized_transcript: str | None = None
    ) -> None:
        """See `AudioOutput.on_playback_finished`."""
        self._stop_looking()
        if self._segments:
            segment = self._segments.popleft()
            # The news may be late, the end of the sound was not; a cut is told as it is made.
            rest = playback_position - segment.taken
            now = self._clock.now()
            end = now if interrupted else min(now, self._looked_at + rest)
            self._pass_on(segment, playback_position, end)
        super().on_playback_finished(
            playback_position=playback_position,
            interrupted=interrupted,
            synchronized_transcript=synchronized_transcript,
        )

    def _look(self) -> None:
        position = self._sink.playback_position
        if self._segments and self._timer is not None and position is not None:
            self._looked_at = self._clock.now()
            self._pass_on(self._segments[0], position, self._looked_at)

    def _look_again(self) -> None:
        self._timer = self._clock.call_at(self._clock.now() + TICK, self._tick)

    def _tick(self) -> None:
        self._look()
        self._look_again()

    def _stop_looking(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _pass_on(self, segment: _Segment, position: float, end: float) -> None:
        found = segment.take(position)
        left = sum(len(samples) / rate for samples, rate in found)
        for samples, rate in found:
            left -= len(samples) / rate
            self._heard(end - left, samples, rate)
