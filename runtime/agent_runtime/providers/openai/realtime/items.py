"""Items of a conversation as the realtime API writes them."""

from __future__ import annotations

import base64
import hashlib
import logging
import math
from typing import Any, Final

from livekit.rtc import combine_audio_frames

from agent_runtime.llm.chat_items import ChatItem, ChatMessage, FunctionCall, FunctionCallOutput
from agent_runtime.llm.content import AudioContent, ImageContent
from agent_runtime.llm.provider_format.images import serialize_image
from agent_runtime.providers.openai.json_values import as_dict, as_list, as_text

logger = logging.getLogger(__name__)

_LONGEST_CALL_ID: Final = 32
_TEXTS: Final = ("input_text", "output_text", "text")


def to_wire(item: ChatItem) -> dict[str, Any] | None:
    """An item as the API takes it; None for what it has no form for."""
    if isinstance(item, FunctionCall):
        call = {"type": "function_call", "call_id": _call_id(item.call_id), "name": item.name}
        return {"id": item.id, **call, "arguments": item.arguments}
    if isinstance(item, FunctionCallOutput):
        return {
            "id": item.id,
            "type": "function_call_output",
            "call_id": _call_id(item.call_id),
            "output": item.output,
        }
    if not isinstance(item, ChatMessage):
        return None
    role = "system" if item.role == "developer" else item.role
    parts = [part for content in item.content if (part := _part(content, role)) is not None]
    return {"id": item.id, "type": "message", "role": role, "content": parts}


def from_wire(data: dict[str, Any]) -> ChatItem | None:
    """The item that the server tells of; None for a kind that conversations here don't have."""
    item_id, kind = as_text(data.get("id")), data.get("type")
    if kind == "function_call":
        return FunctionCall(
            id=item_id,
            call_id=as_text(data.get("call_id")),
            name=as_text(data.get("name")),
            arguments=as_text(data.get("arguments")),
        )
    if kind == "function_call_output":
        call_id, output = as_text(data.get("call_id")), as_text(data.get("output"))
        return FunctionCallOutput(id=item_id, call_id=call_id, output=output, is_error=False)
    role = data.get("role")
    if kind != "message" or role not in ("system", "user", "assistant"):
        return None
    content: list[Any] = []
    for part in map(as_dict, as_list(data.get("content"))):
        if part.get("type") in _TEXTS and part.get("text"):
            content.append(as_text(part["text"]))
        elif part.get("type") == "input_image" and part.get("image_url"):
            content.append(ImageContent(image=as_text(part["image_url"])))
        elif part.get("type") == "input_audio" and part.get("transcript"):
            content.append(as_text(part["transcript"]))
    return ChatMessage(id=item_id, role=role, content=content)


def confidence(logprobs: object) -> float | None:
    """How sure a transcript is, from 0 to 1: the geometric mean of its tokens' probabilities; None if it isn't told."""
    values = [as_dict(token).get("logprob") for token in as_list(logprobs)]
    numbers = [value for value in values if isinstance(value, int | float)]
    return math.exp(sum(numbers) / len(numbers)) if numbers else None


def _part(content: Any, role: str) -> dict[str, Any] | None:
    if isinstance(content, str):
        return {"type": "output_text" if role == "assistant" else "input_text", "text": str(content)}
    if role != "user":
        return None
    if isinstance(content, ImageContent):
        image = serialize_image(content)
        if image.external_url:
            logger.warning("the realtime API takes no picture by its URL, so the model isn't shown it")
            return None
        return {"type": "input_image", "image_url": image.url}
    if isinstance(content, AudioContent):
        sound = base64.b64encode(combine_audio_frames(content.frame).data).decode("ascii")
        return {"type": "input_audio", "audio": sound, "transcript": content.transcript}
    return None


def _call_id(call_id: str) -> str:
    """The API takes 32 characters at most; of a longer one, such as another provider's, always the same are made."""
    if len(call_id) <= _LONGEST_CALL_ID:
        return call_id
    return hashlib.sha256(call_id.encode()).hexdigest()[:_LONGEST_CALL_ID]
