"""What the microphone and the speaker need from the system's sound library, and no more: tests put a fake here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from agent_runtime.records import record

Kind: TypeAlias = Literal["input", "output"]

DEFAULT = "default"
"""The id of whatever the system's default device is at the moment."""


@record(frozen=True, slots=True)
class DeviceInfo:
    """A microphone or speaker that is there."""

    id: str
    """Stays the same over restarts and replugging; pass it to `LocalAudio.select`."""
    name: str
    kind: Kind
    is_default: bool
    sample_rate: int
    channels: int


@record(frozen=True, slots=True)
class Captured:
    """A block from the microphone, as the audio thread gets it."""

    samples: NDArray[np.int16]
    """`int16[samples, channels]`; valid only during the call."""
    latency: float
    """Seconds since its first sample was in the air."""
    overflowed: bool
    """Whether the system dropped audio before it."""


@record(frozen=True, slots=True)
class Wanted:
    """A block that the speaker wants, as the audio thread gets it."""

    samples: NDArray[np.int16]
    """`int16[samples, channels]` to fill; valid only during the call."""
    latency: float
    """Seconds until its first sample is heard."""
    underflowed: bool
    """Whether the system ran dry before it."""


class DeviceStream(Protocol):
    """A device that is open and running."""

    name: str
    sample_rate: int
    channels: int
    latency: float
    """Seconds between the block's callback and the air."""

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        ...

    def close(self) -> None:
        """Stop it and give it back. May block for a moment."""


class AudioBackend(Protocol):
    """Opens devices. All of it may block and is called in a worker thread.

    Raises:
        DeviceError: a device can't be opened, with the reason.
        MissingDependencyError: the system's library isn't there.
    """

    def open_input(
        self, device_id: str, on_audio: Callable[[Captured], None], on_stopped: Callable[[], None]
    ) -> DeviceStream:
        """Open a microphone; `on_audio` is called in the audio thread, `on_stopped` when it stops, in any thread."""
        ...

    def open_output(
        self,
        device_id: str,
        fill: Callable[[Wanted], None],
        on_stopped: Callable[[], None],
        *,
        block: float,
    ) -> DeviceStream:
        """Open a speaker with blocks of about `block` seconds; `fill` is called in the audio thread."""
        ...

    def list_devices(self) -> list[DeviceInfo]:
        """What is there now."""
        ...
