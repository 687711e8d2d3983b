"""`Workshop`: the one place that takes what a person asks of a session beyond talking to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from agent_runtime.errors import RequestRefusedError
from agent_runtime.events import AgentChanged, AnyEvent, RequestRefused
from agent_runtime.voice.session import AgentSession
from agent_runtime.workshop import requests as ask
from agent_runtime.workshop.branches import Branches
from agent_runtime.workshop.context_bench import ContextBench
from agent_runtime.workshop.requests import Request
from agent_runtime.workshop.tool_bench import ToolBench
from agent_runtime.workshop.turn_log import NEW_CODE, TurnLog


class Workshop:
    """Does what is asked of a session by hand, and tells it by the session's events.

    Make it before the session starts: it has to know which turn each item came in. All of it belongs to the session's
    loop.
    """

    def __init__(self, session: AgentSession[Any]) -> None:
        engine = session._engine
        self._engine = engine
        self._turns = TurnLog(engine)
        self.tools = ToolBench(engine)
        self.context = ContextBench(engine, self._turns)
        self.branches = Branches(engine, self._turns)
        self._one_at_a_time = asyncio.Lock()
        self._agent = engine.agent
        session.events.subscribe(self._agent_changed, types=(AgentChanged,))

    def _agent_changed(self, event: AnyEvent) -> None:
        old, self._agent = self._agent, self._engine.agent
        assert self._agent is not None
        if old is not None and event.cause == NEW_CODE:
            self.branches.code_changed(old, self._agent)
        self.tools.tell(event.cause or "start")

    async def ask(self, request: Request) -> None:
        """Do it, or tell by an event why it can't be done. Never raises for what was asked."""
        try:
            await self.do(request)
        except RequestRefusedError as refused:
            self._engine.report.emit(RequestRefused(refused.request, refused.problem))

    async def do(self, request: Request) -> None:
        """Do it. Raises RequestRefusedError.

        What rewrites the conversation happens one after the other; a tool that runs holds nothing up.
        """
        if isinstance(request, ask.RunTool):
            await self.tools.run(request)
            return
        async with self._one_at_a_time:
            done = _DO[type(request)](self, request)
            if done is not None:
                await done
            if (cause := _SHOWN_AFTER.get(type(request))) is not None:
                await self.context.show(cause)


_DO: Final[dict[type, Callable[[Workshop, Any], Awaitable[None] | None]]] = {
    ask.ListTools: lambda shop, request: shop.tools.tell("request"),
    ask.KeepTry: lambda shop, request: shop.tools.keep(request),
    ask.SetStandIn: lambda shop, request: shop.tools.stand_in(request),
    ask.ShowContext: lambda shop, request: None,
    ask.EditItem: lambda shop, request: shop.context.edit(request),
    ask.InsertMessage: lambda shop, request: shop.context.insert(request),
    ask.DeleteItem: lambda shop, request: shop.context.delete(request),
    ask.Rewind: lambda shop, request: shop.branches.rewind(request),
    ask.Fork: lambda shop, request: shop.branches.fork(request),
    ask.SwitchBranch: lambda shop, request: shop.branches.switch(request),
}
_SHOWN_AFTER: Final[dict[type, str]] = {
    ask.ShowContext: "request",
    ask.EditItem: "edit",
    ask.InsertMessage: "insert",
    ask.DeleteItem: "delete",
    ask.Rewind: "rewind",
    ask.Fork: "fork",
    ask.SwitchBranch: "switch",
}
"""What leaves another conversation, and the cause that its picture has."""
