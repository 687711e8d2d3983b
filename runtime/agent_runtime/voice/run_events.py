"""What happened in a run: its events, and how they are shown to people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from agent_runtime.llm import AgentHandoff, ChatMessage, FunctionCall, FunctionCallOutput

if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent


@dataclass
class ChatMessageEvent:
    """The agent said something."""

    item: ChatMessage
    type: Literal["message"] = "message"


@dataclass
class FunctionCallEvent:
    """The model called a tool."""

    item: FunctionCall
    type: Literal["function_call"] = "function_call"


@dataclass
class FunctionCallOutputEvent:
    """A tool gave its result."""

    item: FunctionCallOutput
    type: Literal["function_call_output"] = "function_call_output"


@dataclass
class AgentHandoffEvent:
    """Another agent took over. `old_agent` is None for a session's first one."""

    item: AgentHandoff
    old_agent: Agent | None
    new_agent: Agent
    type: Literal["agent_handoff"] = "agent_handoff"


RunEvent: TypeAlias = ChatMessageEvent | FunctionCallEvent | FunctionCallOutputEvent | AgentHandoffEvent
RunEventType: TypeAlias = Literal["message", "function_call", "function_call_output", "agent_handoff"]

_LONG = 300
"""Characters of a text that are shown, unless it is the one that matters."""


def describe(event: RunEvent, *, whole: bool = False) -> str:
    """One line: the event's type and what it holds. Long texts are cut unless `whole`."""
    match event:
        case ChatMessageEvent(item=message):
            text = f"{message.role}: {_quoted(message.text_content or '', whole)}"
            content = f"{text} (interrupted)" if message.interrupted else text
        case FunctionCallEvent(item=call):
            content = _cut(f"{call.name}({call.arguments})", whole)
        case FunctionCallOutputEvent(item=output):
            content = f"{output.name} {'failed' if output.is_error else 'gave'}: {_quoted(output.output, whole)}"
        case AgentHandoffEvent(old_agent=old, new_agent=new):
            content = f"{type(old).__name__ if old is not None else 'nobody'} -> {type(new).__name__}"
    return f"{event.type:<20}  {content}"


def format_run(user_input: str | None, events: Sequence[RunEvent], *, marked: range = range(0)) -> str:
    """A run as lines of text: what the user said, then each event with its index. Marked ones begin with `>>>`."""
    lines = [] if user_input is None else [f"        {'user':<20}  {user_input!r}"]
    for index, event in enumerate(events):
        sign = ">>>" if index in marked else "   "
        lines.append(f"{sign} [{index}] {describe(event, whole=index in marked)}")
    if not events:
        lines.append("        (no events)")
    elif marked and marked[0] >= len(events):
        lines.append(">>> (the run ends here)")
    return "\n".join(lines)


def _quoted(text: str, whole: bool) -> str:
    return repr(_cut(text, whole))


def _cut(text: str, whole: bool) -> str:
    return text if whole or len(text) <= _LONG else f"{text[:_LONG]}… ({len(text)} characters)"
