"""Moments in which nobody speaks, waits to speak or is about to be answered: when news may be told."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from agent_tools import ToolError

if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.engine import Engine

_holder: contextvars.ContextVar[object | None] = contextvars.ContextVar("floor_holder", default=None)


class ConversationLostError(ToolError):
    """Raised to who waits for a quiet moment of an agent that hands the conversation over, or of a closed session."""


class Quiet:
    """See the module. One per session.

    A tool that the reply waits for doesn't disturb the quiet: something may be said meanwhile.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held_by: object | None = None

    def now(self, agent: Agent | None = None) -> bool:
        """Whether it is quiet, and the conversation is that agent's if one is given."""
        engine = self._engine
        return (
            engine.scheduler.idle
            and engine.turns.user_is_done
            and not engine.agents.switching
            and (agent is None or engine.agent is agent)
            and self._held_by in (None, _holder.get())
        )

    async def wait(self, agent: Agent | None = None) -> None:
        """Wait until it is quiet.

        With an agent, wait until it has the conversation too. Raises ConversationLostError if that can't be any more.
        """
        engine = self._engine
        while True:
            if engine.closing:
                raise ConversationLostError("the session is closing")
            if agent is not None and agent in engine.calls.leaving:
                raise ConversationLostError(f"{agent.id} hands the conversation over")
            if self.now(agent):
                return
            if engine.agents.switching:
                await engine.agents.moves.changed()
            else:
                await engine.turns.until(lambda: self._may_go_on(agent))

    def _may_go_on(self, agent: Agent | None) -> bool:
        engine = self._engine
        return self.now(agent) or engine.closing or engine.agents.switching or agent in engine.calls.leaving

    @contextlib.asynccontextmanager
    async def held(self, agent: Agent | None) -> AsyncGenerator[None, None]:
        """Wait until it is quiet, then keep others that wait for it waiting. Whoever holds it already goes on."""
        if self._held_by is not None and self._held_by is _holder.get():
            yield
            return
        await self.wait(agent)
        self._held_by = object()
        token = _holder.set(self._held_by)
        try:
            yield
        finally:
            self._held_by = None
            _holder.reset(token)
            self._engine.turns.tell()
