"""Runs agents and plugins that were written for LiveKit Agents, unchanged.

After `install()`, `livekit.agents` and `livekit.plugins` are this runtime under LiveKit's names, beside the real
`livekit.rtc`, `livekit.api` and `livekit.protocol`. `agent-console` does it by itself for a file that imports them.

    from agent_runtime import compat

    compat.install()

    from livekit.agents import Agent, AgentSession, function_tool
    from livekit.plugins import openai, silero

A name that isn't there says so when it is imported, with what to use in its place. `agent_runtime.compat.names` has the
table of modules; `docs/parity.md` compares what is in them.
"""

from agent_runtime.compat.finder import install, is_installed, uninstall

__all__ = ["install", "is_installed", "uninstall"]
