"""The microphone and the speaker of this machine, as one: the one hears nothing of the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent_runtime.clock import Clock
from agent_runtime.devices.backend import DEFAULT, AudioBackend, DeviceInfo, Kind
from agent_runtime.devices.microphone import Microphone
from agent_runtime.devices.portaudio import PortAudioBackend
from agent_runtime.devices.speaker import SpeakerOutput
from agent_runtime.devices.supervision import Offload
from agent_runtime.events import EventData
from agent_runtime.media.processing import ProcessingOptions


class LocalAudio:
    """Microphone and speaker with echo cancellation between them.

    `input` and `output` open their device when a session attaches them and give it back when it detaches them. Nothing
    here raises because of a device: one that is missing, busy or lost is told as `DeviceChanged` with what to do, and
    tried again until it is there. Meanwhile the input pauses, and the output waits a second and then speaks to nobody.

    Args:
        clock: the clock of the session's loop.
        on_event: gets `DeviceChanged` and `AudioDropped`, on the loop.
        input_device: id of the microphone (`DeviceInfo.id`).
        output_device: id of the speaker.
        sample_rate: Hz of the input's frames of 10 ms. The output takes any rate.
        processing: what is done to the microphone's signal.
        backend: opens devices; PortAudio unless a test says otherwise.
        offload: runs a blocking call in a thread.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        on_event: Callable[[EventData], None] = lambda _: None,
        input_device: str = DEFAULT,
        output_device: str = DEFAULT,
        sample_rate: int = 16000,
        processing: ProcessingOptions | None = None,
        backend: AudioBackend | None = None,
        offload: Offload = asyncio.to_thread,
    ) -> None:
        self._backend = backend or PortAudioBackend()
        self._output = SpeakerOutput(
            self._backend, device_id=output_device, clock=clock, on_event=on_event, offload=offload
        )
        self._input = Microphone(
            self._backend,
            device_id=input_device,
            clock=clock,
            on_event=on_event,
            offload=offload,
            sample_rate=sample_rate,
            processing=processing,
            far=lambda: self._output.speaker.reference,
        )

    @property
    def input(self) -> Microphone:
        """The microphone."""
        return self._input

    @property
    def output(self) -> SpeakerOutput:
        """The speaker."""
        return self._output

    def select(self, kind: Kind, device_id: str) -> None:
        """Go over to another microphone or speaker, also in mid-sentence. On the loop."""
        (self._input.device if kind == "input" else self._output.device).select(device_id)

    def selected(self, kind: Kind) -> str:
        """The id of the chosen device, there or not."""
        return (self._input.device if kind == "input" else self._output.device).device_id

    def list_devices(self) -> list[DeviceInfo]:
        """What there is to choose from. Blocks for a few tenths of a second; may be called in any thread.

        Raises:
            MissingDependencyError: PortAudio isn't installed.
            DeviceError: the system's sound can't be asked.
        """
        return self._backend.list_devices()

    async def aclose(self) -> None:
        """Give both devices back."""
        await self._input.aclose()
        await self._output.aclose()
