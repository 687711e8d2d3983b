"""OpenAI's realtime models, and servers that speak the same protocol."""

from agent_runtime.providers.openai.realtime.model import RealtimeModel
from agent_runtime.providers.openai.realtime.session import RealtimeSession

__all__ = ["RealtimeModel", "RealtimeSession"]
