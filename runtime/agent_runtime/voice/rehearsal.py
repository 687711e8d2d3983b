"""An agent's `llm_node` run without a model, to see what it would send."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from agent_runtime.llm import ChatContext
    from agent_runtime.voice.agent import Agent
    from agent_tools import Tool

TIMEOUT: Final = 2.0
"""Seconds that a node has to prepare a request: it may look something up, and people wait for the picture of it."""

_current: contextvars.ContextVar[Rehearsal | None] = contextvars.ContextVar("llm_rehearsal", default=None)


class Rehearsal:
    """Gets the conversation that a node hands to the model."""

    def __init__(self) -> None:
        self.sent: ChatContext | None = None

    def take(self, chat_ctx: ChatContext) -> None:
        """The request that would be made; the first one counts."""
        if self.sent is None:
            self.sent = chat_ctx.copy()


def current_rehearsal() -> Rehearsal | None:
    """The rehearsal that runs in this task, None where a model is asked."""
    return _current.get()


async def rehearse(agent: Agent, chat_ctx: ChatContext, tools: list[Tool]) -> ChatContext | None:
    """What `agent.llm_node` would send for this conversation; None if it asks a model of its own.

    The node's own code runs, but for the model. Raises what it raises, and TimeoutError.
    """
    from agent_runtime.voice.agent import ModelSettings

    rehearsal = Rehearsal()

    async def run() -> None:
        _current.set(rehearsal)
        answer: Any = agent.llm_node(chat_ctx, tools, ModelSettings())
        if asyncio.iscoroutine(answer):
            answer = await answer
        if hasattr(answer, "__aiter__"):
            async for _ in answer:
                if rehearsal.sent is None:
                    return  # it answers by itself

    async with asyncio.timeout(TIMEOUT):
        await asyncio.create_task(run(), name="rehearsal of llm_node")
    return rehearsal.sent
