"""By which variables a worker tells the process that others are forked from what to import."""

from typing import Final

MAIN_VARIABLE: Final = "AGENT_RUNTIME_PRELOAD_MAIN"
"""Names the file of the agent."""
PATH_VARIABLE: Final = "AGENT_RUNTIME_PRELOAD_PATH"
"""Where the worker looks for modules."""
COMPAT_VARIABLE: Final = "AGENT_RUNTIME_PRELOAD_COMPAT"
"""Is set where `livekit.agents` is this runtime: the file imports it."""
