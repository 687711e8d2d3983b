"""Which agent has the conversation: start, handoff, reload, and what each of them remembers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Literal

from agent_runtime import events as ev
from agent_runtime.llm import AgentConfigUpdate, AgentHandoff, ChatItem, ChatMessage
from agent_runtime.utils import aio
from agent_runtime.voice.agent import INSTRUCTIONS_ID, Agent
from agent_runtime.voice.blame import finished, limited
from agent_runtime.voice.instructions import instructions_text
from agent_runtime.voice.moves import Move, Moves
from agent_runtime.voice.scope import Scope, entered, outside_scopes
from agent_runtime.voice.swaps import Swaps
from agent_runtime.voice.task_stack import TaskStack
from agent_tools import FunctionTool, RawFunctionTool, Tool, Toolset

if TYPE_CHECKING:
    from agent_runtime.voice.agent_task import AgentTask
    from agent_runtime.voice.engine import Engine
    from agent_runtime.voice.speech_handle import SpeechHandle


class Agents:
    """See the module. One per session."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._hooks: dict[asyncio.Task[None], Scope] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._failed_to_enter: Agent | None = None
        self._paused: list[Agent] = []
        self.moves = Moves(engine.turns.tell)
        self.tasks = TaskStack(engine)
        self.swaps = Swaps(self, engine)

    # --- taking over -------------------------------------------------------------------------------------------------

    async def start(self, agent: Agent) -> None:
        """The first agent takes over; the session's own toolsets are open before it."""
        await self._open_toolsets(self._engine.session._tools)
        await self.arrive(agent, "start")
        self.enter(agent)

    def hand_over(
        self, agent: Agent, cause: Literal["handoff", "update_agent"], unanswered: SpeechHandle | None = None
    ) -> None:
        """Have `agent` take over once what is being said and done is over; `unanswered` as in `enter`.

        Raises RuntimeError for an agent that awaits a task: it goes on by itself once that is complete.
        """
        if self.tasks.awaits(agent):
            raise RuntimeError(
                f"{agent.id} awaits a task and has the conversation again once that is complete: "
                "call the task's complete() instead of handing over"
            )
        move = self.moves.request()
        self._in_background(self._hand_over(agent, cause, move, unanswered), f"handoff to {agent.id}")

    def _in_background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name, context=outside_scopes())
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    @property
    def switching(self) -> bool:
        """Whether another agent is about to take over."""
        return bool(self.moves.under_way)

    def under_way(self) -> list[asyncio.Future[Any]]:
        """What ends with each change of the agent, and each `on_enter` hook, that isn't over and awaits no task."""
        hooks = [task for task, scope in self._hooks.items() if not task.done() and not scope.waiting]
        return [*hooks, *(move.done for move in self.moves.under_way)]

    async def switched(self) -> None:
        """Wait until nobody is about to take over."""
        await self.moves.settled()

    async def _hand_over(self, agent: Agent, cause: str, move: Move, unanswered: SpeechHandle | None) -> None:
        engine = self._engine
        try:
            await self.moves.begin(move, engine.replies_done)
            old = engine.agent
            if old is not None:
                await self._leave(old, move)
                if old is not agent:
                    old._activity = None
            await self.arrive(agent, cause)
            self.enter(agent, move, unanswered)
            await asyncio.sleep(0)  # its first words come before what others ask for next
        except Exception as error:
            engine.report.failed(f"handoff to {agent.id}", error)
        finally:
            self.moves.end(move)
            self.swaps.do_if_safe()

    async def _leave(self, agent: Agent, move: Move) -> None:
        """Have it say goodbye, and close what it has open."""
        await self._hook(agent, "on_exit", agent.on_exit, move=move)
        await self._engine.replies_done()
        await self._engine.calls.leave(agent)
        await self._close_toolsets(agent._tools)

    async def arrive(self, agent: Agent, cause: str) -> None:
        """The agent has the conversation from now on; `enter` begins its hook."""
        engine = self._engine
        old = engine.agent
        if agent._activity is not None and agent._activity is not engine:
            raise RuntimeError(f"the agent {agent.id!r} runs in another session already")
        self._install(agent)
        await self._open_toolsets(agent._tools)
        if any(isinstance(tool, Toolset) for tool in agent._tools):
            self._engine.realtime.refresh(tools=True)
        self._note_handoff(old, agent, cause)
        self._note_config(agent)

    def enter(self, agent: Agent, move: Move | None = None, unanswered: SpeechHandle | None = None) -> None:
        """Begin its `on_enter`, by which the move ends. What that says first answers the turn of `unanswered`."""
        engine = self._engine
        scope = Scope(engine, agent, f"hook on_enter of {agent.id}", move=move, unanswered=unanswered)
        task = asyncio.create_task(
            self._hook(agent, "on_enter", agent.on_enter, scope=scope), name=f"on_enter {agent.id}"
        )
        self._hooks[task] = scope
        task.add_done_callback(self._hook_ended)

    def _install(self, agent: Agent) -> None:
        agent._activity = self._engine
        self._engine.agent = agent
        self._set_instructions(agent)
        self._engine.apply_options()

    def _note_handoff(self, old: Agent | None, new: Agent, cause: str) -> None:
        engine = self._engine
        handoff = AgentHandoff(
            old_agent_id=old.id if old is not None else None,
            new_agent_id=new.id,
            created_at=engine.report.wall(),
        )
        engine.history.insert(handoff)
        engine.report.item_added(handoff)
        self._announce(old, new, cause)

    def _hook_ended(self, task: asyncio.Task[None]) -> None:
        self._hooks.pop(task, None)
        self.moves.tell()

    # --- tasks that are awaited --------------------------------------------------------------------------------------

    async def leave_task(self, task: AgentTask[Any], agent: Agent, move: Move) -> None:
        """The task leaves, and the agent that awaited it goes on, with what was said meanwhile."""
        await self._leave(task, move)
        task._activity = None
        if self._engine.closing:
            return
        self.remember(task, agent)
        self._install(agent)
        failed = isinstance(task._task_outcome, Exception)
        self._note_handoff(task, agent, "task_failed" if failed else "task_completed")
        self._note_config(agent)

    @staticmethod
    def remember(task: AgentTask[Any], agent: Agent) -> None:
        """Have `agent` remember what was said while it waited for `task`."""
        agent._chat_ctx.merge(
            task._chat_ctx,
            exclude_function_call=not task._preserve_function_call_history,
            exclude_instructions=True,
        )

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

    async def _hook(
        self,
        agent: Agent,
        name: str,
        hook: Callable[[], Awaitable[None]],
        *,
        scope: Scope | None = None,
        move: Move | None = None,
    ) -> None:
        if getattr(type(agent), name) is getattr(Agent, name):
            return
        engine = self._engine
        began = engine.clock.now()
        try:
            with entered(scope or Scope(engine, agent, f"hook {name} of {agent.id}", move=move)) as running:
                # Nothing waits for `on_enter`, which may go on for as long as it likes.
                async with contextlib.nullcontext() if name == "on_enter" else limited(running):
                    await finished(agent, name, hook())
        except Exception as error:
            engine.report.failed(f"hook {name} of {agent.id}", error)
            if name == "on_enter":
                self._failed_to_enter = agent
        finally:
            engine.report.emit(ev.HookFinished(name, engine.clock.now() - began))

    # --- reload ------------------------------------------------------------------------------------------------------

    def stand_in(self, old: Agent, new: Agent, cause: str) -> None:
        """`new` has the conversation of `old` from now on, as if it had had it before: see `Swaps`."""
        self._install(new)
        self._engine.calls.inherit(old, new)
        self._announce(old, new, cause)
        if new is not old:
            self._in_background(self._exchange_toolsets(old._tools, new._tools), f"toolsets of {new.id}")
        if self._failed_to_enter is old:
            # The code that greets was just put right, perhaps; nobody has been greeted yet.
            self._failed_to_enter = None
            self.enter(new)

    def go_back(self, agent: Agent, cause: str) -> None:
        """An agent that had the conversation before has it again, with what it remembers and without hooks."""
        old = self._engine.require_agent()
        if agent is not old:
            self.stand_in(old, agent, cause)
            self.swaps.leave_alone(old)

    def hooks_of(self, agent: Agent) -> list[asyncio.Task[None]]:
        """Its `on_enter` hooks that run."""
        return [task for task, scope in self._hooks.items() if scope.agent is agent and not task.done()]

    # --- what they remember ------------------------------------------------------------------------------------------

    def add_item(self, agent: Agent, item: ChatItem, turn_id: str | None) -> None:
        """The conversation grew: `agent` remembers it, and so does the session."""
        agent._chat_ctx.insert(item)
        self._engine.history.insert(item)
        self._engine.report.item_added(item, turn_id)

    def instructions_changed(self, agent: Agent) -> None:
        """The agent is told something else from now on."""
        self._note_change(agent, AgentConfigUpdate(instructions=instructions_text(agent)))
        self._set_instructions(agent)
        if self._engine.agent is agent:
            self._engine.realtime.refresh(instructions=True)

    def conversation_changed(self, agent: Agent) -> None:
        """The agent remembers another conversation: its first message says what it is told."""
        self._set_instructions(agent)
        if self._engine.agent is agent:
            self._engine.realtime.refresh(chat_ctx=True)

    async def tools_changed(self, agent: Agent, old: list[Tool | Toolset]) -> None:
        """The agent has other tools from now on."""
        before, after = _names(old), _names(agent._tools)
        added, removed = [n for n in after if n not in before], [n for n in before if n not in after]
        if added or removed:
            self._note_change(agent, AgentConfigUpdate(tools_added=added or None, tools_removed=removed or None))
        if self._engine.agent is agent:
            kept = {id(tool) for tool in old} & {id(tool) for tool in agent._tools}
            await self._close_toolsets([tool for tool in old if id(tool) not in kept])
            await self._open_toolsets([tool for tool in agent._tools if id(tool) not in kept])
            self._engine.realtime.refresh(tools=True)

    def _note_change(self, agent: Agent, update: AgentConfigUpdate) -> None:
        self._keep(agent, update)
        if self._engine.agent is agent:
            self._announce(agent, agent, "update_agent")

    def _note_config(self, agent: Agent) -> None:
        """Have the conversation say by which instructions and tools it goes on."""
        text, names = instructions_text(agent), _names([*self._engine.session._tools, *agent._tools])
        if text or names:
            self._keep(agent, AgentConfigUpdate(instructions=text or None, tools_added=names or None))

    def _keep(self, agent: Agent, update: AgentConfigUpdate) -> None:
        update.created_at = self._engine.report.wall()
        agent._chat_ctx.insert(update)
        self._engine.history.insert(update)

    def _set_instructions(self, agent: Agent) -> None:
        context, text = agent._chat_ctx, instructions_text(agent)
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

    def begin_closing(self) -> None:
        """The session ends: nobody takes over any more, and whoever awaits a task is told so."""
        self._paused = self.tasks.paused_agents()
        for task in self._work:
            task.cancel()
        self.tasks.fail_all()
        self.moves.tell()

    async def aclose(self) -> None:
        """The agents leave, the one that has the conversation first."""
        await aio.cancel_and_wait(*self._work)
        await aio.cancel_and_wait(*self._hooks)
        await self.tasks.aclose()
        self.swaps.cancel()
        if self._engine.agent is None:
            return
        for agent in dict.fromkeys([self._engine.agent, *self._paused]):
            await self._hook(agent, "on_exit", agent.on_exit)
            await self._close_toolsets(agent._tools)
            agent._activity = None
        await self._close_toolsets(self._engine.session._tools)


def _names(tools: Sequence[Tool | Toolset]) -> list[str]:
    """What a model may call them by; what a provider runs itself has no such name."""
    names: list[str] = []
    for tool in tools:
        if isinstance(tool, Toolset):
            names += _names(tool.tools)
        elif isinstance(tool, FunctionTool | RawFunctionTool):
            names.append(tool.info.name)
    return names
