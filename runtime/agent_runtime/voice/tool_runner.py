"""Runs the tool calls of one step, all at once, and sees to it that each has exactly one output."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_runtime.llm import FunctionCall, FunctionCallOutput, FunctionToolCall, ToolContext
from agent_runtime.types import is_given
from agent_runtime.voice.offered_tools import async_toolset_of
from agent_runtime.voice.running_call import RunningCall
from agent_runtime.voice.tool_handling import CompleteToolOptions
from agent_tools import AnyFunctionTool, HandoffTarget, StopResponse, Tool

if TYPE_CHECKING:
    from agent_runtime.llm.async_toolset import AsyncToolset
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.engine import Engine
    from agent_runtime.voice.speech_handle import SpeechHandle


@dataclass(slots=True)
class ExecutedCall:
    """A call, what came of it, and what the model is told."""

    call: FunctionCall
    output: FunctionCallOutput
    running: RunningCall
    handoff: HandoffTarget | None = None

    @property
    def is_update(self) -> bool:
        """Whether the output only tells how far the call is."""
        return self.running.answer.result().is_update


class ToolRunner:
    """See the module. Calls come with `start`; `finish` waits for all of them, or for their first updates.

    `offered` is what the agent's `llm_node` is given: it may put tools of this one answer in.
    """

    def __init__(self, engine: Engine, speech: SpeechHandle, tools: ToolContext, offered: Sequence[Tool] = ()) -> None:
        self._engine = engine
        self._speech = speech
        self._tools = tools
        self._offered = offered
        self._calls: list[RunningCall] = []

    @property
    def started(self) -> bool:
        """Whether there is any call."""
        return bool(self._calls)

    def start(self, request: FunctionToolCall | FunctionCall) -> None:
        """Run a call beside the others."""
        engine = self._engine
        if isinstance(request, FunctionCall):
            # A realtime model has this very item in its conversation.
            call = request.model_copy(update={"created_at": engine.report.wall()})
        else:
            call = FunctionCall(
                call_id=request.call_id,
                name=request.name,
                arguments=request.arguments,
                extra=request.extra or {},
                created_at=engine.report.wall(),
            )
        agent = engine.require_agent()
        session_toolset = async_toolset_of(call.name, engine.session._tools)
        toolset = session_toolset or async_toolset_of(call.name, agent._tools)
        running = RunningCall(
            engine,
            self._speech,
            call,
            self._tool(call.name),
            agent=agent,
            owner=None if session_toolset is not None else agent,
            options=self._options(agent, toolset),
        )
        self._calls.append(running)
        known = ", ".join(sorted(self._tools.function_tools)) or "none"
        running.start(unknown=f"Unknown function: {call.name}. There are: {known}")
        if toolset is not None and running.task is not None:
            toolset._running.add(running)
            running.task.add_done_callback(lambda _: toolset._running.discard(running))

    def _tool(self, name: str) -> AnyFunctionTool | None:
        return self._tools.get_function_tool(name) or ToolContext(self._offered).get_function_tool(name)

    def _options(self, agent: Agent, toolset: AsyncToolset | None) -> CompleteToolOptions:
        """Of the toolset, else of the agent, else of the session. The same object each time, where there are any."""
        own = toolset._tool_handling if toolset is not None else None
        for handling in (own, agent._tool_handling, self._engine.session._tool_handling):
            if is_given(handling) and handling is not None:
                return self._engine.calls.options(handling)
        return self._engine.calls.options(None)

    async def finish(self) -> list[ExecutedCall]:
        """Wait for all calls; in the order in which they were made."""
        if self._calls:
            await asyncio.wait([call.answer for call in self._calls])
        return self._collect()

    async def finish_interrupted(self) -> list[ExecutedCall]:
        """The speech was interrupted: cancel what may be cancelled, wait for the rest, keep every result.

        A tool that runs may have had its effect already; forgetting it would have the model do it again.
        """
        for call in self._calls:
            if call.cancellable and not call.answer.done():
                call.cancel()
        try:
            return await self.finish()
        except asyncio.CancelledError:
            # Waited long enough: the speech is being ended by force.
            return await self.let_go()

    async def let_go(self) -> list[ExecutedCall]:
        """Wait no longer: what still runs goes on in the background, and is cancelled if the session ends."""
        for call in self._calls:
            if self._engine.closing:
                call.cancel()
            else:
                call.leave_running()
        return await self.finish()

    @property
    def finished_at(self) -> float | None:
        """When the last call was answered, on the session's clock."""
        return max((call.answered_at for call in self._calls if call.answered_at is not None), default=None)

    def _collect(self) -> list[ExecutedCall]:
        executed = []
        for running in self._calls:
            call, outcome = running.call, running.answer.result().outcome
            reply = outcome.reply_required and not isinstance(outcome.exception, StopResponse)
            output = FunctionCallOutput(
                call_id=call.call_id,
                name=call.name,
                output=outcome.output,
                is_error=outcome.is_error,
                reply_required=reply,
                created_at=max(call.created_at, self._engine.report.wall()),
            )
            running.report_failure(outcome)
            executed.append(ExecutedCall(call, output, running, outcome.handoff))
        return executed
