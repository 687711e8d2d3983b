"""The tools that one request offers to a model."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from typing_extensions import TypedDict

from agent_runtime.llm.tool_schemas import function_schemas
from agent_tools import (
    AnyFunctionTool,
    FunctionTool,
    ProviderTool,
    RawFunctionTool,
    Tool,
    Toolset,
    find_function_tools,
)


class Function(TypedDict, total=False):
    """The function that a model must call."""

    name: str


class NamedToolChoice(TypedDict, total=False):
    """A tool that a model must call."""

    type: Literal["function"]
    function: Function


ToolChoice: TypeAlias = NamedToolChoice | Literal["auto", "required", "none"]


class ToolContext:
    """Tools by name. Toolsets are taken apart; the order is the one in which the tools are given.

    A subclass may have tools as methods. Raises ValueError where two different tools have the same name.
    """

    def __init__(self, tools: Sequence[Tool | Toolset]) -> None:
        self.update_tools(tools)

    @classmethod
    def empty(cls) -> ToolContext:
        """One without tools."""
        return cls([])

    @property
    def function_tools(self) -> dict[str, AnyFunctionTool]:
        """A copy of the function tools by name, also those of toolsets."""
        return self._functions.copy()

    @property
    def provider_tools(self) -> list[ProviderTool]:
        """A copy of the tools that a provider runs itself."""
        return self._provider_tools.copy()

    @property
    def toolsets(self) -> list[Toolset]:
        """A copy of the toolsets, inner ones before those that hold them."""
        return self._toolsets.copy()

    def flatten(self) -> list[Tool]:
        """Every tool, function tools first."""
        return [*self._functions.values(), *self._provider_tools]

    def get_function_tool(self, name: str) -> AnyFunctionTool | None:
        """The function tool of that name."""
        return self._functions.get(name)

    def update_tools(self, tools: Sequence[Tool | Toolset]) -> None:
        """Hold these tools instead."""
        self._tools = list(tools)
        self._functions: dict[str, AnyFunctionTool] = {}
        self._provider_tools: list[ProviderTool] = []
        self._toolsets: list[Toolset] = []
        # Only a subclass may have some of its own, and one of these is made in each step of a reply.
        methods = find_function_tools(self) if type(self) is not ToolContext else []
        for tool in itertools.chain(tools, methods):
            self._add(tool)

    def copy(self) -> ToolContext:
        """Another context of the same tools."""
        return ToolContext(self._tools)

    def parse_function_tools(self, format: str, **options: Any) -> list[dict[str, Any]]:
        """The tools as a vendor's API takes them; formats as of `ChatContext.to_provider_format`.

        `strict=False` leaves the schemas as they are where the vendor has a strict mode.
        """
        return function_schemas(self.flatten(), format, **options)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ToolContext):
            return NotImplemented
        return (
            self._functions == other._functions
            and {id(tool) for tool in self._provider_tools} == {id(tool) for tool in other._provider_tools}
            and {id(toolset) for toolset in self._toolsets} == {id(toolset) for toolset in other._toolsets}
        )

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def _add(self, tool: Tool | Toolset) -> None:
        if isinstance(tool, FunctionTool | RawFunctionTool):
            known = self._functions.setdefault(tool.info.name, tool)
            if known is not tool and known != tool:
                raise ValueError(f"two tools are called {tool.info.name!r}: give one another name")
        elif isinstance(tool, Toolset):
            for inner in tool.tools:
                self._add(inner)
            self._toolsets.append(tool)
        elif isinstance(tool, ProviderTool):
            self._provider_tools.append(tool)
        elif callable(tool):
            raise ValueError(
                f"{getattr(tool, '__name__', tool)!r} is no tool: decorate it with @function_tool, last of all"
            )
        else:
            raise ValueError(f"{tool!r} is no tool: it is a {type(tool).__name__}")
