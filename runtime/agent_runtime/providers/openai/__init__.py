"""OpenAI and servers that speak its protocol."""

from agent_runtime.providers.openai.llm import LLM

__all__ = ["LLM"]
