"""Keeping a device open: it is opened, watched, and opened again when it goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol, TypeVar

from agent_runtime.clock import Clock
from agent_runtime.devices.backend import DeviceStream, Kind
from agent_runtime.errors import DeviceError, MissingDependencyError
from agent_runtime.events import DeviceChanged, EventData

FIRST_RETRY = 0.2
LAST_RETRY = 2.0
WATCH = 0.25
"""Seconds between two looks at a device that is open."""
STALLED = 1.0
"""Seconds without a block after which a device counts as lost: a dead sound server just stops calling."""

T = TypeVar("T")


class Offload(Protocol):
    """Runs a blocking call in a thread, as `asyncio.to_thread` does."""

    def __call__(self, call: Callable[[], T], /) -> Awaitable[T]:
        """Run it."""
        ...


class Supervised(Protocol):
    """The microphone or the speaker, as its supervisor sees it: called on the loop, but for `open`."""

    kind: Kind

    def open(self, device_id: str, on_stopped: Callable[[], None]) -> DeviceStream:
        """Open the device; in a worker thread."""
        ...

    def opened(self, stream: DeviceStream) -> None:
        """It is open and calls back."""

    def absent(self, *, hold: bool) -> None:
        """There is no device now. `hold` says whether there was one a moment ago, so that another may soon come."""

    def inspect(self) -> bool:
        """Called a few times a second while the device is open; True asks to close and open it again."""
        ...

    @property
    def last_block_at(self) -> float:
        """When the device last called, in the clock's seconds."""
        ...


class DeviceSupervisor:
    """Opens the chosen device while it is wanted and tells what becomes of it.

    After a loss it tries again after 0.2 s, then twice as long each time up to 2 s, without an end.

    Args:
        side: whose device it is.
        device_id: which device.
        clock: for delays.
        on_event: is told every change as `DeviceChanged`.
        offload: runs a blocking call in a thread.
    """

    def __init__(
        self,
        side: Supervised,
        device_id: str,
        *,
        clock: Clock,
        on_event: Callable[[EventData], None],
        offload: Offload = asyncio.to_thread,
    ) -> None:
        self._side = side
        self._device_id = device_id
        self._clock = clock
        self._on_event = on_event
        self._offload = offload
        self._wanted = False
        self._closed = False
        self._wishes = 0  # grows with every change of mind
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._reported: DeviceChanged | None = None

    @property
    def device_id(self) -> str:
        """The chosen device."""
        return self._device_id

    def want(self, wanted: bool) -> None:
        """Have the device open, or not. On the loop."""
        if self._closed or wanted == self._wanted:
            return
        self._wanted = wanted
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"{self._side.kind} device")
        self._wish()

    def select(self, device_id: str) -> None:
        """Go over to another device. On the loop."""
        self._device_id = device_id
        self._wish()

    async def aclose(self) -> None:
        """Give the device back."""
        self._closed = True
        self._wanted = False
        self._wish()
        if self._task is not None:
            await self._task

    def _wish(self) -> None:
        self._wishes += 1
        self._woken.set()

    async def _run(self) -> None:
        delay = FIRST_RETRY
        lost = False
        while not self._closed:
            self._woken.clear()
            wishes = self._wishes
            if not self._wanted:
                lost = False
                await self._sleep(None)
                continue
            stream = await self._open(lost)
            if stream is None:
                if wishes == self._wishes:
                    await self._sleep(delay)
                delay = FIRST_RETRY if wishes != self._wishes else min(LAST_RETRY, delay * 2)
                continue
            delay = FIRST_RETRY
            self._side.opened(stream)
            self._report("opened", stream)
            lost = await self._watch(stream, wishes)
            self._side.absent(hold=True)
            self._report("lost" if lost else "closed", stream)
            await self._offload(stream.close)

    async def _open(self, lost: bool) -> DeviceStream | None:
        device_id, loop = self._device_id, asyncio.get_running_loop()

        def stopped() -> None:
            # Comes from the audio thread, and may come after the loop is gone.
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._woken.set)

        try:
            return await self._offload(lambda: self._side.open(device_id, stopped))
        except MissingDependencyError as e:
            self._report_absent("unavailable", str(e))
            self._side.absent(hold=False)
            await self._sleep(None)  # nothing comes back by itself here
        except DeviceError as e:
            self._report_absent("lost" if lost else "unavailable", str(e))
            self._side.absent(hold=lost)
        return None

    async def _watch(self, stream: DeviceStream, wishes: int) -> bool:
        """Until the device is lost (True), or something else is wanted (False)."""
        while wishes == self._wishes:
            silent = self._clock.now() - self._side.last_block_at
            if not stream.alive or silent > STALLED:
                return True
            if self._side.inspect():
                return False
            await self._sleep(WATCH)
        return False

    async def _sleep(self, seconds: float | None) -> None:
        """For `seconds`, or until something happened that can't wait."""
        timer = None if seconds is None else self._clock.call_at(self._clock.now() + seconds, self._woken.set)
        await self._woken.wait()
        self._woken.clear()
        if timer is not None:
            timer.cancel()

    def _report(self, state: Literal["opened", "lost", "closed"], stream: DeviceStream) -> None:
        self._tell(DeviceChanged(self._side.kind, state, stream.name, stream.sample_rate, stream.channels))

    def _report_absent(self, state: Literal["lost", "unavailable"], problem: str) -> None:
        self._tell(DeviceChanged(self._side.kind, state, self._device_id, problem=problem))

    def _tell(self, event: DeviceChanged) -> None:
        if event != self._reported:  # each try finds the same problem again
            self._reported = event
            self._on_event(event)
