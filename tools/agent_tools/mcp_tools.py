"""How a tool of an MCP server becomes a tool that a model may call, and what comes back of a call."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypedDict, cast

from agent_tools.call_context import CallContext
from agent_tools.errors import ToolError
from agent_tools.functions import RawFunctionTool, function_tool
from agent_tools.tool import DuplicateMode, DuplicateScope, ToolFlag

if TYPE_CHECKING:
    from mcp_types import CallToolResult
    from mcp_types import Tool as RemoteTool

MCPTool: TypeAlias = RawFunctionTool[..., Any]
"""A tool that an MCP server runs."""


class Progress(Protocol):
    """Told how far a call is: the total where it is known, and words for a person where there are any."""

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        """Take note."""
        ...


class CallTool(Protocol):
    """Calls a tool on the server."""

    async def __call__(self, name: str, arguments: dict[str, Any], progress: Progress | None) -> CallToolResult:
        """Give the server's result; raises ToolError if the server can't be asked."""
        ...


class ReportsProgress(Protocol):
    """A call's context that can tell the conversation how far it is: the runtime's `RunContext`."""

    async def update(self, message: str) -> Any:
        """Say it."""
        ...


class MCPToolOptions(TypedDict, total=False):
    """How the engine treats one tool of a server."""

    flags: ToolFlag
    on_duplicate: DuplicateMode
    duplicate_scope: DuplicateScope
    report_progress: bool
    """Whether what the tool says of its progress goes to `context.update`, which lets the conversation go on."""


@dataclass
class MCPToolResultContext:
    """What a result resolver is given: one finished call."""

    tool_name: str
    arguments: dict[str, Any]
    result: CallToolResult


MCPToolResultResolver: TypeAlias = Callable[[MCPToolResultContext], Any | Awaitable[Any]]
"""Turns a server's result into what the model reads."""


def result_text(context: MCPToolResultContext) -> str:
    """What the model reads of a result by default: text as it is, everything else as JSON, a line each.

    Raises:
        ToolError: the server gave neither content nor structured content.
    """
    result = context.result
    if result.content:
        return "\n".join(_part_text(part) for part in result.content)
    if result.structured_content is not None:
        return json.dumps(result.structured_content, ensure_ascii=False)
    raise ToolError(f"{context.tool_name} finished without a result.")


def make_tool(remote: RemoteTool, call: CallTool, options: MCPToolOptions, resolver: MCPToolResultResolver) -> MCPTool:
    """Describe a server's tool as one of ours: the server's own schema, and calls that go to the server."""
    name = remote.name

    async def finish(result: CallToolResult, arguments: dict[str, Any]) -> Any:
        if result.is_error:
            raise ToolError("\n".join(_part_text(part) for part in result.content) or f"{name} failed.")
        resolved = resolver(MCPToolResultContext(name, arguments, result))
        return await resolved if inspect.isawaitable(resolved) else resolved

    async def blocking(raw_arguments: dict[str, Any]) -> Any:
        return await finish(await call(name, raw_arguments, None), raw_arguments)

    async def reporting(context: CallContext, raw_arguments: dict[str, Any]) -> Any:
        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            if message:
                await cast("ReportsProgress", context).update(message)

        # A context that can't report costs the progress, not the call.
        report = on_progress if hasattr(context, "update") else None
        return await finish(await call(name, raw_arguments, report), raw_arguments)

    schema: dict[str, Any] = {
        "name": name,
        "description": remote.description or "",
        "parameters": remote.input_schema,
    }
    if remote.meta:
        schema["meta"] = remote.meta
    return function_tool(
        reporting if options.get("report_progress") else blocking,
        raw_schema=schema,
        flags=options.get("flags", ToolFlag.NONE),
        on_duplicate=options.get("on_duplicate", "allow"),
        duplicate_scope=options.get("duplicate_scope", "name"),
    )


def _part_text(part: Any) -> str:
    text = getattr(part, "text", None)
    return text if isinstance(text, str) else str(part.model_dump_json(by_alias=True, exclude_none=True))
