"""The tools that a model is offered, by name, and what happens when two want the same one."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from agent_tools.call_context import CallContext
from agent_tools.discovery import AnyFunctionTool, as_function_tool
from agent_tools.errors import ToolConflictError, ToolError
from agent_tools.functions import FunctionTool, RawFunctionTool
from agent_tools.outcome import ToolOutcome, outcome_of_exception
from agent_tools.tool import ProviderTool, Tool
from agent_tools.toolset import Toolset

ConflictRule: TypeAlias = Literal["error", "replace", "keep", "namespace"]
"""What becomes of a tool whose name is taken: it is refused, it takes the name over, it is left out, or it is offered
as `<toolset's id>__<name>` (and refused if it isn't in a toolset, or that name is taken too). The same tool twice is no
conflict under any rule."""


class ToolRegistry:
    """Tools by name, those inside toolsets included.

    Args:
        tools: what to begin with.
        on_conflict: the rule for names that are taken.

    Raises:
        ToolConflictError: two tools want one name, and the rule doesn't settle it.
        TypeError: something isn't a tool.
    """

    def __init__(self, tools: Iterable[Tool | Toolset] = (), *, on_conflict: ConflictRule = "error") -> None:
        self._on_conflict: ConflictRule = on_conflict
        self._tools: dict[str, Tool] = {}
        self._toolsets: dict[str, Toolset] = {}
        self._owners: dict[str, str] = {}
        self.register(*tools)

    @property
    def function_tools(self) -> dict[str, AnyFunctionTool]:
        """The function tools by name, in the order in which they were registered."""
        return {name: tool for name, tool in self._tools.items() if isinstance(tool, FunctionTool | RawFunctionTool)}

    @property
    def provider_tools(self) -> list[ProviderTool]:
        """The tools that the provider runs."""
        return [tool for tool in self._tools.values() if isinstance(tool, ProviderTool)]

    @property
    def toolsets(self) -> list[Toolset]:
        """The toolsets, those inside others included, for `setup` and `aclose`."""
        return list(self._toolsets.values())

    def register(self, *tools: Tool | Toolset, on_conflict: ConflictRule | None = None) -> None:
        """Add tools; if one is refused, none of them is added.

        Raises:
            ToolConflictError: as the rule says.
            TypeError: something isn't a tool.
        """
        before = (dict(self._tools), dict(self._toolsets), dict(self._owners))
        try:
            for tool in tools:
                self._add(tool, on_conflict or self._on_conflict, owner="")
        except (ToolConflictError, TypeError):
            self._tools, self._toolsets, self._owners = before
            raise

    def unregister(self, tool: str | Tool | Toolset) -> None:
        """Remove a tool, by itself or by name, or a toolset with all its tools.

        Raises:
            KeyError: it isn't here.
        """
        if isinstance(tool, Toolset):
            if self._toolsets.get(tool.id) is not tool:
                raise KeyError(f"no toolset {tool.id!r} is registered")
            self._remove_toolset(tool)
            return
        for name, known in self._tools.items():
            if name == tool or known == tool:
                del self._tools[name], self._owners[name]
                return
        raise KeyError(f"no tool {tool if isinstance(tool, str) else tool.id!r} is registered")

    def get(self, name: str) -> Tool | None:
        """Give the tool of that name, None if there is none."""
        return self._tools.get(name)

    def names(self) -> list[str]:
        """The names in the order in which they were registered."""
        return list(self._tools)

    def find(self, predicate: Callable[[Tool], bool]) -> list[Tool]:
        """Give the tools for which `predicate` holds."""
        return [tool for tool in self if predicate(tool)]

    def to_openai(self, *, strict: bool = True) -> list[dict[str, Any]]:
        """Describe the function tools as OpenAI's chat completions take them."""
        return [tool.to_openai(strict=strict) for tool in self.function_tools.values()]

    async def execute(
        self, name: str, arguments: str | Mapping[str, Any], context: CallContext | None = None
    ) -> ToolOutcome:
        """Call a tool by the name that the model wrote; an unknown one is an outcome that tells those there are."""
        tool = self._tools.get(name)
        if not isinstance(tool, FunctionTool | RawFunctionTool):
            return outcome_of_exception(ToolError(self._unknown(name)))
        return await tool.execute(arguments, context)

    def _unknown(self, name: str) -> str:
        names = list(self.function_tools)
        close = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        known = f"available tools: {', '.join(names)}" if names else "no tools are available"
        return f"Unknown function: {name} - {known}.{hint}"

    def _add(self, tool: Tool | Toolset, rule: ConflictRule, owner: str) -> None:
        if isinstance(tool, Toolset):
            known = self._toolsets.get(tool.id)
            if known is tool:
                return
            if known is not None:
                self._settle_toolsets(known, rule)
                if rule == "keep":
                    return
            self._toolsets[tool.id] = tool
            for inner in tool.tools:
                self._add(inner, rule, owner=tool.id)
            return
        plain = tool if isinstance(tool, Tool) else as_function_tool(tool)
        if plain is None:
            raise TypeError(f"{tool!r} is not a tool: decorate it with @function_tool, or give a Tool or a Toolset")
        known_tool = self._tools.get(plain.id)
        if known_tool is not None and known_tool != plain:
            if rule == "keep":
                return
            plain = self._renamed(plain, known_tool, rule, owner)
        self._tools[plain.id] = plain
        self._owners[plain.id] = owner

    def _settle_toolsets(self, known: Toolset, rule: ConflictRule) -> None:
        if rule == "replace":
            self._remove_toolset(known)
        elif rule != "keep":
            raise ToolConflictError(known.id, "a toolset", "another toolset")

    def _renamed(self, tool: Tool, known: Tool, rule: ConflictRule, owner: str) -> Tool:
        if rule == "replace":
            return tool
        if rule == "namespace" and owner and isinstance(tool, FunctionTool | RawFunctionTool):
            renamed = tool.renamed(f"{owner}__{tool.id}")
            if self._tools.get(renamed.id, renamed) == renamed:
                return renamed
        raise ToolConflictError(tool.id, self._origin(known, self._owners[tool.id]), self._origin(tool, owner))

    def _remove_toolset(self, toolset: Toolset) -> None:
        for inner in toolset.tools:
            if isinstance(inner, Toolset) and self._toolsets.get(inner.id) is inner:
                self._remove_toolset(inner)
        for name in [name for name, owner in self._owners.items() if owner == toolset.id]:
            del self._tools[name], self._owners[name]
        del self._toolsets[toolset.id]

    @staticmethod
    def _origin(tool: Tool, owner: str) -> str:
        where = getattr(tool, "__qualname__", type(tool).__qualname__)
        module = getattr(tool, "__module__", "")
        return f"{module}.{where}" + (f" of toolset {owner!r}" if owner else "")

    def __iter__(self) -> Iterator[Tool]:
        return iter(list(self._tools.values()))

    def __len__(self) -> int:
        return len(self._tools)

    def __contains__(self, name: object) -> bool:
        return name in self._tools
