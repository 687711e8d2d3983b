"""The speaker: a queue of speech between the session's loop and the audio thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import floor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent_runtime.clock import Clock, TimerHandle
from agent_runtime.devices.backend import AudioBackend, DeviceStream, Kind, Wanted
from agent_runtime.devices.echo import Reference
from agent_runtime.devices.playout import SegmentedOutput
from agent_runtime.devices.supervision import DeviceSupervisor, Offload
from agent_runtime.devices.underlay import Underlay
from agent_runtime.events import AudioDropped, EventData
from agent_runtime.io import Background
from agent_runtime.media.fade import fade_in, fade_length, fade_out
from agent_runtime.media.resample import Resampler, resample
from agent_runtime.media.ring import AudioRing

RATE = 48000
"""Hz at which positions are counted and, where the device lets us, played."""
BLOCK = 0.004
"""Seconds of a block: three of them are on their way at a time, which is how fast silence comes after a cut."""
HOLD = 1.0
"""Seconds for which speech waits for a lost device. Then it is spoken to nobody, so that the conversation goes on."""
TOLERATED = 1
"""Times that speech breaks up until the device is opened again, in the next silence, with longer blocks; twice as many
for the next doubling."""
UNBEARABLE = 6
"""Times after which that is done in the middle of speech."""
FOREBODING = 12
"""Times that the device may run dry in silence, which nobody hears, before it is opened with longer blocks."""
LONGEST_BLOCK = 0.032
_QUEUE = 2.0
_TICK = 0.01
_NOTHING = np.zeros(0, np.int16)


class _Block(NamedTuple):
    """A stretch of the queue that went to the device."""

    heard_at: float
    start: int
    length: int


class Speaker:
    """A `Sink` that plays on a device, survives its loss, and knows from the device when each sample is heard.

    While a device is lost, its queue holds still for `HOLD` seconds and then runs on silently by the clock; without a
    device from the start it runs silently at once.

    Args:
        backend: opens the device.
        clock: the clock of the loop; the audio thread reads it too.
        on_event: is told of audio that was lost (`AudioDropped`).
    """

    kind: Kind = "output"

    def __init__(self, backend: AudioBackend, *, clock: Clock, on_event: Callable[[EventData], None]) -> None:
        self._backend = backend
        self._clock = clock
        self._on_event = on_event
        self._written = 0
        self._live = False  # whether the device may take from the queue
        self._paused = False
        self._sounding = False
        self._fade_in = False
        self._breaks = 0  # times that speech broke up, ever …
        self._told_breaks = 0
        self._breaks_before = 0  # … and before the device was opened last
        self._quiet_breaks = 0  # times that silence did since then
        self._block = BLOCK
        self._ticker: TimerHandle | None = None
        self._ticked_to = 0.0
        self._ring, self._resampler = AudioRing(round(_QUEUE * RATE)), Resampler(RATE, RATE)
        self._rate = RATE
        self._clear_to = 0
        self._background: Background | None = None
        self._underlay: Underlay | None = None
        self._use_rate(RATE)
        self.last_block_at = 0.0
        self.reference: Reference | None = None
        """What is being played; None while there is no device."""

    @property
    def sample_rate(self) -> int:
        """See `Sink.sample_rate`. Where the device has another rate, the queue is converted."""
        return RATE

    @property
    def written(self) -> int:
        """See `Sink.written`."""
        return self._written

    @property
    def queued(self) -> int:
        """See `Sink.queued`."""
        return self._written - self._index(max(self._ring.position, self._clear_to))

    def write(self, samples: NDArray[np.int16]) -> None:
        """See `Sink.write`."""
        self._written += len(samples)
        self._ring.write(self._resampler.push(samples))

    def flush(self) -> None:
        """See `Sink.flush`."""
        self._ring.write(self._resampler.flush())
        self._anchor()

    def heard(self, now: float) -> int:
        """See `Sink.heard`."""
        for block in reversed(tuple(self._history)):
            if block.heard_at <= now:
                samples = min(block.length, floor((now - block.heard_at) * self._rate + 1e-6))
                return min(self._written, self._index(block.start + samples))
        return self._heard_before

    def time_of(self, index: int) -> float | None:
        """See `Sink.time_of`."""
        position = self._anchor_position + floor((index - self._anchor_index) * self._rate / RATE)
        history = tuple(self._history)
        for block in reversed(history):
            if block.start <= position < block.start + block.length:
                return block.heard_at + (position - block.start) / self._rate
        if position < 0:
            return self._queued_anew_at  # it was played before the device that is open now
        # Else played so long ago that its block is forgotten, or still to come.
        return history[0].heard_at if history and position < history[0].start else None

    def clear(self) -> None:
        """See `Sink.clear`. The audio thread fades out within its next block."""
        self._resampler.reset()
        self._clear_to = self._ring.written
        self._anchor()

    def pause(self) -> None:
        """See `Sink.pause`."""
        self._paused = True

    def resume(self) -> None:
        """See `Sink.resume`."""
        self._paused = False

    def set_background(self, background: Background | None) -> None:
        """See `AudioOutput.set_background`."""
        self._background = background
        self._underlay = None if background is None else Underlay(background, self._rate)

    def open(self, device_id: str, on_stopped: Callable[[], None]) -> DeviceStream:
        """See `Supervised.open`."""
        return self._backend.open_output(device_id, self._fill, on_stopped, block=self._block)

    def opened(self, stream: DeviceStream) -> None:
        """See `Supervised.opened`. What was queued is played on the new device."""
        self._stop_ticker()
        self._use_rate(stream.sample_rate)
        self.reference = Reference(stream.sample_rate, stream.latency, round(self._block * stream.sample_rate))
        self.last_block_at = self._clock.now()
        self._breaks_before, self._quiet_breaks = self._breaks, 0
        self._live = True

    def absent(self, *, hold: bool) -> None:
        """See `Supervised.absent`."""
        self._live = False
        self._sounding = False
        self._fade_in = True
        self.reference = None
        if self._ticker is None:
            self._ticked_to = self._clock.now() + (HOLD if hold else 0.0)
            self._ticker = self._clock.call_at(self._ticked_to, self._tick)

    def inspect(self) -> bool:
        """See `Supervised.inspect`. A device that breaks speech up is opened again with longer blocks.

        That makes a gap of some 20 ms itself, so it waits for a silence unless speech is in shreds.
        """
        breaks = self._breaks
        if breaks > self._told_breaks:
            self._told_breaks = breaks
            self._on_event(AudioDropped("output", breaks))
        silent = self.heard(self._clock.now()) == self._written
        breaks -= self._breaks_before
        patience = self._block / BLOCK  # each doubling delays a cut twice as much as the one before
        too_many = breaks >= patience * (TOLERATED if silent else UNBEARABLE)
        too_many |= silent and self._quiet_breaks >= patience * FOREBODING
        if not too_many or self._block >= LONGEST_BLOCK:
            return False
        self._block *= 2
        return True

    def close(self) -> None:
        """Stop running silently."""
        self._stop_ticker()

    def _fill(self, wanted: Wanted) -> None:
        """In the audio thread: hand the next samples to the device."""
        out = wanted.samples
        self.last_block_at = now = self._clock.now()
        if wanted.underflowed and self._sounding:
            self._breaks += 1
        elif wanted.underflowed:
            self._quiet_breaks += 1
        taken = self._take(len(out), now + wanted.latency) if self._live else _NOTHING
        out[: len(taken)] = taken[:, None]
        out[len(taken) :] = 0
        if (underlay := self._underlay) is not None:
            out[:] = underlay.mix(out[:, 0], len(taken))[:, None]
        if (reference := self.reference) is not None:
            reference.ring.write(out[:, 0])

    def _take(self, count: int, heard_at: float) -> NDArray[np.int16]:
        """The next `int16[samples]`, at most `count`; less at the end, in a pause and at a cut."""
        ring, fade = self._ring, min(count, fade_length(self._rate))
        if (clear_to := self._clear_to) > ring.position:
            tail = ring.read(min(fade, clear_to - ring.position))[:, 0] if self._sounding else _NOTHING
            ring.skip_to(clear_to)
            self._sounding = False
            return fade_out(tail)
        if self._paused:
            if not self._sounding:
                return _NOTHING
            count = fade
        start = ring.position
        taken = ring.read(count)[:, 0]
        if len(taken):
            self._history.append(_Block(heard_at, start, len(taken)))
            if self._fade_in:
                taken[:fade] = fade_in(taken[:fade])
                self._fade_in = False
        self._sounding = len(taken) > 0 and not self._paused
        if self._paused:
            self._fade_in = True
            return fade_out(taken)
        return taken

    def _use_rate(self, rate: int) -> None:
        """Start a queue at `rate`, with what is left in the one before. Nobody takes from it meanwhile."""
        self._ring.write(self._resampler.flush())
        self._ring.skip_to(self._clear_to)
        rest, old_rate = self._ring.read(len(self._ring))[:, 0], self._rate
        self._rate = rate
        self.set_background(self._background)
        self._ring = AudioRing(round(_QUEUE * rate))
        self._resampler = Resampler(RATE, rate)
        self._history: deque[_Block] = deque(maxlen=512)
        self._clear_to = 0
        self._ring.write(resample(rest, old_rate, rate))
        self._anchor()
        self._heard_before = self._index(0)
        self._queued_anew_at = self._clock.now()

    def _anchor(self) -> None:
        """Tie the end of what was written to its place in the ring, so that rounding never adds up."""
        self._anchor_index, self._anchor_position = self._written, self._ring.written

    def _index(self, position: int) -> int:
        """The index, in samples ever written at `RATE`, of a position in the ring."""
        return self._anchor_index + floor((position - self._anchor_position) * RATE / self._rate + 1e-6)

    def _tick(self) -> None:
        """Speak to nobody, up to now."""
        now = self._clock.now()
        count = floor((now - self._ticked_to) * self._rate + 1e-6)
        if count > 0:
            self._take(count, self._ticked_to)
            if self._underlay is not None:
                self._underlay.skip(count)
            self._ticked_to += count / self._rate
        self._ticker = self._clock.call_at(now + _TICK, self._tick)

    def _stop_ticker(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None


class SpeakerOutput(SegmentedOutput):
    """The agent's speech on a loudspeaker. The device is open while a session is attached.

    Args:
        backend: opens the device.
        device_id: which device.
        clock: the clock of the loop.
        on_event: is told what becomes of the device, and of audio that was lost.
        offload: runs a blocking call in a thread.
    """

    def __init__(
        self,
        backend: AudioBackend,
        *,
        device_id: str,
        clock: Clock,
        on_event: Callable[[EventData], None],
        offload: Offload,
    ) -> None:
        self.speaker = Speaker(backend, clock=clock, on_event=on_event)
        super().__init__(self.speaker, clock=clock, label="speaker")
        self.device = DeviceSupervisor(self.speaker, device_id, clock=clock, on_event=on_event, offload=offload)

    def set_background(self, background: Background | None) -> bool:
        """See `AudioOutput.set_background`. Echo cancellation knows of it."""
        self.speaker.set_background(background)
        return True

    def on_attached(self) -> None:
        """Open the device."""
        self.device.want(True)

    def on_detached(self) -> None:
        """Cut what is queued and give the device back."""
        super().on_detached()
        self.device.want(False)

    async def aclose(self) -> None:
        """Cut what is queued and give the device back, for good."""
        await super().aclose()
        await self.device.aclose()
        self.speaker.close()
