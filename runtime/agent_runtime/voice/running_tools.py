"""The tools by which a model lists and cancels running calls: offered where a tool may be cancelled."""

from __future__ import annotations

from typing import Any

from agent_runtime.voice.run_context import RunContext
from agent_runtime.voice.tool_handling import CANCEL_TASK, GET_RUNNING_TASKS
from agent_tools import function_tool


@function_tool(name=GET_RUNNING_TASKS)
async def get_running_tasks(context: RunContext[Any]) -> list[dict[str, Any]]:
    """List the tool calls that are running and can be cancelled."""
    calls = context.session._engine.calls.cancellable
    return [call.call.model_dump(include={"call_id", "name", "arguments"}) for call in calls]


@function_tool(name=CANCEL_TASK)
async def cancel_task(context: RunContext[Any], call_id: str) -> str:
    """Cancel a running tool call, if the user asks for that.

    Args:
        context: of this call.
        call_id: of the call to cancel, as it was told.
    """
    await context.session._engine.calls.cancel(call_id)
    return f"The call {call_id} was cancelled."


RUNNING_TOOLS = (get_running_tasks, cancel_task)
