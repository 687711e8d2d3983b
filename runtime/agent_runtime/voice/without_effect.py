"""What is accepted, since files written for LiveKit Agents say it, but does nothing here yet: people are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent_tools import FunctionTool, RawFunctionTool, Tool, Toolset


def without_effect(tools: Iterable[Tool | Toolset]) -> Iterator[str]:
    """Name each setting that was given a value and changes nothing, with what happens instead."""
    for tool in tools:
        if isinstance(tool, FunctionTool | RawFunctionTool) and tool.info.on_duplicate != "allow":
            yield f'on_duplicate="{tool.info.on_duplicate}" of {tool.id} (duplicates are allowed)'
