"""Google's Gemini format: https://ai.google.dev/api/caching#Content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent_runtime.llm.chat_items import ChatItem, ChatMessage, FunctionCall, FunctionCallOutput, ImageContent
from agent_runtime.llm.provider_format.grouping import arguments_object, group_items, with_one_preamble
from agent_runtime.llm.provider_format.images import serialize_image


@dataclass
class GoogleFormatData:
    """What goes beside the turns."""

    system_messages: list[str] | None


def to_turns(
    items: Sequence[ChatItem],
    *,
    inject_dummy_user_message: bool = True,
    thought_signatures: Mapping[str, bytes] | None = None,
    merge_dynamic_instructions: bool = True,
) -> tuple[list[dict[str, Any]], GoogleFormatData]:
    """The `contents` of a request, and the system texts.

    The last turn must be the user's or a tool's; one is made up where it isn't. `thought_signatures` are what the model
    wants to see again with its calls, by call id. Where the system texts aren't sent, because they are in a cache,
    `Instructions.dynamic` has to be a turn: `merge_dynamic_instructions=False`.
    """
    turns: list[dict[str, Any]] = []
    system: list[str] = []
    role_before = None
    for group in group_items(with_one_preamble(items, merge_dynamic=merge_dynamic_instructions)):
        for item in group.items():
            if isinstance(item, ChatMessage) and item.role in ("system", "developer"):
                system += [item.text_content] if item.text_content else []
                continue
            parts = _parts(item, thought_signatures or {})
            if not parts:
                continue
            role = _role(item)
            if role != role_before:
                # A tool's outputs are the user's turn, but one that nothing else may be in.
                turns.append({"role": "user" if role == "tool" else role, "parts": []})
                role_before = role
            turns[-1]["parts"] += parts
    if inject_dummy_user_message and (not turns or turns[-1]["role"] != "user"):
        turns.append({"role": "user", "parts": [{"text": "."}]})
    return turns, GoogleFormatData(system_messages=system)


def _role(item: ChatMessage | FunctionCall | FunctionCallOutput) -> str:
    if isinstance(item, FunctionCallOutput):
        return "tool"
    return "model" if isinstance(item, FunctionCall) or item.role == "assistant" else "user"


def _parts(
    item: ChatMessage | FunctionCall | FunctionCallOutput, signatures: Mapping[str, bytes]
) -> list[dict[str, Any]]:
    if isinstance(item, FunctionCall):
        part: dict[str, Any] = {
            "function_call": {"id": item.call_id, "name": item.name, "args": arguments_object(item)}
        }
        signature = signatures.get(item.call_id)
        return [{**part, "thought_signature": signature} if signature else part]
    if isinstance(item, FunctionCallOutput):
        response = {"error" if item.is_error else "output": item.output}
        return [{"function_response": {"id": item.call_id, "name": item.name, "response": response}}]
    return [
        _image(part) if isinstance(part, ImageContent) else {"text": part}
        for part in item.content
        if isinstance(part, ImageContent) or (isinstance(part, str) and part)
    ]


def _image(image: ImageContent) -> dict[str, Any]:
    serialized = serialize_image(image)
    if serialized.data_bytes is None:
        return {"file_data": {"file_uri": serialized.url, "mime_type": serialized.mime_type or "image/jpeg"}}
    return {"inline_data": {"data": serialized.data_bytes, "mime_type": serialized.mime_type}}
