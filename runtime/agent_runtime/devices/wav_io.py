"""Files in place of a microphone and a speaker, in real time by the clock."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agent_runtime.clock import Clock, TimerHandle
from agent_runtime.devices.input import FRAME, LocalInput
from agent_runtime.devices.null_output import ClockSink
from agent_runtime.devices.playout import SegmentedOutput
from agent_runtime.devices.underlay import Underlay
from agent_runtime.events import DeviceChanged, EventData
from agent_runtime.io import Background
from agent_runtime.media.fade import fade_length, fade_out
from agent_runtime.media.framing import Framer
from agent_runtime.media.mix import to_mono
from agent_runtime.media.resample import Resampler
from agent_runtime.media.wav import WavReader, WavWriter


class WavInput(LocalInput):
    """A WAV file of any rate and channels as the microphone: a frame comes when a microphone would have it.

    Args:
        path: the file.
        clock: when frames are due.
        sample_rate: Hz of the frames.
        lead_in: seconds of silence before the file.
        at_end: after the file, go on with silence or end the iteration.
        on_event: is told when the file starts (`DeviceChanged` opened) and when it has ended (closed).
        after: the file waits until this is set.

    Raises:
        MediaError: if it can't be read.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Clock,
        sample_rate: int = 16000,
        lead_in: float = 0.0,
        at_end: Literal["silence", "stop"] = "silence",
        on_event: Callable[[EventData], None] | None = None,
        after: asyncio.Event | None = None,
    ) -> None:
        self._reader = WavReader(path)
        super().__init__(label=self._reader.path.name, sample_rate=sample_rate)
        self._clock = clock
        self._at_end = at_end
        self._on_event = on_event
        self._after = after
        self._resampler = Resampler(self._reader.sample_rate, sample_rate)
        self._framer = Framer(self.frame_size)
        self._ready: deque[NDArray[np.int16]] = deque(
            np.zeros(self.frame_size, np.int16) for _ in range(round(lead_in / FRAME))
        )
        self._exhausted = False
        self._ended = False
        self._started_at: float | None = None
        self._count = 0

    @property
    def duration(self) -> float:
        """Seconds of the file."""
        return self._reader.duration

    @property
    def ended(self) -> bool:
        """Whether the last frame of the file has come out."""
        return self._ended

    def on_detached(self) -> None:
        """The file holds still until it is read again."""
        self._started_at = None

    def close(self) -> None:
        """Close the file; the iteration ends."""
        self._reader.close()
        self._ready.clear()
        self._exhausted, self._at_end = True, "stop"

    async def _next_samples(self) -> NDArray[np.int16]:
        if self._started_at is None:
            if self._after is not None:
                await self._after.wait()
            if self._count == 0:
                self._report("opened")
            self._started_at = self._clock.now() - self._count * FRAME
        samples = self._next_frame()
        self._count += 1
        # A microphone has a frame when its last sample was spoken. Due times are counted from the start: no drift.
        wait = self._started_at + self._count * FRAME - self._clock.now()
        if wait > 0:
            await self._clock.sleep(wait)
        return samples

    def _next_frame(self) -> NDArray[np.int16]:
        while not self._ready and not self._exhausted:
            chunk = to_mono(self._reader.read(round(self._reader.sample_rate * FRAME)))
            if len(chunk):
                self._ready.extend(self._framer.push(self._resampler.push(chunk)))
                continue
            self._exhausted = True
            self._ready.extend(self._framer.push(self._resampler.flush()))
            if (rest := self._framer.flush()) is not None:
                self._ready.append(rest)
            self._reader.close()
        if self._ready:
            return self._ready.popleft()
        if not self._ended:
            self._ended = True
            self._report("closed")
        if self._at_end == "stop":
            raise StopAsyncIteration
        return np.zeros(self.frame_size, np.int16)

    def _report(self, state: Literal["opened", "closed"]) -> None:
        if self._on_event is not None:
            self._on_event(DeviceChanged("input", state, self.label, self._reader.sample_rate, self._reader.channels))


