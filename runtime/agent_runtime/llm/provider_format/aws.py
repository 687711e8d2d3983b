"""Amazon Bedrock's Converse format: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent_runtime.llm.chat_items import ChatItem, ChatMessage, FunctionCall, FunctionCallOutput, ImageContent
from agent_runtime.llm.provider_format.grouping import arguments_object, by_turns
from agent_runtime.llm.provider_format.images import serialize_image


@dataclass
class BedrockFormatData:
    """What goes beside the messages."""

    system_messages: list[str] | None


def to_converse(
    items: Sequence[ChatItem], *, inject_dummy_user_message: bool = True
) -> tuple[list[dict[str, Any]], BedrockFormatData]:
    """The `messages` of a request, users' and assistants' by turns, and the system texts.

    The first message must be a user's; one is made up where it isn't. Raises ValueError for a picture by its URL, which
    Bedrock doesn't take.
    """
    messages, system = by_turns(items, _blocks)
    if inject_dummy_user_message and (not messages or messages[0]["role"] != "user"):
        messages.insert(0, {"role": "user", "content": [{"text": "(empty)"}]})
    return messages, BedrockFormatData(system_messages=system)


def _blocks(item: ChatMessage | FunctionCall | FunctionCallOutput) -> list[dict[str, Any]]:
    if isinstance(item, FunctionCall):
        return [{"toolUse": {"toolUseId": item.call_id, "name": item.name, "input": arguments_object(item)}}]
    if isinstance(item, FunctionCallOutput):
        status = "error" if item.is_error else "success"
        return [{"toolResult": {"toolUseId": item.call_id, "content": [{"text": item.output}], "status": status}}]
    blocks: list[dict[str, Any]] = []
    for part in item.content:
        if isinstance(part, ImageContent):
            blocks.append(_image(part))
        elif isinstance(part, str) and part:
            blocks.append({"text": str(part)})
    return blocks


def _image(image: ImageContent) -> dict[str, Any]:
    serialized = serialize_image(image)
    if serialized.data_bytes is None:
        raise ValueError(f"Bedrock takes no picture by its URL ({serialized.external_url}): give its bytes")
    kind = (serialized.mime_type or "image/jpeg").removeprefix("image/")
    return {"image": {"format": kind, "source": {"bytes": serialized.data_bytes}}}
