"""One call of a tool, from its start to its end: inside the reply that made it, and afterwards in the background."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agent_runtime import events as ev
from agent_runtime.llm import FunctionCall
from agent_runtime.records import record
from agent_runtime.voice import tool_updates
from agent_runtime.voice.run_context import RunContext, enter_run_context
from agent_runtime.voice.scope import Scope, entered
from agent_runtime.voice.tool_handling import (
    LEFT_RUNNING,
    STILL_RUNNING,
    CompleteToolOptions,
    UpdateTemplate,
)
from agent_runtime.voice.tool_mocks import stand_ins, tool_or_mock
from agent_tools import AnyFunctionTool, InvalidArgumentsError, ToolError, ToolFlag, ToolOutcome
from agent_tools.outcome import outcome_of_exception

if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.engine import Engine
    from agent_runtime.voice.speech_handle import SpeechHandle

logger = logging.getLogger(__name__)

CallStatus: TypeAlias = Literal["done", "error", "cancelled"]

CANCELLED = ToolOutcome(None, "The call was cancelled before it ended.", is_error=True)
NO_HANDOFF = ToolError("The agent handoff did not happen: it isn't possible any more after the call's first update.")


@record(frozen=True, slots=True)
class CallAnswer:
    """What the reply that made the call goes on with: what the tool returned, or its first update."""

    outcome: ToolOutcome
    is_update: bool = False


class RunningCall:
    """See the module.

    Args:
        owner: the agent with which the call ends. None: it goes on after handoffs.
        options: what the model is told around it.
    """

    def __init__(
        self,
        engine: Engine,
        speech: SpeechHandle,
        call: FunctionCall,
        tool: AnyFunctionTool | None,
        *,
        agent: Agent,
        owner: Agent | None,
        options: CompleteToolOptions,
    ) -> None:
        self.engine = engine
        self.speech = speech
        self.call = call
        self.tool = tool
        self.owner = owner
        self.options = options
        self.context: RunContext[Any] = RunContext(session=engine.session, speech_handle=speech, function_call=call)
        self.context._running = self
        self.answer: asyncio.Future[CallAnswer] = asyncio.get_running_loop().create_future()
        self.answered_at: float | None = None
        self.in_conversation = False
        """Whether call and answer are in the conversation."""
        self.run = engine.session._run
        """The run that the call belongs to, if there is one."""
        self.arguments: dict[str, Any] | None = None
        """Validated, where duplicates are told by them."""
        self._later: list[tuple[str, ToolOutcome, bool]] = []
        self._updates = 0
        self._began = engine.clock.now()
        self._begun = False
        self._announced = False
        self._ended = False
        self._scope = Scope(engine, agent, f"tool {call.name}", speech)
        stand_in = stand_ins(engine.session).get(call.name)
        self._stand_in: Literal["", "result", "error", "delay"] = stand_in.kind if stand_in is not None else ""
        self.task: asyncio.Task[None] | None = None

    @property
    def cancellable(self) -> bool:
        """Whether the model, a duplicate, an interruption or a handoff may cancel it."""
        return self.tool is not None and ToolFlag.CANCELLABLE in self.tool.info.flags

    @property
    def released(self) -> bool:
        """Whether the reply went on without it and it runs in the background."""
        return self.answer.done() and not self._ended

    def start(self, unknown: str) -> None:
        """Begin. `unknown` is what the model is told if there is no such tool."""
        self.engine.running_tools += 1
        call, speech = self.call, self.speech
        self._emit(ev.ToolStarted(call.call_id, call.name, call.arguments, speech.id))
        self.task = self.engine.spawn(self._run(unknown), f"tool {call.name}")

    def cancel(self) -> None:
        """Have it end. The tool may take a moment for that."""
        if self._ended or self.task is None:
            return
        self.task.cancel()
        if not self._begun:
            self._end(CANCELLED, "cancelled")

    async def _run(self, unknown: str) -> None:
        self._begun = True
        outcome, status = CANCELLED, "cancelled"
        try:
            outcome = await self._execute(unknown)
            status = "error" if outcome.is_error else "done"
        finally:
            self._end(outcome, status)  # type: ignore[arg-type]  # the three words

    async def _execute(self, unknown: str) -> ToolOutcome:
        engine, tool = self.engine, self.tool
        if tool is None:
            return ToolOutcome(None, unknown, is_error=True)
        try:
            refusal = await engine.calls.admit(self)
        except ToolError as error:
            return outcome_of_exception(error)
        if refusal is not None:
            return ToolOutcome(refusal, refusal)
        self._announced = True
        engine.tool_reports.started(self.call)
        enter_run_context(self.context)
        with entered(self._scope):
            return await tool_or_mock(tool, engine.session).execute(self.call.arguments, self.context)

    # --- what it tells meanwhile -------------------------------------------------------------------------------------

    def update(self, message: Any, *, template: UpdateTemplate | None, silent: bool) -> None:
        """Tell how far it is: as the answer, the first time, and else in a reply of its own."""
        call = self.call
        outcome = tool_updates.update_outcome(call, message, template, self.options)
        if silent:
            outcome = _without_reply(outcome)
        name = tool_updates.update_id(call, self._updates)
        self._updates += 1
        plain = message if isinstance(message, str) else outcome.output
        self._emit(ev.ToolUpdated(name, call.call_id, call.name, plain, silent))
        self.engine.tool_reports.updated(name, call.call_id, plain, silent=silent)
        if self.answer.done():
            self._tell(name, outcome, is_update=True)
        else:
            self._answer(outcome, is_update=True)

    def leave_running(self) -> None:
        """The reply that made it is over before it: the model learns that it still runs, and later what came of it."""
        if not self.answer.done():
            self.update(STILL_RUNNING, template=LEFT_RUNNING, silent=True)

    def noted(self) -> None:
        """Call and answer are in the conversation: what came after them may be told now."""
        self.in_conversation = True
        later, self._later = self._later, []
        for name, outcome, is_update in later:
            self.engine.tool_replies.add(self, name, outcome, is_update=is_update)

    def _tell(self, name: str, outcome: ToolOutcome, *, is_update: bool) -> None:
        if self.in_conversation:
            self.engine.tool_replies.add(self, name, outcome, is_update=is_update)
        else:
            self._later.append((name, outcome, is_update))

    def _answer(self, outcome: ToolOutcome, *, is_update: bool) -> None:
        self.answered_at = self.engine.clock.now()
        self.answer.set_result(CallAnswer(outcome, is_update))
        if self._scope.waiting:
            # It awaits an `AgentTask` beside the update, and was taken out of the count for that.
            self.speech._paused = False
        else:
            self.engine.running_tools -= 1
        self._scope.speech = None  # what it awaits from now on holds no speech up
        self.engine.tool_ended()

    @contextlib.asynccontextmanager
    async def foreground(self) -> AsyncGenerator[Agent, None]:
        """A quiet moment, kept for the block."""
        engine = self.engine
        with engine.tool_replies.in_run(self):
            await engine.tool_replies.told(self)
            async with engine.quiet.held(self.owner):
                yield engine.require_agent()

    def change_agent(self, old: Agent, new: Agent) -> None:
        """New code takes over from `old`."""
        self.owner = new if self.owner is old else self.owner
        self._scope.agent = new if self._scope.agent is old else self._scope.agent

    # --- its end -----------------------------------------------------------------------------------------------------

    def _end(self, outcome: ToolOutcome, status: CallStatus) -> None:
        if self._ended:
            return
        engine, call = self.engine, self.call
        in_background = self.answer.done()
        self._ended = True
        engine.calls.ended(self)
        self.context._running = None
        if in_background and status != "cancelled":
            outcome = self._in_background(outcome)
            status = "error" if outcome.is_error else "done"
        took = engine.clock.now() - self._began
        invalid = isinstance(outcome.exception, InvalidArgumentsError)
        told = (call.call_id, call.name, outcome.output, outcome.is_error, took, outcome.details)
        self._emit(ev.ToolFinished(*told, invalid, self._stand_in))
        if self._announced:
            name = tool_updates.final_id(call) if in_background else call.call_id
            engine.tool_reports.ended(name, call.call_id, outcome.output or None, status)
        if not in_background:
            self._answer(outcome, is_update=False)
        elif status != "cancelled":
            self._tell(tool_updates.final_id(call), outcome, is_update=False)
            self.report_failure(outcome)
        engine.tool_ended()

    def _in_background(self, outcome: ToolOutcome) -> ToolOutcome:
        if outcome.handoff is None:
            return outcome
        logger.error("the tool %s returned an agent after an update: no handoff takes place", self.call.name)
        return outcome_of_exception(NO_HANDOFF)

    def report_failure(self, outcome: ToolOutcome) -> None:
        """Tell people of an exception that the model isn't told of."""
        if outcome.is_error and outcome.details:
            error = outcome.exception or RuntimeError(outcome.output)
            self.engine.report.failed(f"tool {self.call.name}", error, turn_id=self.speech.turn_id)

    def _emit(self, data: ev.EventData) -> None:
        self.engine.report.emit(data, turn_id=self.speech.turn_id)


def _without_reply(outcome: ToolOutcome) -> ToolOutcome:
    return ToolOutcome(outcome.value, outcome.output, is_error=outcome.is_error, reply_required=False)
