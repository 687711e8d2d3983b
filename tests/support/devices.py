"""A sound card without sound: its microphone and speaker run on the test's virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from agent_runtime.clock import Clock
from agent_runtime.devices.backend import Captured, DeviceInfo, Wanted
from agent_runtime.errors import AgentConsoleError, DeviceError

T = TypeVar("T")


async def inline(call: Callable[[], T], /) -> T:
    """Opens devices without a thread, but not within one step of the loop."""
    await asyncio.sleep(0)
    return call()


class FakeStream:
    """A device that is open: every `block` seconds it calls back, until it is closed, dies or stalls."""

    def __init__(
        self,
        clock: Clock,
        name: str,
        rate: int,
        channels: int,
        block: float,
        latency: float,
        run: Callable[[int], None],
    ) -> None:
        self.name, self.sample_rate, self.channels, self.latency = name, rate, channels, latency
        self.alive = True
        self.stalled = False
        self.closed = 0
        self._clock, self._block, self._run = clock, block, run
        self._begin, self._count = clock.now(), 0
        self._schedule()

    def close(self) -> None:
        self.closed += 1
        self.alive = False

    def _schedule(self) -> None:
        self._count += 1
        self._clock.call_at(self._begin + self._count * self._block, self._tick)

    def _tick(self) -> None:
        if not self.alive:
            return
        if not self.stalled:
            self._run(round(self._block * self.sample_rate))
        self._schedule()


class FakeBackend:
    """One microphone and one speaker, whose rate, channels and presence a test changes.

    What the speaker played is in `played`, each sample once it was handed over; the microphone hears `voice(start, n)`.
    """

    def __init__(self, clock: Clock, *, rate: int = 48000, channels: int = 1, latency: float = 0.012) -> None:
        self._clock = clock
        self.rate, self.channels, self.latency = rate, channels, latency
        self.problem: AgentConsoleError | None = None
        self.inputs: list[FakeStream] = []
        self.outputs: list[FakeStream] = []
        self.opened: list[tuple[str, str]] = []
        self.blocks: list[float] = []
        self.stopped: list[Callable[[], None]] = []
        self.played: list[NDArray[np.int16]] = []
        self.voice: Callable[[int, int], NDArray[np.int16]] = lambda start, n: np.full(n, 100, np.int16)
        self.overflow = self.underflow = False
        self._captured = 0

    def open_input(
        self, device_id: str, on_audio: Callable[[Captured], None], on_stopped: Callable[[], None]
    ) -> FakeStream:
        def run(count: int) -> None:
            samples = np.repeat(self.voice(self._captured, count)[:, None], self.channels, axis=1)
            self._captured += count
            on_audio(Captured(samples, 0.01, self.overflow))

        self.inputs.append(self._open("input", device_id, 0.01, run, on_stopped))
        return self.inputs[-1]

    def open_output(
        self, device_id: str, fill: Callable[[Wanted], None], on_stopped: Callable[[], None], *, block: float
    ) -> FakeStream:
        def run(count: int) -> None:
            samples = np.full((count, self.channels), 12345, np.int16)
            fill(Wanted(samples, self.latency, self.underflow))
            assert (samples == samples[:, :1]).all()
            self.played.append(samples[:, 0].copy())

        self.blocks.append(block)
        self.outputs.append(self._open("output", device_id, block, run, on_stopped))
        return self.outputs[-1]

    def list_devices(self) -> list[DeviceInfo]:
        return [DeviceInfo("default", "System default", "input", True, 0, 0)]

    @property
    def sound(self) -> NDArray[np.int16]:
        """Everything that was played."""
        return np.concatenate((np.zeros(0, np.int16), *self.played))

    def die(self, stream: FakeStream) -> None:
        """The device goes away, and its driver says so."""
        stream.alive = False
        for stopped in self.stopped:
            stopped()

    def _open(
        self, kind: str, device_id: str, block: float, run: Callable[[int], None], on_stopped: Callable[[], None]
    ) -> FakeStream:
        self.opened.append((kind, device_id))
        if self.problem is not None:
            raise self.problem
        if device_id == "gone":
            raise DeviceError(f"{kind} gone isn't there")
        self.stopped.append(on_stopped)
        return FakeStream(self._clock, f"{kind} {device_id}", self.rate, self.channels, block, self.latency, run)
