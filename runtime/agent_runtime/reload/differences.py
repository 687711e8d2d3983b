"""What a reload changed, for people: instructions, tools and options as a unified diff."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from agent_tools import Toolset

if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent

_OPTIONS: Final = ("llm", "stt", "tts", "vad", "turn_handling", "tool_handling", "use_tts_aligned_transcript")


def agent_diff(old: Agent, new: Agent) -> str:
    """A unified diff between two agents; empty where what a person would notice is the same."""
    lines = difflib.unified_diff(
        list(describe_agent(old)), list(describe_agent(new)), "before", "after", lineterm="", n=2
    )
    return "\n".join(lines)


def describe_agent(agent: Agent) -> Iterator[str]:
    """An agent in lines of text: what the model is told and what it may call."""
    yield f"agent {type(agent).__name__}"
    yield "instructions:"
    for line in str(agent.instructions).splitlines():
        yield f"  {line}"
    for tool in agent.tools:
        yield from _describe_tool(tool)
    for name in _OPTIONS:
        value = getattr(agent, name, None)
        # NOT_GIVEN is falsy as None and False are: what is left at its default isn't worth a line.
        if value:
            yield f"{name}: {_describe_option(value)}"


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
