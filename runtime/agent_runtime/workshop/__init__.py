"""What a person does to a conversation by hand: try and stand in for tools, rewrite what was said, fork and go back."""

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
