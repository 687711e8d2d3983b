"""Conversations as each vendor's API takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agent_runtime.llm.chat_items import ChatItem
from agent_runtime.llm.provider_format.anthropic import AnthropicFormatData, to_messages
from agent_runtime.llm.provider_format.aws import BedrockFormatData, to_converse
from agent_runtime.llm.provider_format.google import GoogleFormatData, to_turns
from agent_runtime.llm.provider_format.mistralai import MistralFormatData, to_entries
from agent_runtime.llm.provider_format.openai import to_chat_completions, to_responses

__all__ = ["AnthropicFormatData", "BedrockFormatData", "GoogleFormatData", "MistralFormatData", "convert"]

_FORMATS: dict[str, Callable[..., tuple[list[dict[str, Any]], Any]]] = {
    "openai": to_chat_completions,
    "openai.responses": to_responses,
    "anthropic": to_messages,
    "google": to_turns,
    "aws": to_converse,
    "mistralai": to_entries,
}


def convert(items: Sequence[ChatItem], format: str, **options: Any) -> tuple[list[dict[str, Any]], Any]:
    """The messages, and what goes elsewhere in the request. Raises ValueError for a format that isn't known."""
    try:
        convert_items = _FORMATS[format]
    except KeyError:
        raise ValueError(f"{format!r} is no provider format: use {', '.join(_FORMATS)}") from None
    return convert_items(items, **options)
