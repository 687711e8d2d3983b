"""The backend that runs the agent in this process."""

from __future__ import annotations

import gc
from collections.abc import Callable

from agent_console.backend import AudioDevice
from agent_runtime.events import AnyEvent
from agent_runtime.host import RuntimeHost


class LocalBackend(RuntimeHost):
    """`agent_runtime.host.RuntimeHost`, in the console's own words."""

    def start(self, sink: Callable[[AnyEvent], None]) -> None:
        """See `Backend.start`."""
        gc.enable()  # the first frame is painted
        super().start(sink)

    def list_devices(self) -> list[AudioDevice]:
        """See `Backend.list_devices`."""
        return [AudioDevice(d.id, d.name, d.kind, d.is_default, self.is_current_device(d)) for d in self.find_devices()]
