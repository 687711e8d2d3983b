"""Events of what a person does to a conversation by hand: tools inspected, run and stood in for, history rewritten."""

from __future__ import annotations

from typing import Any, Literal

from agent_runtime.records import record


@record(frozen=True, slots=True)
class ToolFacts:
    """What is known of a tool."""

    name: str
    description: str
    parameters: dict[str, Any]
    """The JSON schema that the model sees."""
    flags: tuple[str, ...]
    """`cancellable`, `ignore_on_enter`."""
    on_duplicate: str
    origin: str
    """`agent`, `session`, or the id of the toolset that holds it."""
    file: str = ""
    """Where it is defined; empty where that isn't known."""
    line: int = 0


@record(frozen=True, slots=True)
class ToolsListed:
    """The tools that the agent may call from now on. Cause: `start`, `request`, or that of the change of agents."""

    agent: str
    tools: tuple[ToolFacts, ...]
    type: Literal["tools_listed"] = "tools_listed"


@record(frozen=True, slots=True)
class ToolStoodIn:
    """Calls of a tool are answered by hand from now on; with nothing given they go to the tool itself again."""

    name: str
    result: str | None = None
    """What the model reads in place of the tool's output."""
    error: str | None = None
    """What the model reads of a failure."""
    delay: float = 0.0
    """Seconds before that, or before the tool itself begins."""
    type: Literal["tool_stood_in"] = "tool_stood_in"


@record(frozen=True, slots=True)
class ToolTried:
    """A person runs a tool; the conversation doesn't know of it."""

    try_id: str
    name: str
    arguments: str
    type: Literal["tool_tried"] = "tool_tried"


@record(frozen=True, slots=True)
class ToolTryFinished:
    """What came of it: one for each `ToolTried`."""

    try_id: str
    name: str
    output: str
    is_error: bool
    duration: float
    details: str = ""
    """The traceback, if the tool raised something that a model isn't told."""
    invalid: bool = False
    """Whether the arguments didn't fit, so that the tool didn't run."""
    type: Literal["tool_try_finished"] = "tool_try_finished"


@record(frozen=True, slots=True)
class ToolTryKept:
    """A run by hand was put into the conversation, as a call with its output."""

    try_id: str
    type: Literal["tool_try_kept"] = "tool_try_kept"


@record(frozen=True, slots=True)
class ContextItem:
    """One item of a conversation, as the model gets it."""

    id: str
    kind: str
    """`message`, `function_call`, `function_call_output`, `agent_handoff`, `agent_config_update`."""
    label: str
    """The role of a message, the tool of a call."""
    text: str
    tokens: int
    turn_id: str | None = None
    sent: Literal["kept", "changed", "added", "left_out"] = "kept"
    """What the agent's `llm_node` does to it on the way to the model."""


@record(frozen=True, slots=True)
class ContextShown:
    """The conversation as the model would get it now.

    Cause: `start`, `handoff`, `request`, `edit`, `insert`, `delete`, `rewind`, `fork`, `switch`.
    """

    agent: str
    items: tuple[ContextItem, ...]
    tokens: int
    """Of what is sent, without the tools' schemas."""
    tool_tokens: int
    counted_by: str
    """The provider's tokenizer, or the name of the estimate."""
    exact: bool
    problem: str = ""
    """Why it is the agent's own conversation, without what its `llm_node` makes of it."""
    type: Literal["context_shown"] = "context_shown"


@record(frozen=True, slots=True)
class Branch:
    """One of the ways that a conversation took."""

    id: str
    parent: str | None
    from_turn: str | None
    """The last turn that both have."""
    items: int
    """How many it has; of the current branch, when it was last left or made."""
    userdata: Literal["own", "copied", "shared"]
    """`shared`: it can't be copied, so what one branch does to it is done to the other."""


@record(frozen=True, slots=True)
class BranchesChanged:
    """The conversation goes on in `current`. Cause: `fork`, `switch`, `rewind`."""

    branches: tuple[Branch, ...]
    current: str
    dropped: int = 0
    """Items that a rewind took away."""
    type: Literal["branches_changed"] = "branches_changed"


@record(frozen=True, slots=True)
class RequestRefused:
    """What a person asked for can't be done."""

    request: str
    """`run tool`, `fork` …"""
    problem: str
    type: Literal["request_refused"] = "request_refused"
