"""Which tools a reply offers to the model, and to which toolset one belongs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from agent_runtime.llm.async_toolset import AsyncToolset
from agent_runtime.voice.running_tools import RUNNING_TOOLS
from agent_tools import FunctionTool, RawFunctionTool, Tool, ToolFlag, Toolset


def offered(tools: Sequence[Tool | Toolset], *, on_enter: bool) -> list[Tool | Toolset]:
    """Those of `tools` that may be called now, and those by which running calls are listed and cancelled.

    The latter are there as soon as one tool may be cancelled, running or not: what the model is offered stays the same
    from turn to turn.
    """
    kept: Sequence[Tool | Toolset] = tools
    if on_enter:
        kept = [tool for tool in flat(tools) if ToolFlag.IGNORE_ON_ENTER not in _flags(tool)]
    cancellable = any(ToolFlag.CANCELLABLE in _flags(tool) for tool in flat(kept))
    return [*kept, *(RUNNING_TOOLS if cancellable else ())]


def async_toolset_of(name: str, tools: Iterable[Tool | Toolset]) -> AsyncToolset | None:
    """The innermost `AsyncToolset` among `tools` that holds the tool of that name."""
    for tool in tools:
        if isinstance(tool, Toolset):
            inner = async_toolset_of(name, tool.tools)
            if inner is not None:
                return inner
            if isinstance(tool, AsyncToolset) and any(other.id == name for other in flat(tool.tools)):
                return tool
    return None


def flat(tools: Iterable[Tool | Toolset]) -> Iterator[Tool]:
    """The tools, toolsets taken apart."""
    for tool in tools:
        if isinstance(tool, Toolset):
            yield from flat(tool.tools)
        else:
            yield tool


def _flags(tool: Tool) -> ToolFlag:
    return tool.info.flags if isinstance(tool, FunctionTool | RawFunctionTool) else ToolFlag.NONE
