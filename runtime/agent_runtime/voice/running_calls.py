"""The tool calls of a session that run: which are duplicates, which may be cancelled, and when they must end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from agent_runtime.llm import ChatContext, FunctionCall, FunctionCallOutput
from agent_runtime.voice import turn_inputs as inputs
from agent_runtime.voice.running_call import RunningCall
from agent_runtime.voice.tool_handling import (
    STILL_RUNNING,
    CompleteToolOptions,
    ToolHandlingOptions,
    complete,
    duplicate_args,
    render,
)
from agent_tools import InvalidArgumentsError, ToolError

if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.engine import Engine

CLOSE_TIMEOUT = 5.0
"""Seconds that closing waits for calls that may not be cancelled: as long as for an interrupted speech."""
_MARK = "_running"


class RunningCalls:
    """See the module. One per session."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._calls: list[RunningCall] = []
        """Those that passed `admit`."""
        self._options: dict[int, tuple[ToolHandlingOptions | None, CompleteToolOptions]] = {}
        self._has_marked = False
        self._awaited = False
        self.leaving: set[Agent] = set()
        """Agents that hand the conversation over and wait for their calls."""

    def options(self, handling: ToolHandlingOptions | None) -> CompleteToolOptions:
        """The complete options, the same object for the same handling."""
        known = self._options.get(id(handling))
        if known is None or known[0] is not handling:
            known = self._options[id(handling)] = (handling, complete(handling))
        return known[1]

    def find(self, call_id: str) -> RunningCall | None:
        """The running call of that id."""
        return next((call for call in self._calls if call.call.call_id == call_id), None)

    @property
    def cancellable(self) -> list[RunningCall]:
        """Those that may be cancelled."""
        return [call for call in self._calls if call.cancellable]

    def ended(self, call: RunningCall) -> None:
        """It doesn't run any more."""
        if call in self._calls:
            self._calls.remove(call)

    def tell_presence(self) -> None:
        """Have the user's silence count, or not while calls that may still bring up something work in the background.

        The calls of an agent that waits for its `AgentTask` bring up nothing.
        """
        agent = self._engine.agent
        awaited = any(call.released and call.owner in (agent, None) for call in self._calls)
        if awaited != self._awaited:
            self._awaited = awaited
            self._engine.feed(inputs.CallsRunOn(awaited))

    # --- duplicates --------------------------------------------------------------------------------------------------

    async def admit(self, call: RunningCall) -> str | None:
        """Let the call run, or say why not in words for the model. Those that it replaces have ended then.

        Raises ToolError if one that it would replace may not be cancelled.
        """
        assert call.tool is not None
        info = call.tool.info
        if info.on_duplicate != "allow":
            try:
                call.arguments = call.tool.identify_arguments(call.call.arguments)
                confirmed = call.tool.confirms_duplicate(call.call.arguments)
            except InvalidArgumentsError:
                return None  # the call itself will say so, and does nothing
            while others := self._same(call):
                if info.on_duplicate == "replace":
                    await self._replace(others)
                elif info.on_duplicate == "reject" or not confirmed:
                    args = duplicate_args(call.call.name, [other.call for other in others])
                    kind = (
                        "duplicate_reject_template" if info.on_duplicate == "reject" else "duplicate_confirm_template"
                    )
                    return render(call.options[kind], args)  # type: ignore[literal-required]  # one of the two
                else:
                    break
        self._calls.append(call)
        return None

    def _same(self, call: RunningCall) -> list[RunningCall]:
        assert call.tool is not None
        by_arguments = call.tool.info.duplicate_scope == "name_and_args"
        return [
            other
            for other in self._calls
            if other.call.name == call.call.name
            and other.owner is call.owner
            and (not by_arguments or other.arguments == call.arguments)
        ]

    async def _replace(self, calls: list[RunningCall]) -> None:
        fixed = [call.call.call_id for call in calls if not call.cancellable]
        if fixed:
            raise ToolError(
                f"`{calls[0].call.name}` is running already (call_ids: {', '.join(fixed)}) and may not be cancelled, "
                "so it can't be replaced: wait for its result."
            )
        await _cancel(calls)

    async def cancel(self, call_id: str) -> None:
        """Cancel a call for the model. Raises ToolError if it doesn't run or may not be cancelled."""
        call = self.find(call_id)
        if call is None:
            raise ToolError(f"No call {call_id} is running; it may be over already.")
        if not call.cancellable:
            raise ToolError(f"The call {call_id} of `{call.call.name}` may not be cancelled.")
        if not call.speech.allow_interruptions:
            raise ToolError(f"The call {call_id} of `{call.call.name}` may not be interrupted now.")
        await _cancel([call])

    # --- what the model is told of them ------------------------------------------------------------------------------

    def mark(self, context: ChatContext, agent: Agent) -> None:
        """Add the calls that run and aren't in the conversation yet, so that the model doesn't make them again."""
        for running in self._calls:
            call = running.call
            if running.in_conversation or running.owner not in (agent, None):
                continue
            self._has_marked = True
            context.insert(call.model_copy(update={"id": f"{call.id}{_MARK}"}))
            context.insert(
                FunctionCallOutput(
                    id=f"{call.id}{_MARK}_output",
                    call_id=call.call_id,
                    name=call.name,
                    output=STILL_RUNNING,
                    is_error=False,
                    created_at=call.created_at,
                )
            )

    def unmark(self, context: ChatContext, since: float) -> float:
        """Take out what `mark` added. The time from which on the conversation may have the calls themselves."""
        if not self._has_marked:
            return since  # most conversations never have a call in the background, and this would read all of it
        marked = [item for item in context.items if isinstance(item, FunctionCall) and item.id.endswith(_MARK)]
        if marked:
            ids = {item.id for item in marked} | {f"{item.id}_output" for item in marked}
            context.items[:] = [item for item in context.items if item.id not in ids]
        return min([since, *(item.created_at for item in marked)])

    # --- when agents come and go -------------------------------------------------------------------------------------

    def inherit(self, old: Agent, new: Agent) -> None:
        """New code takes over: what runs goes on as the new agent's."""
        for call in self._calls:
            call.change_agent(old, new)
        self._engine.tool_replies.inherit(old, new)

    async def leave(self, agent: Agent) -> None:
        """The agent hands over: cancel its calls in the background that may be cancelled, and wait for the others."""
        self.leaving.add(agent)
        self._engine.turns.tell()
        try:
            await self._finish(lambda call: call.owner is agent and call.released)
        finally:
            self.leaving.discard(agent)
            self._engine.tool_replies.drop(agent)

    async def drain(self) -> None:
        """The session ends soon: the same for all calls in the background, and what came of them is told."""
        await self._finish(lambda call: call.released)
        await self._engine.tool_replies.all_told()

    async def aclose(self) -> None:
        """The session ends: cancel what may be cancelled, wait a while for the rest, then cancel that too."""
        self._engine.turns.tell()
        _cancel_now(self.cancellable)
        tasks = _tasks(self._calls)
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_TIMEOUT)
        _cancel_now(tuple(self._calls))

    async def _finish(self, which: Callable[[RunningCall], bool]) -> None:
        while tasks := _tasks(call for call in self._calls if which(call)):
            _cancel_now([call for call in self._calls if which(call) and call.cancellable])
            await asyncio.wait(tasks)


def _tasks(calls: Iterable[RunningCall]) -> list[asyncio.Task[None]]:
    # What a call itself sets off doesn't wait for that call.
    here = asyncio.current_task()
    return [call.task for call in calls if call.task is not None and call.task is not here]


def _cancel_now(calls: Iterable[RunningCall]) -> None:
    for call in calls:
        call.cancel()


async def _cancel(calls: list[RunningCall]) -> None:
    tasks = _tasks(calls)
    _cancel_now(calls)
    if tasks:
        await asyncio.wait(tasks)
