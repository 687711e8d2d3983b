"""The ways that a conversation took: go back in one, begin another, change between them."""

from __future__ import annotations

import asyncio
import copy
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from agent_runtime import events as ev
from agent_runtime.errors import RequestRefusedError
from agent_runtime.llm import ChatItem
from agent_runtime.voice.speech_handle import INTERRUPTION_TIMEOUT

if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.engine import Engine
    from agent_runtime.workshop.requests import Fork, Rewind, SwitchBranch
    from agent_runtime.workshop.turn_log import TurnLog

logger = logging.getLogger(__name__)

PATIENCE: Final = INTERRUPTION_TIMEOUT + 1.0
"""Seconds until a branch is left or rewound at the latest: a tool that may not be cancelled goes on in the background
after all but the last of them."""
WAITS_FOR: Final = {
    "speech": "the agent doesn't stop speaking",
    "tool": "a tool is still running",
    "handoff": "a handoff is under way",
    "task": "a task has the conversation: finish it first",
}


@dataclass(slots=True)
class _Branch:
    """A branch; agent, items and userdata are those with which it was left."""

    id: str
    parent: str | None
    from_turn: str | None
    agent: Agent
    items: list[ChatItem]
    history: list[ChatItem]
    data: Any
    userdata: Literal["own", "copied", "shared"] = "own"

    def as_event(self) -> ev.Branch:
        """As plain data."""
        return ev.Branch(self.id, self.parent, self.from_turn, len(self.items), self.userdata)


class Branches:
    """See the module. One per session.

    A branch has the conversation (copied deep, the agent's and the session's), the agent that has it, and userdata. All
    share the agents' own attributes, devices, providers, stand-ins, and tools that run in the background.
    """

    def __init__(self, engine: Engine, turns: TurnLog) -> None:
        self._engine = engine
        self._turns = turns
        self._all: list[_Branch] = []
        self._current: _Branch | None = None
        self._made = 0

    def kept(self) -> list[Any]:
        """What branches hold that aren't the current one: agents and userdata, for new code to be given to."""
        return [part for branch in self._all if branch is not self._current for part in (branch.agent, branch.data)]

    def code_changed(self, old: Agent, new: Agent) -> None:
        """New code stands in for `old`, in every branch."""
        for branch in self._all:
            branch.agent = new if branch.agent is old else branch.agent

    # --- requests ----------------------------------------------------------------------------------------------------

    async def rewind(self, request: Rewind) -> None:
        """Drop what came after a turn. Devices, userdata and what runs in the background stay."""
        agent = self._agent_at(request.turn_id, "rewind")
        await self._quiet("rewind")
        engine = self._engine
        items = self._turns.until(agent._chat_ctx.items, request.turn_id)
        dropped = len(agent._chat_ctx.items) - len(items)
        engine.agents.go_back(agent, "rewind")
        agent._chat_ctx.items[:] = items
        engine.history.items[:] = self._turns.until(engine.history.items, request.turn_id)
        self._tell("rewind", dropped)

    async def fork(self, request: Fork) -> None:
        """Go on from a turn in a branch of its own."""
        agent = self._agent_at(request.turn_id, "fork")
        await self._quiet("fork")
        parent = self._leave()
        engine, session = self._engine, self._engine.session
        items = _copied(self._turns.until(agent._chat_ctx.items, request.turn_id))
        history = _copied(self._turns.until(engine.history.items, request.turn_id))
        data, kind = _copied_userdata(session._userdata)
        branch = self._add(_Branch(self._next_id(), parent.id, request.turn_id, agent, items, history, data, kind))
        self._enter(branch, "fork")

    async def switch(self, request: SwitchBranch) -> None:
        """Go on in another branch."""
        if len(self._all) < 2:
            raise RequestRefusedError("switch", "there is one branch only: fork from a turn first")
        assert self._current is not None
        at = self._all.index(self._current)
        known = {branch.id: branch for branch in self._all}
        wanted = known.get(request.branch_id or self._all[(at + 1) % len(self._all)].id)
        if wanted is None:
            raise RequestRefusedError("switch", f"there is no branch {request.branch_id!r}; {', '.join(known)} are")
        if wanted is self._current:
            return
        await self._quiet("switch")
        self._leave()
        self._enter(wanted, "switch")

    # --- inside ------------------------------------------------------------------------------------------------------

    def _agent_at(self, turn_id: str, request: str) -> Agent:
        agent = self._turns.agent_at(turn_id) if self._turns.knows(turn_id) else None
        if agent is None:
            raise RequestRefusedError(request, f"there is no turn {turn_id!r}")
        return agent

    async def _quiet(self, request: str) -> None:
        """Stop what is being said, and wait until nothing runs that belongs to the branch."""
        engine, swaps = self._engine, self._engine.agents.swaps
        if swaps.waits_for == "task":
            raise RequestRefusedError(request, WAITS_FOR["task"])
        engine.session.interrupt(force=True, cause="api")
        try:
            async with asyncio.timeout(PATIENCE):
                await engine.turns.until(lambda: swaps.waits_for is None)
        except TimeoutError:
            raise RequestRefusedError(request, WAITS_FOR[swaps.waits_for or "speech"]) from None

    def _leave(self) -> _Branch:
        """Write down how the current branch stands."""
        engine = self._engine
        agent = engine.require_agent()
        if self._current is None:
            self._current = self._add(_Branch(self._next_id(), None, None, agent, [], [], None))
        branch = self._current
        branch.agent, branch.data = agent, engine.session._userdata
        branch.items, branch.history = list(agent._chat_ctx.items), list(engine.history.items)
        return branch

    def _enter(self, branch: _Branch, cause: str) -> None:
        engine = self._engine
        self._current = branch
        engine.session._userdata = branch.data
        engine.agents.go_back(branch.agent, cause)
        branch.agent._chat_ctx.items[:] = branch.items
        engine.history.items[:] = branch.history
        self._tell(cause)

    def _add(self, branch: _Branch) -> _Branch:
        self._all.append(branch)
        return branch

    def _next_id(self) -> str:
        self._made += 1
        return "main" if self._made == 1 else f"branch {self._made}"

    def _tell(self, cause: str, dropped: int = 0) -> None:
        if self._current is None:
            self._leave()
        assert self._current is not None
        told = tuple(branch.as_event() for branch in self._all)
        self._engine.report.emit(ev.BranchesChanged(told, self._current.id, dropped), cause)


def _copied(items: list[ChatItem]) -> list[ChatItem]:
    return [item.model_copy(deep=True) for item in items]


def _copied_userdata(userdata: Any) -> tuple[Any, Literal["own", "copied", "shared"]]:
    if userdata is None:
        return None, "own"
    try:
        return copy.deepcopy(userdata), "copied"
    except Exception as error:  # whatever a user's own class raises
        why = f"{type(error).__name__}: {error}"
        logger.warning("userdata can't be copied (%s): the branches share one %s", why, type(userdata).__name__)
        return userdata, "shared"
