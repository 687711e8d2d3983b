"""Pauses an agent while an `AgentTask` that it awaits has the conversation, and has it go on afterwards."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.voice.scope import Scope, hand_on_clock, outside_scopes
from agent_tools import ToolError

if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.agent_task import AgentTask
    from agent_runtime.voice.engine import Engine
    from agent_runtime.voice.moves import Move

logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Frame:
    """A task that is awaited."""

    task: AgentTask[Any]
    scope: Scope
    leave: Move | None = None
    """Its end, asked for as soon as it is done."""
    paused: bool = False

    @property
    def agent(self) -> Agent:
        """The agent that awaits it."""
        return self.scope.agent


class TaskStack:
    """See the module. One per session; the innermost task is the last one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._frames: list[_Frame] = []
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def empty(self) -> bool:
        """Whether no task is awaited."""
        return not self._frames

    def awaits(self, agent: Agent) -> bool:
        """Whether that agent is paused."""
        return any(frame.agent is agent for frame in self._frames)

    async def run(self, task: AgentTask[Any], scope: Scope) -> None:
        """Have `task` take over, and the agent of `scope` go on once it is done.

        One task at a time for each agent: of several tools that want one, the others wait. Raises ToolError if the
        agent hasn't the conversation any more, or the session ends.
        """
        speech = scope.speech
        if speech is not None:
            speech._hold()
        try:
            async with scope.agent._agent_task_lock:
                self._check(task, scope)
                await self._run(_Frame(task, scope))
        finally:
            if speech is not None:
                speech._let_go()

    def _check(self, task: AgentTask[Any], scope: Scope) -> None:
        engine, agent = self._engine, scope.agent
        if engine.closing:
            why = "the session is closing"
        elif engine.agent is not agent:
            why = f"{agent.id} doesn't have the conversation any more"
        elif any(move is not scope.move for move in engine.agents.moves.under_way):
            why = f"another agent is about to take over from {agent.id}"
        elif task._activity is not None:
            why = "it runs already"
        elif scope.speech is not None and scope.speech.interrupted and not scope.speech.done():
            why = f"the speech that called {scope.name} was interrupted"
        else:
            return
        raise ToolError(f"AgentTask {task.id} can't begin: {why}")

    async def _run(self, frame: _Frame) -> None:
        task, scope, moves = frame.task, frame.scope, self._engine.agents.moves
        self._frames.append(frame)
        if scope.move is not None:
            moves.hold(scope.move, True)
        try:
            await self._enter(frame)
            finished = task._task_finished
            assert finished is not None
            if not task.done():
                await asyncio.shield(finished)
        finally:
            task._fail_task(f"was abandoned: {scope.name} ended before it was done")
            self._ask_to_leave(frame)
            leaving = asyncio.create_task(self._leave(frame), name=f"end of {task.id}", context=outside_scopes())
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
            await asyncio.shield(leaving)

    # --- its begin ---------------------------------------------------------------------------------------------------

    async def _enter(self, frame: _Frame) -> None:
        moves, task = self._engine.agents.moves, frame.task
        move = moves.request()
        try:
            await moves.begin(move, lambda: self._others_are_done(frame))
            if not task.done() and not self._engine.closing:
                taking = self._take_over(frame, move)
                await asyncio.create_task(taking, name=f"begin of {task.id}", context=outside_scopes())
        finally:
            moves.end(move)

    async def _take_over(self, frame: _Frame, move: Move) -> None:
        agents, task, scope = self._engine.agents, frame.task, frame.scope
        await agents.arrive(task, "task")
        self._pause(frame)
        agents.enter(task, move, scope.speech or scope.unanswered)
        await asyncio.sleep(0)  # its first words come before the silence
        self._engine.calm_down()

    async def _others_are_done(self, frame: _Frame) -> None:
        """Wait for what else is being said, and for what the awaiting speech said before."""
        speech = frame.scope.speech
        while not frame.task.done() and not self._engine.closing:
            busy = [s._done for s in self._engine.replies.at_work() if s is not speech]
            if speech is not None and speech.interrupted and not speech.done():
                frame.task._fail_task(f"can't begin: the speech that called {frame.scope.name} was interrupted")
            elif speech is not None and self._engine.scheduler.current is speech:
                busy.append(speech._step_done[-1])
            if not busy:
                return
            await asyncio.wait([*busy, self._engine.agents.moves.change], return_when=asyncio.FIRST_COMPLETED)

    def _pause(self, frame: _Frame) -> None:
        scope, engine = frame.scope, self._engine
        frame.paused = scope.waiting = True
        if scope.speech is not None:
            scope.speech._paused = True
            engine.running_tools -= 1

    def _resume(self, frame: _Frame) -> None:
        scope, engine = frame.scope, self._engine
        if not frame.paused:
            return
        frame.paused = scope.waiting = False
        answers = frame.task._task_unanswered
        if scope.speech is None:
            scope.unanswered = answers
        else:
            scope.speech._paused = False
            if answers is not None:
                scope.speech.turn_id = answers.turn_id
                hand_on_clock(answers, scope.speech)
            engine.running_tools += 1
            run = engine.session._run
            if run is not None and not run.done():
                run._adopt(scope.speech)

    # --- its end -----------------------------------------------------------------------------------------------------

    def ended(self, task: AgentTask[Any]) -> None:
        """The task was completed: its turn to leave is now, and what it awaits itself is of no use any more."""
        for index, frame in enumerate(self._frames):
            if frame.task is task:
                self._ask_to_leave(frame)
                for inner in self._frames[index + 1 :]:
                    inner.task._fail_task(f"is cancelled: {task.id}, which awaits it, is done")
                return

    def _ask_to_leave(self, frame: _Frame) -> None:
        if frame.leave is None:
            frame.leave = self._engine.agents.moves.request(first=True)

    async def _leave(self, frame: _Frame) -> None:
        engine, task, scope, move = self._engine, frame.task, frame.scope, frame.leave
        moves = engine.agents.moves
        assert move is not None
        try:
            if not engine.closing:
                await moves.begin(move, lambda: self._inner_are_done(frame))
            if engine.closing:
                engine.agents.remember(task, frame.agent)
            elif engine.agent is task:
                await engine.agents.leave_task(task, frame.agent, move)
            elif frame.paused:
                logger.warning(
                    "the task %s is done, but %s has the conversation by now: %s doesn't get it back",
                    task.id,
                    engine.require_agent().id,
                    frame.agent.id,
                )
        finally:
            self._frames.remove(frame)
            self._resume(frame)
            if scope.move is not None:
                moves.hold(scope.move, False)
            moves.end(move)
            engine.agents.swaps.do_if_safe()

    async def _inner_are_done(self, frame: _Frame) -> None:
        """Wait until the tasks that this one awaits have given the conversation back, and it has said everything."""
        engine = self._engine
        while not engine.closing:
            inner = self._frames[self._frames.index(frame) + 1 :]
            if any(other.paused and other.agent is frame.task for other in inner):
                await engine.agents.moves.changed()
            elif engine.replies.at_work():
                await engine.replies_done()
            else:
                return

    def paused_agents(self) -> list[Agent]:
        """The agents that await a task, innermost first."""
        return [frame.agent for frame in reversed(self._frames)]

    def fail_all(self) -> None:
        """The session ends: whoever awaits a task is told so."""
        for frame in reversed(self._frames):
            frame.task._fail_task("was not completed: the session is closed")

    async def aclose(self) -> None:
        """Wait until those who awaited a task know."""
        while self._leaving:
            await asyncio.wait(self._leaving)
