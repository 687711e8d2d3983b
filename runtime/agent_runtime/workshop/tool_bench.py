"""Tools on the bench: what they are, a run by hand, and what stands in for them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from agent_runtime import events as ev
from agent_runtime.errors import RequestRefusedError
from agent_runtime.llm import FunctionCall, FunctionCallOutput
from agent_runtime.records import record
from agent_runtime.utils import shortuuid
from agent_runtime.voice.run_context import RunContext, enter_run_context
from agent_runtime.voice.scope import Scope, entered
from agent_runtime.voice.speech_handle import SpeechHandle
from agent_runtime.voice.tool_mocks import StandIn, stand_ins
from agent_tools import FunctionTool, InvalidArgumentsError, RawFunctionTool, Tool, ToolFlag, ToolOutcome, Toolset

if TYPE_CHECKING:
    from agent_runtime.voice.engine import Engine
    from agent_runtime.workshop.requests import KeepTry, RunTool, SetStandIn
    from agent_tools import AnyFunctionTool

LONGEST_DELAY = 600.0
"""Seconds: a longer delay is a slip of the finger."""
TRIES_KEPT = 100


@record(frozen=True, slots=True)
class _Try:
    call: FunctionCall
    outcome: ToolOutcome


class ToolBench:
    """See the module. One per session."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tries: dict[str, _Try] = {}

    def tell(self, cause: str) -> None:
        """List the tools that the agent may call."""
        agent = self._engine.require_agent()
        self._engine.report.emit(ev.ToolsListed(agent.id, tuple(self._facts())), cause)

    def _facts(self) -> Iterator[ev.ToolFacts]:
        engine = self._engine
        for origin, tool in _with_origins(engine.session._tools, "session"):
            yield tool_facts(tool, origin)
        for origin, tool in _with_origins(engine.require_agent()._tools, "agent"):
            yield tool_facts(tool, origin)

    def _find(self, name: str, request: str) -> AnyFunctionTool:
        engine = self._engine
        tools: list[Tool | Toolset] = [*engine.session._tools, *engine.require_agent()._tools]
        known = {tool.id: tool for _, tool in _with_origins(tools, "")}
        if name not in known:
            there = ", ".join(sorted(known)) or "none"
            raise RequestRefusedError(request, f"{engine.require_agent().id} has no tool {name!r}; it has {there}")
        return known[name]

    # --- by hand -----------------------------------------------------------------------------------------------------

    async def run(self, request: RunTool) -> ToolOutcome:
        """Run a tool with these arguments and tell what came of it."""
        tool = self._find(request.name, "run tool")
        engine = self._engine
        call = FunctionCall(
            call_id=shortuuid("try_"),
            name=request.name,
            arguments=request.arguments or "{}",
            created_at=engine.report.wall(),
        )
        engine.report.emit(ev.ToolTried(call.call_id, call.name, call.arguments))
        began = engine.clock.now()
        # A task of its own: whoever asks isn't in a tool.
        outcome: ToolOutcome = await engine.spawn(self._execute(tool, call), f"tool {call.name} by hand")
        self._remember(call, outcome)
        output = outcome.output
        if outcome.handoff is not None:
            target = getattr(outcome.handoff, "id", "another agent")
            output = f"{output}\nhands over to {target}: not done by hand".strip()
        invalid = isinstance(outcome.exception, InvalidArgumentsError)
        took = engine.clock.now() - began
        engine.report.emit(
            ev.ToolTryFinished(call.call_id, call.name, output, outcome.is_error, took, outcome.details, invalid)
        )
        return outcome

    async def _execute(self, tool: AnyFunctionTool, call: FunctionCall) -> ToolOutcome:
        engine = self._engine
        speech = SpeechHandle.create()
        speech._mark_done()  # a tool that waits for what was said before it has nothing to wait for
        context: RunContext[Any] = RunContext(session=engine.session, speech_handle=speech, function_call=call)
        enter_run_context(context)
        with entered(Scope(engine, engine.require_agent(), f"tool {call.name}")):
            return await tool.execute(call.arguments, context)

    def _remember(self, call: FunctionCall, outcome: ToolOutcome) -> None:
        self._tries[call.call_id] = _Try(call, outcome)
        while len(self._tries) > TRIES_KEPT:
            self._tries.pop(next(iter(self._tries)))

    def keep(self, request: KeepTry) -> None:
        """Put a run into the agent's conversation; the model reads it with its next reply."""
        tried = self._tries.pop(request.try_id, None)
        if tried is None:
            raise RequestRefusedError("keep", "this run isn't over, or is in the conversation already")
        engine, at = self._engine, self._engine.report.wall()
        output = FunctionCallOutput(
            call_id=tried.call.call_id,
            name=tried.call.name,
            output=tried.outcome.output,
            is_error=tried.outcome.is_error,
            reply_required=False,
            created_at=at,
        )
        for item in (tried.call.model_copy(update={"created_at": at}), output):
            engine.agents.add_item(engine.require_agent(), item, engine.report.turn_id)
        engine.report.emit(ev.ToolTryKept(request.try_id))

    # --- stand-ins ---------------------------------------------------------------------------------------------------

    def stand_in(self, request: SetStandIn) -> None:
        """Have calls answered by hand. Setting one aside works for a tool that isn't there any more, too."""
        if not 0.0 <= request.delay <= LONGEST_DELAY:
            raise RequestRefusedError("delay", f"{request.delay:g} isn't between 0 and {LONGEST_DELAY:g} seconds")
        known = stand_ins(self._engine.session)
        if request.result is None and request.error is None and not request.delay:
            known.pop(request.name, None)
        else:
            self._find(request.name, "stand in")
            known[request.name] = StandIn(request.result, request.error, request.delay)
        told = ev.ToolStoodIn(request.name, request.result, request.error, request.delay)
        self._engine.report.emit(told)


def tool_facts(tool: AnyFunctionTool, origin: str) -> ev.ToolFacts:
    """What is known of a tool, as plain data. A schema that can't be made is empty, with the reason as description."""
    description = tool.description
    try:
        parameters = dict(tool.parameters_schema())
    except (TypeError, NameError) as error:
        parameters, description = {}, f"{description}\n{error}".strip()
    flags = tuple(flag.name.lower() for flag in ToolFlag if flag in tool.info.flags and flag.name)
    file, line = _place_of(tool)
    return ev.ToolFacts(tool.id, description, parameters, flags, tool.info.on_duplicate, origin, file, line)


def _place_of(tool: AnyFunctionTool) -> tuple[str, int]:
    function = inspect.unwrap(tool)
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return (code.co_filename, code.co_firstlineno) if code is not None else ("", 0)


def _with_origins(tools: Iterable[Tool | Toolset], origin: str) -> Iterator[tuple[str, AnyFunctionTool]]:
    for tool in tools:
        if isinstance(tool, Toolset):
            inner: Sequence[Tool | Toolset] = tool.tools
            yield from _with_origins(inner, tool.id)
        elif isinstance(tool, FunctionTool | RawFunctionTool):
            yield origin, tool
