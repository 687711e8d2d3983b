"""OpenAI and servers that speak its protocol."""

from agent_runtime.providers.openai.llm import LLM
from agent_runtime.providers.openai.stream import OpenAIStream as LLMStream

__all__ = ["LLM", "LLMStream"]
