"""PortAudio: loading it, opening devices, and turning what goes wrong into words that help."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from agent_runtime.devices import discovery
from agent_runtime.devices.backend import Captured, DeviceInfo, DeviceStream, Kind, Wanted
from agent_runtime.devices.library import load_portaudio, restart_portaudio
from agent_runtime.devices.priority import first_in_line
from agent_runtime.errors import DeviceError
from agent_runtime.utils.environment import environment

logger = logging.getLogger(__name__)

INPUT_BLOCK = 0.01
"""Seconds of a block from the microphone: one frame."""
_VIRTUAL_RATE = 48000
"""Hz at which devices that convert by themselves are opened: echo cancellation is best there."""

_lock = threading.RLock()
"""PortAudio's own functions may not run at the same time; callbacks may."""
_open_streams: set[_Stream] = set()


class PortAudioBackend:
    """The system's microphones and speakers, as an `AudioBackend`."""

    def open_input(
        self, device_id: str, on_audio: Callable[[Captured], None], on_stopped: Callable[[], None]
    ) -> DeviceStream:
        """See `AudioBackend.open_input`."""

        def make_callback(stream: _Stream) -> Callable[..., None]:
            def callback(data: Any, _frames: int, time: Any, status: Any) -> None:
                samples = np.frombuffer(data, np.int16).reshape(-1, stream.channels)
                latency = stream.believe(time.currentTime - time.inputBufferAdcTime)
                on_audio(Captured(samples, latency, bool(status.input_overflow)))

            return callback

        return _open("input", device_id, make_callback, on_stopped, INPUT_BLOCK)

    def open_output(
        self, device_id: str, fill: Callable[[Wanted], None], on_stopped: Callable[[], None], *, block: float
    ) -> DeviceStream:
        """See `AudioBackend.open_output`."""

        def make_callback(stream: _Stream) -> Callable[..., None]:
            def callback(data: Any, _frames: int, time: Any, status: Any) -> None:
                samples = np.frombuffer(data, np.int16).reshape(-1, stream.channels)
                latency = stream.believe(time.outputBufferDacTime - time.currentTime)
                fill(Wanted(samples, latency, bool(status.output_underflow)))

            return callback

        return _open("output", device_id, make_callback, on_stopped, block)

    def list_devices(self) -> list[DeviceInfo]:
        """See `AudioBackend.list_devices`."""
        return discovery.list_devices()


class _Stream:
    """A stream of PortAudio's that can be closed twice, and by a rescan."""

    def __init__(self, kind: Kind, name: str, sample_rate: int, channels: int, on_stopped: Callable[[], None]) -> None:
        self.kind = kind
        self.name = name
        self.sample_rate = sample_rate
        self.channels = channels
        self.latency = 0.0
        self.on_stopped = on_stopped
        self.raw: Any = None  # sounddevice has no types

    @property
    def alive(self) -> bool:
        """See `DeviceStream.alive`."""
        return self.raw is not None and bool(self.raw.active)

    def believe(self, latency: float) -> float:
        """The latency that a callback was told, or the stream's own where a driver's times are nonsense."""
        return latency if 0 <= latency < 1 else self.latency

    def close(self) -> None:
        """See `DeviceStream.close`."""
        with _lock:
            _open_streams.discard(self)
            if self.raw is not None:
                raw, self.raw = self.raw, None
                raw.close(ignore_errors=True)


def _open(
    kind: Kind,
    device_id: str,
    make_callback: Callable[[_Stream], Callable[..., None]],
    on_stopped: Callable[[], None],
    block: float,
) -> DeviceStream:
    with _lock:
        sd = load_portaudio()
        for last_try in (False, True):
            try:
                target = discovery.resolve(sd, kind, device_id)
                return _open_target(sd, kind, target, make_callback, on_stopped, block)
            except DeviceError:
                # PortAudio looks for devices once, when it starts: let it look again for one that came back.
                if last_try or not _rescan(kind, device_id):
                    raise
    raise AssertionError("unreachable")


def _open_target(
    sd: Any,
    kind: Kind,
    target: discovery.Target,
    make_callback: Callable[[_Stream], Callable[..., None]],
    on_stopped: Callable[[], None],
    block: float,
) -> DeviceStream:
    """Open it in the first form that it takes: the best rate, and as few channels as there can be."""
    problem = "it takes no format"
    make = sd.RawInputStream if kind == "input" else sd.RawOutputStream
    # PortAudio keeps two blocks on the way on ALSA; elsewhere its own idea of low is the right one.
    latency = 2 * block if target.hostapi == "ALSA" else "low"
    for rate in target.rates(_VIRTUAL_RATE):
        for channels in target.channel_counts:
            stream = _Stream(kind, target.name, rate, channels, on_stopped)
            try:
                with environment(target.environment), first_in_line():
                    stream.raw = make(
                        samplerate=rate,
                        blocksize=round(rate * block),
                        device=target.index,
                        channels=channels,
                        dtype="int16",
                        latency=latency,
                        callback=_guarded(make_callback(stream), sd.CallbackAbort),
                        finished_callback=on_stopped,
                    )
                    stream.latency = float(stream.raw.latency)
                    stream.raw.start()
            except (sd.PortAudioError, ValueError) as e:
                stream.close()
                problem = str(e.args[0]) if e.args else str(e)
                continue
            _open_streams.add(stream)
            return stream
    what = f"{discovery.noun(kind)} {target.name}"
    raise DeviceError(f"{what} can't be opened ({problem}): close the program that uses it, or pick another")


def _guarded(callback: Callable[..., None], abort: type[Exception]) -> Callable[..., None]:
    """A callback that fails ends its stream, which is then opened again, and says why in the log."""

    def guarded(*arguments: Any) -> None:
        try:
            callback(*arguments)
        except Exception as e:
            logger.exception("the audio callback failed")
            raise abort from e

    return guarded


def _rescan(kind: Kind, device_id: str) -> bool:
    """Let PortAudio look for devices again. Streams must be closed for that: False if that isn't worth it."""
    if _open_streams:
        if not any(d.kind == kind and d.id == device_id for d in discovery.list_devices()):
            return False
        for stream in tuple(_open_streams):
            stream.close()
            stream.on_stopped()  # whoever has it opens it again
    restart_portaudio()
    return True
