"""Mistral's Conversations format: https://docs.mistral.ai/api/endpoint/beta/conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent_runtime.llm.chat_items import ChatItem, ChatMessage, ImageContent
from agent_runtime.llm.provider_format.grouping import group_items, with_one_preamble
from agent_runtime.llm.provider_format.images import serialize_image


@dataclass
class MistralFormatData:
    """What goes beside the entries."""

    instructions: str | None


def to_entries(
    items: Sequence[ChatItem], *, inject_dummy_user_message: bool = True
) -> tuple[list[dict[str, Any]], MistralFormatData]:
    """The `inputs` of a request, and the instructions.

    After an assistant's entry at the end one of the user's is made up, since Mistral wants something to answer to.
    """
    entries: list[dict[str, Any]] = []
    instructions: str | None = None
    for group in group_items(with_one_preamble(items)):
        message = group.message
        if message is not None and message.role in ("system", "developer"):
            instructions = message.text_content
        elif message is not None:
            kind = "message.output" if message.role == "assistant" else "message.input"
            entries.append({"type": kind, "role": message.role, "content": _content(message)})
        for call in group.calls:
            named = {"tool_call_id": call.call_id, "name": call.name}
            entries.append({"type": "function.call", **named, "arguments": call.arguments})
        for output in group.outputs:
            entries.append({"type": "function.result", "tool_call_id": output.call_id, "result": output.output})
    if inject_dummy_user_message and entries and entries[-1].get("role") == "assistant":
        entries.append({"type": "message.input", "role": "user", "content": "(empty)"})
    return entries, MistralFormatData(instructions=instructions)


def _content(message: ChatMessage) -> str | list[dict[str, Any]]:
    pictures = [serialize_image(part).url for part in message.content if isinstance(part, ImageContent)]
    text = message.text_content or ""
    if not pictures:
        return text
    parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": url} for url in pictures]
    return [*parts, {"type": "text", "text": text}] if text else parts
