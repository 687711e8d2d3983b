"""What the model is told around calls that run for long or twice: `tool_handling`, and the words used by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, TypeVar, cast

if TYPE_CHECKING:
    from agent_runtime.llm import FunctionCall

CANCEL_TASK = "lk_agents_cancel_task"
"""The tool by which the model cancels a running call: LiveKit Agents' name."""
GET_RUNNING_TASKS = "lk_agents_get_running_tasks"
"""The tool by which the model lists running calls: LiveKit Agents' name."""


class UpdatePromptArgs(TypedDict):
    """What a template of an update is filled in with."""

    function_name: str
    call_id: str
    message: str


class DuplicatePromptArgs(TypedDict):
    """What a template about duplicates is filled in with."""

    function_name: str
    fnc_calls_json: list[str]
    """Each running call as JSON."""
    fnc_calls_text: str
    """The same, one a line."""


class ReplyPromptArgs(TypedDict):
    """What a template of a reply to results is filled in with."""

    call_ids: list[str]


UpdateTemplate: TypeAlias = str | Callable[[UpdatePromptArgs], str]
DuplicateTemplate: TypeAlias = str | Callable[[DuplicatePromptArgs], str]
ReplyTemplate: TypeAlias = str | Callable[[ReplyPromptArgs], str]


class AsyncToolOptions(TypedDict, total=False):
    """Templates: a text for `str.format`, or a function that gives the text. What is left out keeps its default."""

    update_template: UpdateTemplate
    """Around the message of `RunContext.update`, if that is a string."""
    duplicate_reject_template: DuplicateTemplate
    """In place of a call that `on_duplicate="reject"` refuses."""
    duplicate_confirm_template: DuplicateTemplate
    """In place of a call that `on_duplicate="confirm"` wants confirmed."""
    reply_at_tail_template: ReplyTemplate
    """Instructions of a reply to results that nothing was said after."""
    reply_maybe_covered_template: ReplyTemplate
    """Instructions of a reply to results that the agent may have told of already."""


class ToolHandlingOptions(TypedDict, total=False):
    """How calls are handled: of an `AsyncToolset`, else of the agent, else of the session. They aren't merged."""

    async_options: AsyncToolOptions


class CompleteToolOptions(TypedDict):
    """`AsyncToolOptions` with nothing left out."""

    update_template: UpdateTemplate
    duplicate_reject_template: DuplicateTemplate
    duplicate_confirm_template: DuplicateTemplate
    reply_at_tail_template: ReplyTemplate
    reply_maybe_covered_template: ReplyTemplate


DEFAULTS: CompleteToolOptions = {
    "update_template": (
        "`{function_name}` is still at work and reports: {message}\n"
        "That is all that is known so far. Say nothing about its result before it is there."
    ),
    "duplicate_reject_template": (
        "Not called: `{function_name}` is running already:\n{fnc_calls_text}\n"
        f"Its result will come by itself. Only if the user asks for it, cancel that call with `{CANCEL_TASK}` "
        "and its call_id."
    ),
    "duplicate_confirm_template": (
        "Not called: `{function_name}` is running already:\n{fnc_calls_text}\n"
        "If the user wants it a second time, call it again with the confirmation set to true. "
        f"If they want the running one stopped, cancel it with `{CANCEL_TASK}` and its call_id. Otherwise do neither."
    ),
    "reply_at_tail_template": (
        "Tools that ran in the background have news (call_ids: {call_ids}). Tell the user what is new, in your own "
        "words, and nothing that you told them before."
    ),
    "reply_maybe_covered_template": (
        "Tools that ran in the background have news (call_ids: {call_ids}), and you have spoken since. If you told the "
        "user all of it already, answer with nothing at all. Otherwise tell them what is missing, and only that."
    ),
}

STILL_RUNNING = "The call is still running."
"""The output of a call that the model must not make again and whose result isn't there."""
LEFT_RUNNING = (
    "{message} Its result will come by itself as soon as it is there: don't call `{function_name}` again, and don't "
    "guess the result."
)
"""Around `STILL_RUNNING` for a call that nobody waits for any more, since the reply that made it was interrupted."""

Args = TypeVar("Args", bound=Mapping[str, Any])


def render(template: str | Callable[[Args], str], args: Args) -> str:
    """The text of a template."""
    return template.format(**args) if isinstance(template, str) else template(args)


def complete(handling: ToolHandlingOptions | None) -> CompleteToolOptions:
    """The options with the defaults for what is left out."""
    given = (handling or {}).get("async_options", {})
    return cast("CompleteToolOptions", {**DEFAULTS, **given})


def duplicate_args(name: str, running: list[FunctionCall]) -> DuplicatePromptArgs:
    """What the templates about duplicates of `name` are filled in with."""
    calls = [call.model_dump_json(include={"call_id", "name", "arguments"}) for call in running]
    return {"function_name": name, "fnc_calls_json": calls, "fnc_calls_text": "\n".join(calls)}
