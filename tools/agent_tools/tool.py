"""What every tool has: an id, flags, and what is known about it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Flag, auto
from typing import Any, Literal, TypeAlias


class Tool(ABC):
    """Base of everything that a model may be offered."""

    @property
    @abstractmethod
    def id(self) -> str:
        """The name that it goes by; a function tool's is its name."""


class ProviderTool(Tool):
    """Base of the tools that a provider runs on its own side, such as a web search."""

    def __init__(self, *, id: str) -> None:
        self._id = id

    @property
    def id(self) -> str:
        """The name that it goes by."""
        return self._id


class ToolFlag(Flag):
    """How the engine treats a tool."""

    NONE = 0
    IGNORE_ON_ENTER = auto()
    """It isn't offered to the model while an agent's `on_enter` speaks."""
    CANCELLABLE = auto()
    """A call of it may be cancelled while it runs."""


DuplicateMode: TypeAlias = Literal["allow", "reject", "replace", "confirm"]
"""What becomes of a call while another of the same tool runs: both run, the new one is refused, the new one takes the
old one's place, or the model must confirm that it wants both."""

DuplicateScope: TypeAlias = Literal["name", "name_and_args"]
"""What makes two calls the same: the tool, or the tool with equal arguments after validation."""

CONFIRM_DUPLICATE_PARAM = "lk_agents_confirm_duplicate"
"""The argument by which the model confirms a call under `on_duplicate="confirm"`: LiveKit Agents' name."""

CONFIRM_DUPLICATE_DESCRIPTION = "Set to true only after the user confirmed that they want this done a second time."


@dataclass
class FunctionToolInfo:
    """What is known about a tool that was made from a function's signature."""

    name: str
    description: str | None
    flags: ToolFlag
    on_duplicate: DuplicateMode = "allow"
    duplicate_scope: DuplicateScope = "name"


@dataclass
class RawFunctionToolInfo:
    """What is known about a tool whose author wrote its schema: `raw_schema` is name, description and parameters."""

    name: str
    raw_schema: dict[str, Any]
    flags: ToolFlag
    on_duplicate: DuplicateMode = "allow"
    duplicate_scope: DuplicateScope = "name"
