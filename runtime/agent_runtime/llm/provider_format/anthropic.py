"""Anthropic's Messages format: https://docs.anthropic.com/en/api/messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent_runtime.llm.chat_items import ChatItem, ChatMessage, FunctionCall, FunctionCallOutput, ImageContent
from agent_runtime.llm.provider_format.grouping import arguments_object, by_turns
from agent_runtime.llm.provider_format.images import serialize_image


@dataclass
class AnthropicFormatData:
    """What goes beside the messages."""

    system_messages: list[str] | None


def to_messages(
    items: Sequence[ChatItem], *, inject_dummy_user_message: bool = True, inject_trailing_user_message: bool = False
) -> tuple[list[dict[str, Any]], AnthropicFormatData]:
    """The `messages` of a request, users' and assistants' by turns, and the system texts.

    The first message must be a user's, and for some models the last; one is made up where it isn't.
    """
    messages, system = by_turns(items, _blocks)
    if inject_dummy_user_message and (not messages or messages[0]["role"] != "user"):
        messages.insert(0, {"role": "user", "content": [{"type": "text", "text": "(empty)"}]})
    if inject_trailing_user_message and messages and messages[-1]["role"] == "assistant":
        messages.append({"role": "user", "content": [{"type": "text", "text": "."}]})
    return messages, AnthropicFormatData(system_messages=system)


def _blocks(item: ChatMessage | FunctionCall | FunctionCallOutput) -> list[dict[str, Any]]:
    if isinstance(item, FunctionCall):
        return [{"type": "tool_use", "id": item.call_id, "name": item.name, "input": arguments_object(item)}]
    if isinstance(item, FunctionCallOutput):
        result = {"type": "tool_result", "tool_use_id": item.call_id, "content": _result(item.output)}
        return [{**result, "is_error": item.is_error}]
    blocks: list[dict[str, Any]] = []
    for part in item.content:
        if isinstance(part, ImageContent):
            blocks.append({"type": "image", "source": _image_source(part)})
        elif isinstance(part, str) and part:
            blocks.append({"type": "text", "text": part})
    return blocks


def _result(output: str) -> str | list[Any]:
    """A tool may give content blocks as a JSON list; anything else is text."""
    if not output.startswith("["):
        return output
    try:
        blocks = json.loads(output)
    except ValueError:
        return output
    return blocks if blocks and all(isinstance(b, dict) and "type" in b for b in blocks) else output


def _image_source(image: ImageContent) -> dict[str, Any]:
    serialized = serialize_image(image)
    if serialized.data_bytes is None:
        return {"type": "url", "url": serialized.url}
    return {"type": "base64", "data": serialized.base64, "media_type": serialized.mime_type}
