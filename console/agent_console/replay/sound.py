"""The sound of a bundle: user and agent together, through the speaker, at the transport's place and speed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from agent_runtime.devices.backend import DEFAULT, AudioBackend, Wanted
from agent_runtime.errors import AgentConsoleError
from agent_runtime.media.wav import WavReader

if TYPE_CHECKING:
    from agent_console.replay.transport import Transport
    from agent_runtime.bundle import Bundle
    from agent_runtime.devices.backend import DeviceStream

logger = logging.getLogger(__name__)

FASTEST: Final = 2.0
"""Speed from which on it is silent: the pitch rises with the speed, and past this nobody understands a word."""
_ASTRAY: Final = 0.1
"""Seconds by which the device's clock and ours may differ before the sound is moved."""
_BLOCK: Final = 0.02
_HEADER: Final = 44
"""Bytes before the samples in the files that a recorder writes."""


class WavTrack:
    """A mono file of PCM16 whose samples are read where they lie. Raises MediaError."""

    def __init__(self, path: Path, begins: float) -> None:
        with WavReader(path) as reader:
            self.rate, frames = reader.sample_rate, reader.frames
        self._begins = begins
        self._samples = (
            np.memmap(path, "<i2", "r", _HEADER, (frames,)) if frames else np.zeros(0, np.int16)  # no empty map
        )

    def read(self, start: float, step: float, count: int) -> NDArray[np.float32]:
        """`count` values, `step` seconds apart, from second `start` of the session on; silence where there is none."""
        places = (start - self._begins + np.arange(count) * step) * self.rate
        first, last = max(0, int(places[0])), min(len(self._samples), int(places[-1]) + 2)
        if last <= first:
            return np.zeros(count, np.float32)
        near = self._samples[first:last].astype(np.float32)
        values: NDArray[np.float32] = np.interp(places, np.arange(first, last), near, left=0.0, right=0.0).astype("f4")
        return values


class ReplaySound:
    """Plays a bundle while its transport moves.

    Args:
        bundle: has the files.
        transport: says where.
        devices: opens the speaker; the system's own if left out.
    """

    def __init__(self, bundle: Bundle, transport: Transport, devices: AudioBackend | None = None) -> None:
        self._transport = transport
        self._devices = devices
        self._device: DeviceStream | None = None
        begins = bundle.manifest.begins
        paths = [path for path in (bundle.user_wav, bundle.agent_wav) if path is not None]
        self._tracks = [WavTrack(path, begins) for path in paths]
        self._at = 0.0

    def open(self) -> str | None:
        """Open the speaker; why there is no sound, if there is none. Blocks."""
        if not self._tracks:
            return "no sound"
        if self._devices is None:
            from agent_runtime.devices.portaudio import PortAudioBackend

            self._devices = PortAudioBackend()
        try:
            self._device = self._devices.open_output(DEFAULT, self.fill, lambda: None, block=_BLOCK)
        except AgentConsoleError as exc:
            return f"no sound: {exc}"
        return None

    def close(self) -> None:
        """Give the speaker back. Blocks."""
        if self._device is not None:
            self._device.close()
            self._device = None

    def fill(self, wanted: Wanted) -> None:
        """Fill a block; in the audio thread."""
        transport, device = self._transport, self._device
        speed, place = transport.speed, transport.position
        if device is None or not transport.playing or speed > FASTEST or place >= transport.duration:
            wanted.samples[:] = 0
            self._at = place
            return
        if abs(place - self._at) > _ASTRAY * max(1.0, speed):
            self._at = place
        step = speed / device.sample_rate
        count = len(wanted.samples)
        mixed = np.sum([track.read(self._at, step, count) for track in self._tracks], axis=0)
        wanted.samples[:] = np.clip(mixed, -32768, 32767).astype(np.int16)[:, None]
        self._at += count * step
