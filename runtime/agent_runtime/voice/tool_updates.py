"""What a call tells after its first answer, as items of the conversation: a call and an output of their own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from agent_runtime.llm import FunctionCall, FunctionCallOutput
from agent_runtime.voice.tool_handling import DEFAULTS, CompleteToolOptions, UpdatePromptArgs, UpdateTemplate, render
from agent_tools import ToolOutcome
from agent_tools.outcome import outcome_of

if TYPE_CHECKING:
    UpdateItems = tuple[FunctionCall, FunctionCallOutput]


def update_outcome(
    call: FunctionCall,
    message: Any,
    template: UpdateTemplate | None,
    options: CompleteToolOptions = DEFAULTS,
) -> ToolOutcome:
    """What the model gets of a message: a string in the template, anything else as JSON."""
    if isinstance(message, str):
        args: UpdatePromptArgs = {"function_name": call.name, "call_id": call.call_id, "message": message}
        message = render(template or options["update_template"], args)
    return outcome_of(call.name, message)


def update_id(call: FunctionCall, index: int) -> str:
    """The `call_id` of the update of that number: the first one is the call's own output."""
    return f"{call.call_id}_update_{index}" if index else call.call_id


def final_id(call: FunctionCall) -> str:
    """The `call_id` of what a call in the background returns."""
    return f"{call.call_id}_final"


def items_of(call: FunctionCall, call_id: str, outcome: ToolOutcome, *, at: float) -> UpdateItems:
    """A copy of the call under another id, and its output."""
    copy = FunctionCall(
        call_id=call_id, name=call.name, arguments=call.arguments, extra=dict(call.extra), created_at=at
    )
    output = FunctionCallOutput(
        call_id=call_id,
        name=call.name,
        output=outcome.output,
        is_error=outcome.is_error,
        reply_required=outcome.reply_required,
        created_at=at,
    )
    return copy, output


def update_items(
    call: FunctionCall, index: int, message: Any, *, template: UpdateTemplate | None, silent: bool
) -> UpdateItems:
    """The items of an update that is told outside of a session."""
    items = items_of(call, update_id(call, index), update_outcome(call, message, template), at=time.time())
    items[1].reply_required = items[1].reply_required and not silent
    return items
