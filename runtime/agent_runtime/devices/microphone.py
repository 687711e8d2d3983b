"""The microphone: from the audio thread to clean frames of 10 ms on the session's loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from agent_runtime.clock import Clock
from agent_runtime.devices.backend import AudioBackend, Captured, DeviceStream, Kind
from agent_runtime.devices.echo import FarEnd, Mark, Reference
from agent_runtime.devices.echo_meter import EchoMeter
from agent_runtime.devices.echo_path import EchoPath
from agent_runtime.devices.input import FRAME, LocalInput
from agent_runtime.devices.supervision import DeviceSupervisor, Offload
from agent_runtime.events import AudioDropped, DeviceChanged, EchoCancellation, EventData
from agent_runtime.media.framing import Framer
from agent_runtime.media.mix import to_mono
from agent_runtime.media.processing import NATIVE_RATES, AudioProcessor, ProcessingOptions
from agent_runtime.media.resample import Resampler
from agent_runtime.media.ring import AudioRing

QUEUE = 2.0
"""Seconds that wait for a loop that is busy; then the oldest audio is dropped, and counted."""
DEAD_SILENCE = 5.0
"""Seconds of nothing but zeros after which a person is told: a microphone that works always hisses a little."""
_DEAD_SILENCE_TEXT = (
    "the microphone gives pure silence: it is muted in the system's sound settings, or this terminal isn't allowed to "
    "use it (macOS: System Settings > Privacy & Security > Microphone)"
)


class Microphone(LocalInput):
    """The user's speech from a microphone, without the agent's own voice. The device is open while it is attached.

    Nothing is done in the audio thread but copying; a reader takes the block from the ring, cancels echo, filters and
    converts, which takes about 0.3 ms of each 10.

    Args:
        backend: opens the device.
        device_id: which device.
        clock: the clock of the loop; the audio thread reads it too.
        on_event: is told what becomes of the device, and of audio that was lost.
        offload: runs a blocking call in a thread.
        sample_rate: Hz of the frames.
        processing: what is done to the signal.
        far: what the speaker is playing at the moment, None without one; called in the audio thread.
    """

    kind: Kind = "input"

    def __init__(
        self,
        backend: AudioBackend,
        *,
        device_id: str,
        clock: Clock,
        on_event: Callable[[EventData], None],
        offload: Offload,
        sample_rate: int = 16000,
        processing: ProcessingOptions | None = None,
        far: Callable[[], Reference | None] = lambda: None,
    ) -> None:
        super().__init__(label="microphone", sample_rate=sample_rate)
        self._backend = backend
        self._clock = clock
        self._on_event = on_event
        self._processing = processing or ProcessingOptions()
        self._far = far
        self._chain: _Chain | None = None
        self._stream: DeviceStream | None = None
        self._frames: deque[NDArray[np.int16]] = deque()
        self._overflows = 0
        self._dropped_before = 0
        self._told_dropped = 0
        self._told_silent = False
        self._told_echo: EchoCancellation | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._data = asyncio.Event()
        self._waiting = False
        self.last_block_at = 0.0
        self.device = DeviceSupervisor(self, device_id, clock=clock, on_event=on_event, offload=offload)

    @property
    def latency(self) -> float:
        """The device's own latency, and what the filters hold back."""
        return 0.0 if self._chain is None else self._chain.latency

    def on_attached(self) -> None:
        """Open the device."""
        self._loop = asyncio.get_running_loop()
        self.device.want(True)

    def on_detached(self) -> None:
        """Give the device back and drop what is queued."""
        self.device.want(False)
        self._frames.clear()

    async def aclose(self) -> None:
        """Give the device back, for good."""
        await self.device.aclose()

    def open(self, device_id: str, on_stopped: Callable[[], None]) -> DeviceStream:
        """See `Supervised.open`."""
        return self._backend.open_input(device_id, self._captured, on_stopped)

    def opened(self, stream: DeviceStream) -> None:
        """See `Supervised.opened`."""
        self.last_block_at = self._clock.now()
        self._stream = stream
        self._told_silent = False
        self._chain = _Chain(stream, self.sample_rate, self._processing)

    def absent(self, *, hold: bool) -> None:
        """See `Supervised.absent`. Frames pause; what was captured before is dropped, for it would come late."""
        if self._chain is not None:
            self._dropped_before += self._chain.dropped
        self._chain = None
        self._stream = None

    def inspect(self) -> bool:
        """See `Supervised.inspect`."""
        if self._chain is None or self._stream is None:
            return False
        dropped = self._overflows + self._dropped_before + self._chain.dropped
        if dropped > self._told_dropped:
            self._told_dropped = dropped
            self._on_event(AudioDropped("input", dropped))
        echo = self._chain.echo_cancellation
        if echo != self._told_echo:
            self._told_echo = echo
            self._on_event(echo)
        silent = self._chain.silent_for >= DEAD_SILENCE
        if silent != self._told_silent:
            self._told_silent = silent
            stream, problem = self._stream, _DEAD_SILENCE_TEXT if silent else None
            self._on_event(
                DeviceChanged("input", "opened", stream.name, stream.sample_rate, stream.channels, problem=problem)
            )
        return False

    async def _next_samples(self) -> NDArray[np.int16]:
        while not self._frames:
            self._waiting = True
            if self._chain is not None and self._chain.ready:
                self._waiting = False
                self._frames.extend(self._chain.process())
                continue
            await self._data.wait()
            self._data.clear()
        return self._frames.popleft()

    def _captured(self, block: Captured) -> None:
        """In the audio thread: keep the block and wake the reader, if it waits."""
        self.last_block_at = self._clock.now()
        self._overflows += block.overflowed
        if (chain := self._chain) is None:
            return
        chain.push(block, self._far())
        if self._waiting and self._loop is not None and not self._loop.is_closed():
            self._waiting = False
            self._loop.call_soon_threadsafe(self._data.set)


