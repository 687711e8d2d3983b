"""What can be asked of the workshop, as plain data: a console may be in another thread or on another machine."""

from __future__ import annotations

from typing import Literal, TypeAlias

from agent_runtime.records import record


@record(frozen=True, slots=True)
class ListTools:
    """Tell the tools that the agent may call."""


@record(frozen=True, slots=True)
class RunTool:
    """Run a tool itself, whatever stands in for it, without the conversation knowing."""

    name: str
    arguments: str = "{}"
    """The JSON text that a model would write."""


@record(frozen=True, slots=True)
class KeepTry:
    """Put a run by hand that is over into the conversation, as a call with its output."""

    try_id: str


@record(frozen=True, slots=True)
class SetStandIn:
    """Answer a tool's calls by hand from now on; with nothing given, let them reach the tool again."""

    name: str
    result: str | None = None
    error: str | None = None
    delay: float = 0.0
    """Seconds."""


@record(frozen=True, slots=True)
class ShowContext:
    """Tell the conversation as the model would get it now. The agent's `llm_node` runs for it, without a model."""


@record(frozen=True, slots=True)
class EditItem:
    """Change what a message says, what a call was given (JSON) or what it came to."""

    item_id: str
    text: str


@record(frozen=True, slots=True)
class InsertMessage:
    """Add a message after an item, or at the end."""

    role: Literal["user", "assistant", "system"]
    text: str
    after: str | None = None


@record(frozen=True, slots=True)
class DeleteItem:
    """Take out an item; of a call and its output, both."""

    item_id: str


@record(frozen=True, slots=True)
class Rewind:
    """Go back to the end of a turn: what came after it is gone."""

    turn_id: str


@record(frozen=True, slots=True)
class Fork:
    """Go on from the end of a turn in a branch of its own; the branch before is kept as it is."""

    turn_id: str


@record(frozen=True, slots=True)
class SwitchBranch:
    """Go on in another branch; without an id, in the next one."""

    branch_id: str | None = None


Request: TypeAlias = (
    ListTools
    | RunTool
    | KeepTry
    | SetStandIn
    | ShowContext
    | EditItem
    | InsertMessage
    | DeleteItem
    | Rewind
    | Fork
    | SwitchBranch
)
