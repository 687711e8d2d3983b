"""Which agent has the conversation: start, handoff, reload, and what each of them remembers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Literal

from agent_runtime import events as ev
from agent_runtime.llm import AgentConfigUpdate, AgentHandoff, ChatItem, ChatMessage, Instructions
from agent_runtime.utils import aio
from agent_runtime.voice.agent import INSTRUCTIONS_ID, Agent
from agent_runtime.voice.without_effect import without_effect
from agent_tools import Tool, Toolset

if TYPE_CHECKING:
    from agent_runtime.voice.engine import Engine

logger = logging.getLogger(__name__)


class Agents:
    """See the module. One per session."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._switch: asyncio.Task[None] | None = None
        self._hooks: set[asyncio.Task[None]] = set()
        self._swaps: list[tuple[Agent, str, asyncio.Future[None]]] = []

    # --- taking over -------------------------------------------------------------------------------------------------

    async def start(self, agent: Agent) -> None:
        """The first agent takes over; the session's own toolsets are open before it."""
        await self._open_toolsets(self._engine.session._tools)
        await self._take_over(agent, "start")

    def hand_over(self, agent: Agent, cause: Literal["handoff", "update_agent"]) -> None:
        """Have `agent` take over once what is being said and done is over."""
        previous = self._switch
        self._switch = asyncio.create_task(self._hand_over(agent, cause, previous), name="handoff")

    @property
    def switching(self) -> bool:
        """Whether another agent is about to take over."""
        return self._switch is not None and not self._switch.done()

    def under_way(self) -> list[asyncio.Task[None]]:
        """The handoff and the `on_enter` hooks that aren't over."""
        tasks = [*self._hooks] if self._switch is None else [*self._hooks, self._switch]
        return [task for task in tasks if not task.done()]

    async def switched(self) -> None:
        """Wait until nobody is about to take over."""
        while self._switch is not None and not self._switch.done():
            if self._switch is asyncio.current_task() or asyncio.current_task() in self._hooks:
                return
            await asyncio.wait([self._switch])

    async def _hand_over(self, agent: Agent, cause: str, previous: asyncio.Task[None] | None) -> None:
        engine = self._engine
        if previous is not None and not previous.done():
            await asyncio.wait([previous])
        await engine.replies_done()
        old = engine.agent
        if old is not None:
            await self._hook(old, "on_exit", old.on_exit)
            await engine.replies_done()
            await self._close_toolsets(old._tools)
            if old is not agent:
                old._engine = None
        await self._take_over(agent, cause)

    async def _take_over(self, agent: Agent, cause: str) -> None:
        engine = self._engine
        old = engine.agent
        if agent._engine is not None and agent._engine is not engine:
            raise RuntimeError(f"the agent {agent.id!r} runs in another session already")
        agent._engine = engine
        engine.agent = agent
        self._set_instructions(agent)
        engine.apply_options()
        for name in without_effect(engine.options, [*engine.session._tools, *agent._tools]):
            logger.warning("no effect yet: %s", name)
        await self._open_toolsets(agent._tools)
        handoff = AgentHandoff(
            old_agent_id=old.id if old is not None else None,
            new_agent_id=agent.id,
            created_at=engine.report.wall(),
        )
        engine.history.insert(handoff)
        engine.report.item_added(handoff)
        self._announce(old, agent, cause)
        self._in_background(self._hook(agent, "on_enter", agent.on_enter), f"on_enter {agent.id}")

    def _in_background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._hooks.add(task)
        task.add_done_callback(self._hooks.discard)

    def _announce(self, old: Agent | None, new: Agent, cause: str) -> None:
        self._engine.report.emit(
            ev.AgentChanged(
                old.id if old is not None else None,
                new.id,
                str(new.instructions),
                tuple(tool.id for tool in new._tools),
            ),
            cause,
        )

    async def _hook(self, agent: Agent, name: str, hook: Callable[[], Awaitable[None]]) -> None:
        if getattr(type(agent), name) is getattr(Agent, name):
            return
        engine = self._engine
        began = engine.clock.now()
        try:
            await hook()
        except Exception as error:
            engine.report.failed(f"hook {name} of {agent.id}", error)
        finally:
            engine.report.emit(ev.HookFinished(name, engine.clock.now() - began))

    # --- reload ------------------------------------------------------------------------------------------------------

    def swap(self, agent: Agent, cause: str) -> asyncio.Future[None]:
        """Have `agent` stand in for the present one: same conversation, no hooks, at the next safe point.

        Safe: the agent isn't speaking and no tool is running. The future ends when it is done.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for _, _, waiting in self._swaps:
            # Only the newest code is wanted.
            if not waiting.done():
                waiting.cancel()
        self._swaps = [(agent, cause, done)]
        self.swap_if_safe()
        return done

    def swap_if_safe(self) -> None:
        """Do the swap that waits, if there is one and now is a good time."""
        engine = self._engine
        if not self._swaps or self.switching or not engine.safe_to_swap():
            return
        (agent, cause, done) = self._swaps.pop()
        old = engine.agent
        assert old is not None
        agent._chat_ctx = old._chat_ctx
        agent._engine = engine
        if agent is not old:
            old._engine = None
        engine.agent = agent
        self._set_instructions(agent)
        engine.apply_options()
        self._announce(old, agent, cause)
        if agent is not old:
            self._in_background(self._exchange_toolsets(old._tools, agent._tools), f"toolsets of {agent.id}")
        if not done.done():
            done.set_result(None)

    # --- what they remember ------------------------------------------------------------------------------------------

    def add_item(self, agent: Agent, item: ChatItem, turn_id: str | None) -> None:
        """The conversation grew: `agent` remembers it, and so does the session."""
        agent._chat_ctx.insert(item)
        self._engine.history.insert(item)
        self._engine.report.item_added(item, turn_id)

    def instructions_changed(self, agent: Agent) -> None:
        """The agent is told something else from now on."""
        self._set_instructions(agent)
        self._note_change(agent, AgentConfigUpdate(instructions=str(agent.instructions)))

    async def tools_changed(self, agent: Agent, old: list[Tool | Toolset]) -> None:
        """The agent has other tools from now on."""
        before, after = {tool.id for tool in old}, {tool.id for tool in agent._tools}
        update = AgentConfigUpdate(tools_added=sorted(after - before), tools_removed=sorted(before - after))
        self._note_change(agent, update)
        if self._engine.agent is agent:
            kept = {id(tool) for tool in old} & {id(tool) for tool in agent._tools}
            await self._close_toolsets([tool for tool in old if id(tool) not in kept])
            await self._open_toolsets([tool for tool in agent._tools if id(tool) not in kept])

    def _note_change(self, agent: Agent, update: AgentConfigUpdate) -> None:
        engine = self._engine
        update.created_at = engine.report.wall()
        agent._chat_ctx.insert(update)
        if engine.agent is agent:
            self._announce(agent, agent, "update_agent")

    def _set_instructions(self, agent: Agent) -> None:
        context, instructions = agent._chat_ctx, agent.instructions
        text = instructions.render() if isinstance(instructions, Instructions) else instructions
        index = context.index_by_id(INSTRUCTIONS_ID)
        message = ChatMessage(id=INSTRUCTIONS_ID, role="system", content=[text], created_at=0.0)
        if index is not None:
            # A new message, not a changed one: a request that is under way has the old one.
            context.items[index] = message
        elif text:
            context.items.insert(0, message)

    # --- toolsets ----------------------------------------------------------------------------------------------------

    async def _open_toolsets(self, tools: Sequence[Tool | Toolset]) -> None:
        for tool in tools:
            if isinstance(tool, Toolset):
                try:
                    await tool.setup()
                except Exception as error:
                    self._engine.report.failed(f"toolset {tool.id}", error)

    async def _close_toolsets(self, tools: Sequence[Tool | Toolset]) -> None:
        for tool in tools:
            if isinstance(tool, Toolset):
                try:
                    await tool.aclose()
                except Exception as error:
                    self._engine.report.failed(f"toolset {tool.id}", error)

    async def _exchange_toolsets(self, old: Sequence[Tool | Toolset], new: Sequence[Tool | Toolset]) -> None:
        """After a reload: the new agent's first, since its next reply may want them."""
        kept = {id(tool) for tool in old} & {id(tool) for tool in new}
        await self._open_toolsets([tool for tool in new if id(tool) not in kept])
        await self._close_toolsets([tool for tool in old if id(tool) not in kept])

    async def aclose(self) -> None:
        """The session ends: the agent leaves."""
        if self._switch is not None:
            await aio.cancel_and_wait(self._switch)
        await aio.cancel_and_wait(*self._hooks)
        for _, _, waiting in self._swaps:
            waiting.cancel()
        self._swaps.clear()
        agent = self._engine.agent
        if agent is not None:
            await self._hook(agent, "on_exit", agent.on_exit)
            await self._close_toolsets(agent._tools)
            agent._engine = None
            await self._close_toolsets(self._engine.session._tools)