class WavOutput(SegmentedOutput):
    """The agent's speech in a WAV file as it would have been heard: silence where it was silent, cut where it was cut.

    The file starts when the output is made, or at `on_attached`, and holds what was heard up to any moment even if the
    process is killed.

    Args:
        path: the file; what it held is replaced.
        clock: the time by which speech is heard.
        sample_rate: Hz of the file.
        on_event: is told when it is used (`DeviceChanged` opened).

    Raises:
        MediaError: if it can't be written, here or while speech is captured.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Clock,
        sample_rate: int = 24000,
        on_event: Callable[[EventData], None] | None = None,
    ) -> None:
        self._on_event = on_event
        self._file_sink = _WavSink(WavWriter(path, sample_rate), clock)
        super().__init__(self._file_sink, clock=clock, label=os.path.basename(path))
        self.on("playback_finished", lambda _: self._file_sink.save())

    def on_attached(self) -> None:
        """The file's time 0 is now, if nothing was heard before."""
        self._file_sink.begin()
        if self._on_event is not None:
            self._on_event(DeviceChanged("output", "opened", self.label, self._file_sink.sample_rate, 1))

    def set_background(self, background: Background | None) -> bool:
        """See `AudioOutput.set_background`."""
        self._file_sink.set_background(background)
        return True

    async def aclose(self) -> None:
        """Cut what is queued, fill up with silence to now and close the file."""
        await super().aclose()
        self._file_sink.close()


class _WavSink(ClockSink):
    """A clock sink that writes what has been heard to a file, each sample at its time.

    It saves before anything changes the timeline, so what isn't saved yet is always one unbroken stretch. With a
    background it saves every 10 ms, as a device would take its blocks.
    """

    def __init__(self, writer: WavWriter, clock: Clock) -> None:
        super().__init__(clock, writer.sample_rate)
        self._writer = writer
        self._begun_at = clock.now()
        self._queue = np.zeros(0, np.int16)
        self._saved = 0  # index up to which what was heard is in the file
        self._underlay: Underlay | None = None
        self._timer: TimerHandle | None = None
        self._closed = False

    def begin(self) -> None:
        if not self._writer.frames:
            self._begun_at = self._clock.now()

    def write(self, samples: NDArray[np.int16]) -> None:
        self.save()
        super().write(samples)
        self._queue = np.concatenate((self._queue, samples))

    def clear(self) -> None:
        self.save()
        self._put(fade_out(self._queue[: fade_length(self.sample_rate)]))
        self._queue = self._queue[:0]
        super().clear()
        self._saved = self.written

    def pause(self) -> None:
        self.save()
        super().pause()

    def save(self) -> None:
        """Write what has been heard by now."""
        count = self.heard(self._clock.now()) - self._saved
        begins = self.time_of(self._saved)
        if count <= 0 or begins is None:
            return
        self._fill_up_to(begins)
        self._put(self._queue[:count])
        self._queue = self._queue[count:]
        self._saved += count

    def set_background(self, background: Background | None) -> None:
        if self._closed:
            return
        self._save_silence_too()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._underlay = None
        if background is not None:
            self._underlay = Underlay(background, self.sample_rate)
            self._tick()

    def close(self) -> None:
        if not self._closed:
            self._fill_up_to(self._clock.now())
            self.set_background(None)
            self._closed = True
            self._writer.close()

    def _tick(self) -> None:
        self._save_silence_too()
        self._timer = self._clock.call_at(self._clock.now() + FRAME, self._tick)

    def _save_silence_too(self) -> None:
        self.save()
        if self._paused or self._saved == self.written:  # else speech goes on, without a sample between
            self._fill_up_to(self._clock.now())

    def _fill_up_to(self, time: float) -> None:
        # A sample more or less is rounding, not a gap.
        if (gap := round((time - self._begun_at) * self.sample_rate) - self._writer.frames) > 1:
            if self._underlay is None:
                self._writer.write_silence(gap)
            else:
                self._writer.write(self._underlay.mix(np.zeros(gap, np.int16), 0))

    def _put(self, samples: NDArray[np.int16]) -> None:
        if len(samples):
            under = self._underlay
            self._writer.write(samples if under is None else under.mix(samples, len(samples)))
