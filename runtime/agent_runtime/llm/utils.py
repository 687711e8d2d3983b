"""Running a model's tool calls by hand, and comparing conversations."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, TypeVar

from agent_runtime.llm.chat_chunk import FunctionToolCall
from agent_runtime.llm.chat_context import ChatContext
from agent_runtime.llm.chat_items import ChatMessage, FunctionCall, FunctionCallOutput
from agent_runtime.llm.provider_format.images import SerializedImage, serialize_image
from agent_runtime.llm.thinking import ThinkingTokenFilter, strip_thinking_tokens
from agent_runtime.llm.tool_arguments import (
    function_arguments_to_pydantic_model,
    parse_function_arguments,
    prepare_function_arguments,
    to_openai_response_format,
    to_response_format_param,
)
from agent_runtime.llm.tool_context import ToolContext
from agent_tools import CallContext, FunctionTool, ToolOutcome

__all__ = [
    "DiffOps",
    "FunctionCallResult",
    "ResponseFormatT",
    "SerializedImage",
    "ThinkingTokenFilter",
    "build_legacy_openai_schema",
    "build_strict_openai_schema",
    "compute_chat_ctx_diff",
    "execute_function_call",
    "function_arguments_to_pydantic_model",
    "parse_function_arguments",
    "prepare_function_arguments",
    "serialize_image",
    "strip_thinking_tokens",
    "to_openai_response_format",
    "to_response_format_param",
]

ResponseFormatT = TypeVar("ResponseFormatT")
"""The type of which a model's answer is to be."""


@dataclass
class FunctionCallResult:
    """A call and what came of it, as items for a chat context."""

    fnc_call: FunctionCall
    fnc_call_out: FunctionCallOutput
    raw_output: Any
    """What the tool returned, before it became text."""
    raw_exception: BaseException | None
    fnc_call_updates: list[tuple[FunctionCall, FunctionCallOutput]] = field(default_factory=list)


async def execute_function_call(
    tool_call: FunctionToolCall, tool_ctx: ToolContext, *, call_ctx: CallContext | None = None
) -> FunctionCallResult:
    """Run one tool call, outside of a session. It doesn't raise for what the tool or the model does."""
    call = FunctionCall(
        call_id=tool_call.call_id,
        name=tool_call.name,
        arguments=tool_call.arguments or "{}",
        extra=tool_call.extra or {},
    )
    tool = tool_ctx.get_function_tool(call.name)
    if tool is None:
        known = ", ".join(tool_ctx.function_tools) or "none"
        problem = f"Unknown function: {call.name} - available tools: {known}"
        outcome = ToolOutcome(None, problem, is_error=True, exception=ValueError(problem))
    else:
        outcome = await tool.execute(call.arguments, call_ctx)
    output = FunctionCallOutput(
        name=call.name,
        call_id=call.call_id,
        output=outcome.output,
        is_error=outcome.is_error,
        reply_required=outcome.reply_required,
    )
    updates: list[tuple[FunctionCall, FunctionCallOutput]] = list(getattr(call_ctx, "_updates", ()))
    return FunctionCallResult(call, output, outcome.value, outcome.exception, fnc_call_updates=updates)


def build_legacy_openai_schema(
    function_tool: FunctionTool[..., Any], *, internally_tagged: bool = False
) -> dict[str, Any]:
    """A tool as OpenAI takes it without strict mode; `internally_tagged` as the Responses API does."""
    schema = function_tool.to_openai(strict=False)
    return {**schema["function"], "type": "function"} if internally_tagged else schema


def build_strict_openai_schema(function_tool: FunctionTool[..., Any]) -> dict[str, Any]:
    """A tool as OpenAI takes it in strict mode, or without where its schema can't be strict."""
    return function_tool.to_openai(strict=True)


@dataclass
class DiffOps:
    """How one conversation becomes another. A pair is the id of the item before (None: none) and the item's own."""

    to_remove: list[str]
    to_create: list[tuple[str | None, str]]
    to_update: list[tuple[str | None, str]]
    """Messages whose text changed."""


def compute_chat_ctx_diff(old_ctx: ChatContext, new_ctx: ChatContext) -> DiffOps:
    """Few changes, if not always the fewest, that make the one of the other. Items that stay keep their order."""
    old_ids = [item.id for item in old_ctx.items]
    new_ids = [item.id for item in new_ctx.items]
    matcher = SequenceMatcher(a=old_ids, b=new_ids, autojunk=False)
    kept = {item_id for block in matcher.get_matching_blocks() for item_id in old_ids[block.a : block.a + block.size]}
    old_items = {item.id: item for item in old_ctx.items}
    diff = DiffOps([item_id for item_id in old_ids if item_id not in kept], [], [])
    for before, new in zip([None, *new_ids], new_ctx.items, strict=False):
        if new.id not in kept:
            diff.to_create.append((before, new.id))
            continue
        old = old_items[new.id]
        if isinstance(new, ChatMessage) and isinstance(old, ChatMessage) and new.text_content != old.text_content:
            diff.to_update.append((before, new.id))
    return diff
