"""The backend that runs the agent in this process."""

from __future__ import annotations

from agent_console.backend import AudioDevice
from agent_runtime.host import RuntimeHost


class LocalBackend(RuntimeHost):
    """`agent_runtime.host.RuntimeHost`, in the console's own words."""

    def list_devices(self) -> list[AudioDevice]:
        """See `Backend.list_devices`."""
        return [AudioDevice(d.id, d.name, d.kind, d.is_default, self.is_current_device(d)) for d in self.find_devices()]
