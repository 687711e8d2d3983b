"""A session on a thread of its own, for a console in the same process."""

from agent_runtime.host.runtime_host import RuntimeHost

__all__ = ["RuntimeHost"]
