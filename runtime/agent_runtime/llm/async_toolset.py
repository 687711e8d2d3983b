"""A toolset whose calls go on when the agent changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from agent_tools import Tool, Toolset

if TYPE_CHECKING:
    from agent_runtime.voice.tool_handling import ToolHandlingOptions


class _Call(Protocol):
    task: asyncio.Task[None] | None

    @property
    def cancellable(self) -> bool: ...

    def cancel(self) -> None: ...


class AsyncToolset(Toolset):
    """Tools that run for long, for `AgentSession(tools=[…])`.

    Their calls outlive handoffs: whichever agent has the conversation by then tells what came of them. Among an agent's
    own tools, calls end with the agent as those of its other tools do. What tells how far it is with
    `RunContext.update` needs no such toolset.

    Args:
        id: its name, unique within an agent.
        tools: tools and other toolsets.
        tool_handling: what the model is told around these calls; unset, the agent's or the session's.
    """

    def __init__(
        self,
        *,
        id: str,
        tools: Sequence[Tool | Toolset] | None = None,
        tool_handling: ToolHandlingOptions | None = None,
    ) -> None:
        super().__init__(id=id, tools=tools)
        self._tool_handling = tool_handling
        self._running: set[_Call] = set()

    async def aclose(self) -> None:
        """Cancel its calls that may be cancelled, and wait for the others."""
        await super().aclose()
        tasks = [call.task for call in self._running if call.task not in (None, asyncio.current_task())]
        for call in tuple(self._running):
            if call.cancellable:
                call.cancel()
        if tasks:
            await asyncio.wait([task for task in tasks if task is not None])
