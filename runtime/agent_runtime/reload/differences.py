"""What a reload changed, for people and for a screen: instructions, tools and options."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from agent_runtime.events import OptionChange, ToolChange
from agent_runtime.records import record
from agent_tools import Toolset

if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent

_OPTIONS: Final = (
    "llm",
    "stt",
    "tts",
    "vad",
    "turn_handling",
    "tool_handling",
    "min_consecutive_speech_delay",
    "use_tts_aligned_transcript",
)


@record(frozen=True, slots=True)
class AgentChanges:
    """How one agent differs from another. Everything is empty where a person would notice nothing."""

    diff: str
    """All of it as one unified diff."""
    instructions: str
    """A unified diff of the instructions alone."""
    tools: tuple[ToolChange, ...]
    options: tuple[OptionChange, ...]


def compare_agents(old: Agent, new: Agent) -> AgentChanges:
    """What a person should see of a change from `old` to `new`."""
    return AgentChanges(
        agent_diff(old, new),
        _unified(str(old.instructions).splitlines(), str(new.instructions).splitlines()),
        tuple(_tool_changes(_tools(old), _tools(new))),
        tuple(_option_changes(_options(old), _options(new))),
    )


def agent_diff(old: Agent, new: Agent) -> str:
    """A unified diff between two agents; empty where what a person would notice is the same."""
    return _unified(describe_agent(old), describe_agent(new))


def describe_agent(agent: Agent) -> Iterator[str]:
    """An agent in lines of text: what the model is told and what it may call."""
    yield f"agent {type(agent).__name__}"
    yield "instructions:"
    for line in str(agent.instructions).splitlines():
        yield f"  {line}"
    for lines in _tools(agent).values():
        yield from lines
    for name, value in _options(agent).items():
        yield f"{name}: {value}"


def _unified(old: Iterable[str], new: Iterable[str]) -> str:
    return "\n".join(difflib.unified_diff(list(old), list(new), "before", "after", lineterm="", n=2))


def _tool_changes(old: Mapping[str, list[str]], new: Mapping[str, list[str]]) -> Iterator[ToolChange]:
    for name in {**old, **new}:
        if old.get(name) != new.get(name):
            change: Literal["added", "removed", "changed"] = (
                "removed" if name not in new else "added" if name not in old else "changed"
            )
            yield ToolChange(name, change, _unified(old.get(name, ()), new.get(name, ())))


def _option_changes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[OptionChange]:
    for name in {**old, **new}:
        if old.get(name) != new.get(name):
            yield OptionChange(name, old.get(name, ""), new.get(name, ""))


def _tools(agent: Agent) -> dict[str, list[str]]:
    """What describes each tool or toolset, by its id."""
    return {tool.id: list(_describe_tool(tool)) for tool in agent.tools}


def _options(agent: Agent) -> dict[str, str]:
    values = {name: getattr(agent, name, None) for name in _OPTIONS}
    # NOT_GIVEN is falsy as None and False are: what is left at its default isn't worth a line.
    return {name: _describe_option(value) for name, value in values.items() if value}


def _describe_tool(tool: Any) -> Iterator[str]:
    if isinstance(tool, Toolset):
        yield f"toolset {tool.id}:"
        for member in tool.tools:
            yield from _describe_tool(member)
        return
    yield f"tool {tool.id}({_describe_parameters(tool)}):"
    for line in str(getattr(tool, "description", "")).splitlines():
        yield f"  {line}"


def _describe_parameters(tool: Any) -> str:
    if not hasattr(tool, "parameters_schema"):
        return ""
    schema = tool.parameters_schema()
    required = schema.get("required", ())
    parts = []
    for name, parameter in schema.get("properties", {}).items():
        kind = parameter.get("type") or "|".join(str(option.get("type", "…")) for option in parameter.get("anyOf", ()))
        if "enum" in parameter:
            kind = "|".join(json.dumps(value) for value in parameter["enum"])
        optional = "" if name in required else f" = {json.dumps(parameter.get('default'))}"
        parts.append(f"{name}: {kind or 'any'}{optional}")
    return ", ".join(parts)


def _describe_option(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value, default=lambda other: type(other).__name__, sort_keys=True)
    model = getattr(value, "model", None)
    return f"{type(value).__name__}({model})" if isinstance(model, str) else str(value)
