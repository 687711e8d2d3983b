"""Tools that belong together and share what they need: a connection, a client, a cache."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from agent_tools.discovery import find_function_tools
from agent_tools.tool import Tool


class Toolset:
    """A named group of tools with a life of its own.

    Its own methods that are decorated with `@function_tool` are among its tools. Override `setup` and `aclose` to open
    and close what the tools share, and await the base's too if other toolsets are inside.

    Args:
        id: its name, unique within an agent.
        tools: tools and other toolsets.
    """

    @dataclass
    class ToolCalledEvent:
        """One of its tools is about to run."""

        ctx: Any
        """The `RunContext`."""
        arguments: dict[str, Any]

    @dataclass
    class ToolCompletedEvent:
        """One of its tools has run; who is told may change `output`."""

        ctx: Any
        output: Any | Exception | None

    def __init__(self, *, id: str, tools: Sequence[Tool | Toolset] | None = None) -> None:
        self._id = id
        self._tools: list[Tool | Toolset] = [*(tools or ()), *find_function_tools(self)]

    @property
    def id(self) -> str:
        """Its name."""
        return self._id

    @property
    def tools(self) -> Sequence[Tool | Toolset]:
        """What it holds, toolsets as such."""
        return self._tools

    async def setup(self) -> Self:
        """Get ready for use: the toolsets inside, all at once. The engine awaits it before an agent starts."""
        await asyncio.gather(*(inner.setup() for inner in self.tools if isinstance(inner, Toolset)))
        return self

    async def aclose(self) -> None:
        """Let go of what it holds: the toolsets inside, all at once, and each even if another one fails.

        Raises:
            ExceptionGroup: of what the toolsets inside raised.
        """
        closing = (inner.aclose() for inner in self.tools if isinstance(inner, Toolset))
        results = await asyncio.gather(*closing, return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            raise BaseExceptionGroup(f"closing the toolsets inside {self.id!r} failed", failures)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"


ToolLike: TypeAlias = Tool | Toolset