class _Chain:
    """From one open device to frames: ring, echo cancellation and filters, conversion."""

    def __init__(self, stream: DeviceStream, sample_rate: int, options: ProcessingOptions) -> None:
        self._block = round(stream.sample_rate * FRAME)
        self._ring = AudioRing(round(stream.sample_rate * QUEUE), stream.channels)
        self._marks: deque[Mark] = deque(maxlen=round(QUEUE / FRAME) * 2)
        rate = stream.sample_rate if stream.sample_rate in NATIVE_RATES else NATIVE_RATES[-1]
        self._to_native = Resampler(stream.sample_rate, rate)
        self._native_frames = Framer(rate // 100)
        self._processor = AudioProcessor(rate, options)
        self._without_canceller = AudioProcessor(rate, replace(options, echo_cancellation=False))
        self._cancels_echo = options.echo_cancellation
        self._echo_path = EchoPath()
        self._far_end = FarEnd(rate)
        self._latency = stream.latency
        self._delay = -1.0
        self._echo = EchoMeter()
        self._to_output = Resampler(rate, sample_rate)
        self._output_frames = Framer(round(sample_rate * FRAME))
        self._silent_blocks = 0

    @property
    def ready(self) -> bool:
        """Whether there is a whole block."""
        return len(self._ring) >= self._block

    @property
    def dropped(self) -> int:
        """Frames of 10 ms that the reader was too slow for."""
        return self._ring.dropped // self._block

    @property
    def silent_for(self) -> float:
        """Seconds of nothing but zeros, up to now."""
        return self._silent_blocks * FRAME

    @property
    def echo_cancellation(self) -> EchoCancellation:
        """What is done about the speaker's sound in the microphone's."""
        if not self._cancels_echo:
            return EchoCancellation("off")
        if not self._far_end.has_speaker:
            return EchoCancellation("no_speaker")
        if self._echo_path.is_absent:
            return EchoCancellation("no_echo", round(self._delay, 3))
        return EchoCancellation("on", round(self._delay, 3), self._echo.removed)

    @property
    def latency(self) -> float:
        """Seconds from a sound in the air to the frame that holds its end."""
        converters = (self._to_native, self._to_output)
        return self._latency + sum(converter.pending / converter.out_rate for converter in converters)

    def push(self, block: Captured, reference: Reference | None) -> None:
        """In the audio thread: keep a block."""
        self._ring.write(block.samples)
        far = 0 if reference is None else reference.ring.written
        self._marks.append(Mark(self._ring.written, reference, far))

    def process(self) -> list[NDArray[np.int16]]:
        """Take one block; returns the frames that are ready then."""
        raw = self._ring.read(self._block)
        self._silent_blocks = 0 if raw.any() else self._silent_blocks + 1
        mark = self._mark_of(self._ring.position)
        out: list[NDArray[np.int16]] = []
        for near in self._native_frames.push(self._to_native.push(to_mono(raw))):
            far = self._far_end.take(mark) if self._cancels_echo else None
            if (delay := self._far_end.delay + self._latency) != self._delay:
                self._delay = delay
                self._processor.set_delay(delay)
                self._echo_path.forget(delay)
            out += self._output_frames.push(self._to_output.push(self._clean(near, far)))
        return out

    def _clean(self, near: NDArray[np.int16], far: NDArray[np.int16] | None) -> NDArray[np.int16]:
        """Without the speaker's sound where there is some; the canceller goes on learning where there is none."""
        clean = self._processor.process(near, far)
        self._echo.add(near, far, clean)
        if self._cancels_echo:
            self._echo_path.add(near, far)
            if self._echo_path.is_absent:
                return self._without_canceller.process(near)
        return clean

    def _mark_of(self, end: int) -> Mark | None:
        while len(self._marks) > 1 and self._marks[0].near < end:
            self._marks.popleft()
        return self._marks[0] if self._marks else None
