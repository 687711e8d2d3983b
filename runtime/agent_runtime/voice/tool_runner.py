"""Runs the tool calls of one step, all at once, and sees to it that each has exactly one output."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agent_runtime import events as ev
from agent_runtime.llm import FunctionCall, FunctionCallOutput, FunctionToolCall, ToolContext
from agent_runtime.voice.run_context import RunContext, enter_run_context
from agent_runtime.voice.scope import Scope, entered
from agent_runtime.voice.tool_mocks import tool_or_mock
from agent_tools import HandoffTarget, StopResponse, ToolFlag, ToolOutcome

if TYPE_CHECKING:
    from agent_runtime.voice.engine import Engine
    from agent_runtime.voice.speech_handle import SpeechHandle


CallStatus: TypeAlias = Literal["done", "error", "cancelled"]


@dataclass(slots=True)
class ExecutedCall:
    """A call, what came of it, and what the model is told."""

    call: FunctionCall
    output: FunctionCallOutput
    handoff: HandoffTarget | None = None


class ToolRunner:
    """See the module. Calls come with `start`; `finish` waits for all of them."""

    def __init__(self, engine: Engine, speech: SpeechHandle, tools: ToolContext) -> None:
        self._engine = engine
        self._speech = speech
        self._tools = tools
        self._calls: list[tuple[FunctionCall, asyncio.Task[ToolOutcome]]] = []
        self._finished_at: list[float] = []

    @property
    def started(self) -> bool:
        """Whether there is any call."""
        return bool(self._calls)

    @property
    def running(self) -> bool:
        """Whether a call is still at work."""
        return any(not task.done() for _, task in self._calls)

    def start(self, request: FunctionToolCall) -> None:
        """Run a call beside the others."""
        call = FunctionCall(
            call_id=request.call_id,
            name=request.name,
            arguments=request.arguments,
            extra=request.extra or {},
            created_at=self._engine.report.wall(),
        )
        report = self._engine.report
        report.emit(
            ev.ToolStarted(call.call_id, call.name, call.arguments, self._speech.id), turn_id=self._speech.turn_id
        )
        report.call("tool_execution_updated", lambda: _started_payload(call, report.wall()))
        task = self._engine.spawn(self._run(call), f"tool {call.name}")
        self._calls.append((call, task))

    async def _run(self, call: FunctionCall) -> ToolOutcome:
        clock, report = self._engine.clock, self._engine.report
        began = clock.now()
        self._engine.running_tools += 1
        tool = self._tools.get_function_tool(call.name)
        outcome = ToolOutcome(None, "the call was cancelled before it ended", is_error=True)
        status: CallStatus = "cancelled"
        try:
            if tool is None:
                known = ", ".join(sorted(self._tools.function_tools)) or "none"
                outcome = ToolOutcome(None, f"There is no tool {call.name!r}. Tools: {known}", is_error=True)
            else:
                context: RunContext[Any] = RunContext(
                    session=self._engine.session, speech_handle=self._speech, function_call=call
                )
                enter_run_context(context)
                with entered(Scope(self._engine, self._engine.require_agent(), f"tool {call.name}", self._speech)):
                    outcome = await tool_or_mock(tool, self._engine.session).execute(call.arguments, context)
            status = "error" if outcome.is_error else "done"
        finally:
            self._engine.running_tools -= 1
            self._finished_at.append(clock.now())
            report.emit(
                ev.ToolFinished(
                    call.call_id, call.name, outcome.output, outcome.is_error, clock.now() - began, outcome.details
                ),
                turn_id=self._speech.turn_id,
            )
            report.call("tool_execution_updated", lambda: _ended_payload(call, outcome, status, report.wall()))
            self._engine.tool_ended()
        return outcome

    async def finish(self) -> list[ExecutedCall]:
        """Wait for all calls; in the order in which they were made."""
        if self._calls:
            await asyncio.wait([task for _, task in self._calls])
        return self._collect()

    async def finish_interrupted(self) -> list[ExecutedCall]:
        """The speech was interrupted: cancel what may be cancelled, wait for the rest, keep every result.

        A tool that runs may have had its effect already; forgetting it would have the model do it again.
        """
        for call, task in self._calls:
            tool = self._tools.get_function_tool(call.name)
            if tool is not None and ToolFlag.CANCELLABLE in tool.info.flags:
                task.cancel()
        try:
            return await self.finish()
        except asyncio.CancelledError:
            # Waited long enough: the speech is being ended by force.
            return await self.abandon()

    async def abandon(self) -> list[ExecutedCall]:
        """Cancel what still runs and collect what there is."""
        for _, task in self._calls:
            task.cancel()
        if self._calls:
            await asyncio.wait([task for _, task in self._calls])
        return self._collect()

    @property
    def finished_at(self) -> float | None:
        """When the last call ended, on the session's clock."""
        return max(self._finished_at, default=None)

    def _collect(self) -> list[ExecutedCall]:
        executed = []
        for call, task in self._calls:
            outcome = (
                ToolOutcome(None, "The call was cancelled before it ended.", is_error=True)
                if task.cancelled()
                else task.result()
            )
            reply = outcome.reply_required and not isinstance(outcome.exception, StopResponse)
            output = FunctionCallOutput(
                call_id=call.call_id,
                name=call.name,
                output=outcome.output,
                is_error=outcome.is_error,
                reply_required=reply,
                created_at=max(call.created_at, self._engine.report.wall()),
            )
            if outcome.is_error and outcome.details:
                error = outcome.exception or RuntimeError(outcome.output)
                self._engine.report.failed(f"tool {call.name}", error, turn_id=self._speech.turn_id)
            executed.append(ExecutedCall(call, output, outcome.handoff))
        return executed


def _started_payload(call: FunctionCall, wall: float) -> Any:
    from agent_runtime.voice.events import ToolCallStarted, ToolExecutionUpdatedEvent

    return ToolExecutionUpdatedEvent(update=ToolCallStarted(function_call=call), created_at=wall)


def _ended_payload(call: FunctionCall, outcome: ToolOutcome, status: CallStatus, wall: float) -> Any:
    from agent_runtime.voice.events import ToolCallEnded, ToolExecutionUpdatedEvent

    ended = ToolCallEnded(
        id=call.call_id,
        call_id=call.call_id,
        message=outcome.output or None,
        status=status,
    )
    return ToolExecutionUpdatedEvent(update=ended, created_at=wall)
