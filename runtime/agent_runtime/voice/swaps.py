"""New code into a running conversation: another agent stands in for the present one, at a safe point."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.agents import Agents
    from agent_runtime.voice.engine import Engine
    from agent_runtime.voice.speech_handle import SpeechHandle

WaitsFor: TypeAlias = Literal["speech", "tool", "handoff", "task"]


@dataclass(eq=False, slots=True)
class _Waiting:
    agent: Agent
    cause: str
    instead_of: Agent | None
    done: asyncio.Future[bool]


class Swaps:
    """The swap that waits for a safe point, if there is one: the agent isn't speaking and no tool is running."""

    def __init__(self, agents: Agents, engine: Engine) -> None:
        self._agents = agents
        self._engine = engine
        self._waiting: _Waiting | None = None

    def request(self, agent: Agent, cause: str, instead_of: Agent | None) -> asyncio.Future[bool]:
        """Have `agent` stand in: same conversation, no hooks. What waited before is cancelled.

        The future is False if it should have been instead of an agent that hasn't the conversation any more.
        """
        self.cancel()
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting = _Waiting(agent, cause, instead_of, done)
        self.do_if_safe()
        return done

    @property
    def waits_for(self) -> WaitsFor | None:
        """What has to end before a swap can be done; None if it can be done now."""
        return self._waits_for()

    def _waits_for(self, unbegun: SpeechHandle | None = None) -> WaitsFor | None:
        engine = self._engine
        if not self._agents.tasks.empty:
            return "task"
        if self._agents.switching:
            return "handoff"
        if engine.safe_to_swap(unbegun):
            return None
        return "tool" if engine.running_tools > 0 else "speech"

    def done_before(self, speech: SpeechHandle, agent: Agent) -> Agent:
        """Do the swap that waits before a reply is generated, if it can be done; gives who replies for `agent`."""
        has_conversation = agent is self._engine.agent
        self.do_if_safe(speech)
        return self._engine.require_agent() if has_conversation else agent

    def do_if_safe(self, unbegun: SpeechHandle | None = None) -> None:
        """Do the swap that waits, if there is one and now is a good time."""
        waiting = self._waiting
        if waiting is None or self._waits_for(unbegun) is not None:
            return
        self._waiting = None
        old = self._engine.require_agent()
        if waiting.done.done():
            return
        wanted = waiting.instead_of is None or waiting.instead_of is old
        if wanted:
            self._swap(old, waiting.agent, waiting.cause)
        waiting.done.set_result(wanted)

    def _swap(self, old: Agent, new: Agent, cause: str) -> None:
        new._chat_ctx = old._chat_ctx
        self._agents.stand_in(old, new, cause)
        if new is not old:
            self.leave_alone(old)

    def leave_alone(self, old: Agent) -> None:
        """The old one is out of the session as soon as its own hooks, which still run, are over."""

        def over(_: object = None) -> None:
            if not any(not task.done() for task in hooks) and self._engine.agent is not old:
                old._activity = None

        hooks = self._agents.hooks_of(old)
        for task in hooks:
            task.add_done_callback(over)
        over()

    def cancel(self) -> None:
        """Forget the swap that waits."""
        if self._waiting is not None:
            self._waiting.done.cancel()
            self._waiting = None
