"""The sound of a conversation on this machine: devices, or files in their place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Literal

from agent_runtime.clock import Clock
from agent_runtime.devices import DEFAULT, DeviceInfo, LocalAudio, LocalInput, WavInput, WavOutput
from agent_runtime.errors import AgentConsoleError
from agent_runtime.events import DeviceChanged, EventData
from agent_runtime.io import AudioOutput
from agent_runtime.media.processing import ProcessingOptions
from agent_runtime.settings import AudioSettings

Kind = Literal["input", "output"]


class HostAudio:
    """Input and output as the settings say. Make it on the session's loop.

    A file in the microphone's place begins when `ready` is set: it can't wait for a model that isn't loaded.

    Raises MediaError if a file can't be used. Devices raise nothing: what becomes of them is told to `on_event`.
    """

    def __init__(
        self,
        settings: AudioSettings,
        *,
        clock: Clock,
        on_event: Callable[[EventData], None],
        ready: asyncio.Event | None = None,
    ) -> None:
        self._settings = settings
        self._on_event = on_event
        self.local = LocalAudio(
            clock=clock,
            on_event=on_event,
            input_device=settings.input_device or DEFAULT,
            output_device=settings.output_device or DEFAULT,
            processing=ProcessingOptions(
                echo_cancellation=settings.echo_cancellation,
                high_pass=settings.high_pass,
                noise_suppression=settings.noise_suppression,
                auto_gain=settings.auto_gain,
            ),
        )
        self.input: LocalInput = self.local.input
        self.output: AudioOutput = self.local.output
        if settings.input_wav is not None:
            self.input = WavInput(settings.input_wav, clock=clock, on_event=on_event, after=ready)
        if settings.output_wav is not None:
            self.output = WavOutput(settings.output_wav, clock=clock, on_event=on_event)

    async def find_named_devices(self) -> None:
        """Devices may be named by a part of what people call them: find out which ones are meant."""
        names: dict[Kind, str | None] = {"input": self._settings.input_device, "output": self._settings.output_device}
        if not any(names.values()):
            return
        try:
            devices = await asyncio.to_thread(self.local.list_devices)
        except AgentConsoleError:
            return  # opening the device fails for the same reason, and tells it
        for kind, name in names.items():
            if name is not None:
                self._select_named(kind, name, [device for device in devices if device.kind == kind])

    def _select_named(self, kind: Kind, name: str, devices: Sequence[DeviceInfo]) -> None:
        if any(device.id == name for device in devices):
            return  # it was selected by that already
        found = [device for device in devices if name.casefold() in device.name.casefold()]
        if len(found) == 1:
            self.local.select(kind, found[0].id)
            return
        what = "no device is" if not found else f"{len(found)} devices are"
        problem = f"{what} called {name!r}: use an id that `agent-console devices` lists; the default is used now"
        self._on_event(DeviceChanged(kind, "unavailable", name, problem=problem))
        self.local.select(kind, DEFAULT)

    async def aclose(self) -> None:
        """Give the devices back and finish the files."""
        if isinstance(self.input, WavInput):
            self.input.close()
        if self.output is not self.local.output:
            await self.output.aclose()
        await self.local.aclose()
