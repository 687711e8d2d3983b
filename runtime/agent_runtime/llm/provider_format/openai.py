"""OpenAI's Chat Completions and Responses formats.

https://platform.openai.com/docs/api-reference/chat and /responses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agent_runtime.llm.chat_items import CacheBreakpoint, ChatItem, ChatMessage, FunctionCall, ImageContent
from agent_runtime.llm.provider_format.grouping import group_items, merge_dynamic_instructions
from agent_runtime.llm.provider_format.images import serialize_image

# What other vendors with this API want to see again, by the name under which their provider keeps it in `extra`.
_EXTRA_CONTENT = ("google", "livekit", "xai")


def to_chat_completions(
    items: Sequence[ChatItem], *, inject_dummy_user_message: bool = True, prompt_cache_breakpoints: bool = False
) -> tuple[list[dict[str, Any]], None]:
    """The `messages` of a Chat Completions request. It needs no user message, so none is made up."""
    messages: list[dict[str, Any]] = []
    for group in group_items(items if prompt_cache_breakpoints else merge_dynamic_instructions(items)):
        if (message := group.message) is not None:
            content = _content(message, "text", _chat_image, breakpoints=prompt_cache_breakpoints)
            messages.append({"role": message.role, "content": content, **_extra_content(message.extra)})
        elif group.calls:
            messages.append({"role": "assistant"})
        if group.calls:
            messages[-1]["tool_calls"] = [_chat_call(call) for call in group.calls]
        for output in group.outputs:
            messages.append({"role": "tool", "tool_call_id": output.call_id, "content": output.output})
    return messages, None


def to_responses(
    items: Sequence[ChatItem], *, inject_dummy_user_message: bool = True, prompt_cache_breakpoints: bool = False
) -> tuple[list[dict[str, Any]], None]:
    """The `input` of a Responses request. It needs no user message, so none is made up."""
    result: list[dict[str, Any]] = []
    for group in group_items(items if prompt_cache_breakpoints else merge_dynamic_instructions(items)):
        if (message := group.message) is not None:
            # The content of an assistant's message is output, which takes no marks.
            breakpoints = prompt_cache_breakpoints and message.role != "assistant"
            content = _content(message, "input_text", _responses_image, breakpoints=breakpoints)
            phase = message.extra.get("openai", {}).get("phase") if message.role == "assistant" else None
            result.append({"role": message.role, "content": content, **({"phase": phase} if phase else {})})
        for call in group.calls:
            result.append(
                {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments}
            )
        for output in group.outputs:
            result.append({"type": "function_call_output", "call_id": output.call_id, "output": output.output})
    return result, None


def _chat_call(call: FunctionCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.call_id, "type": "function", "function": function, **_extra_content(call.extra)}


def _extra_content(extra: dict[str, Any]) -> dict[str, Any]:
    kept = {name: extra[name] for name in _EXTRA_CONTENT if extra.get(name)}
    return {"extra_content": kept} if kept else {}


def _content(
    message: ChatMessage, text_type: str, to_image: Callable[[ImageContent], dict[str, Any]], *, breakpoints: bool
) -> str | list[dict[str, Any]]:
    """A message's text as one string where it can be, which every server takes; else parts."""
    if breakpoints and any(isinstance(part, CacheBreakpoint) for part in message.content):
        return _marked_parts(message, text_type, to_image)
    images = [to_image(part) for part in message.content if isinstance(part, ImageContent)]
    text = message.text_content or ""
    if not images:
        return text
    return [*images, {"type": text_type, "text": text}] if text else images


def _marked_parts(
    message: ChatMessage, text_type: str, to_image: Callable[[ImageContent], dict[str, Any]]
) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    text_seen = False
    for content in message.content:
        if isinstance(content, ImageContent):
            parts.append(to_image(content))
        elif isinstance(content, str) and content:
            # As in `text_content`, texts are a line each.
            parts.append({"type": text_type, "text": f"\n{content}" if text_seen else content})
            text_seen = True
        elif isinstance(content, CacheBreakpoint) and parts:
            parts[-1]["prompt_cache_breakpoint"] = {"mode": "explicit"}
    return parts


def _chat_image(image: ImageContent) -> dict[str, Any]:
    serialized = serialize_image(image)
    return {"type": "image_url", "image_url": {"url": serialized.url, "detail": serialized.inference_detail}}


def _responses_image(image: ImageContent) -> dict[str, Any]:
    serialized = serialize_image(image)
    return {"type": "input_image", "image_url": serialized.url, "detail": serialized.inference_detail}
