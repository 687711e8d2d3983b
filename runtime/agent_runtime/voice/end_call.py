"""A tool by which the agent hangs up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from agent_runtime.voice.events import CloseEvent
from agent_runtime.voice.run_context import RunContext
from agent_runtime.worker.job import get_job_context
from agent_tools import ToolFlag, Toolset, function_tool

DESCRIPTION: Final = """\
Hang up. Call it when the user says that they are done ("that's all, bye"), and not when they want a pause, want to be
put through, or may mean something else. Nothing can be said after it, so say nothing beside the call itself."""

Callback = Callable[[Any], Awaitable[None]]


class EndCallTool(Toolset):
    """Lets the agent end the call: it says goodbye, the session closes, and the room with it.

    Args:
        extra_description: added to what the model is told of the tool.
        delete_room: end the room for everybody in it, callers on the phone included.
        end_instructions: what the model is to say at the end. None: nothing more.
        ignore_on_enter: don't offer it while the agent greets.
        on_tool_called: is awaited with a `Toolset.ToolCalledEvent` before.
        on_tool_completed: is awaited with a `Toolset.ToolCompletedEvent`, whose `output` it may change.
    """

    def __init__(
        self,
        *,
        extra_description: str = "",
        delete_room: bool = True,
        end_instructions: str | None = "say goodbye to the user",
        ignore_on_enter: bool = False,
        on_tool_called: Callback | None = None,
        on_tool_completed: Callback | None = None,
    ) -> None:
        tool = function_tool(
            self._end_call,
            name="end_call",
            description=f"{DESCRIPTION}\n{extra_description}".strip(),
            flags=ToolFlag.IGNORE_ON_ENTER if ignore_on_enter else ToolFlag.NONE,
        )
        super().__init__(id="end_call", tools=[tool])
        self._delete_room = delete_room
        self._end_instructions = end_instructions
        self._on_called = on_tool_called
        self._on_completed = on_tool_completed

    async def _end_call(self, ctx: RunContext[Any]) -> Any:
        session = ctx.session
        ctx.speech_handle.add_done_callback(lambda _: session.shutdown())
        session.once("close", self._session_closed)
        if self._on_called is not None:
            await self._on_called(Toolset.ToolCalledEvent(ctx=ctx, arguments={}))
        completed = Toolset.ToolCompletedEvent(ctx=ctx, output=self._end_instructions)
        if self._on_completed is not None:
            await self._on_completed(completed)
        return completed.output

    def _session_closed(self, event: CloseEvent) -> None:
        job = get_job_context(required=False)
        if job is None:
            return
        if self._delete_room:

            async def delete() -> None:
                await job.delete_room()

            job.add_shutdown_callback(delete)
        job.shutdown(event.reason.value)
