"""What a person does to a conversation by hand: try and stand in for tools, rewrite what was said, fork and go back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_runtime.workshop.requests import (
    DeleteItem,
    EditItem,
    Fork,
    InsertMessage,
    KeepTry,
    ListTools,
    Request,
    Rewind,
    RunTool,
    SetStandIn,
    ShowContext,
    SwitchBranch,
)

if TYPE_CHECKING:
    from agent_runtime.workshop.workshop import Workshop

__all__ = [
    "DeleteItem",
    "EditItem",
    "Fork",
    "InsertMessage",
    "KeepTry",
    "ListTools",
    "Request",
    "Rewind",
    "RunTool",
    "SetStandIn",
    "ShowContext",
    "SwitchBranch",
    "Workshop",
]


def __getattr__(name: str) -> Any:
    """With `Workshop` comes the engine, which whoever only asks for something needn't load."""
    if name == "Workshop":
        from agent_runtime.workshop.workshop import Workshop

        return Workshop
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
