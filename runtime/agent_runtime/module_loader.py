"""What is said of code that can't be loaded; see `agent_runtime.project.failures`."""

from agent_runtime.project.failures import short_path, without_place

__all__ = ["short_path", "without_place"]
