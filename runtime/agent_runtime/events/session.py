"""Events of the session itself: its start and end, its agent, who speaks."""

from __future__ import annotations

from typing import Any, Literal

from agent_runtime.records import record
from agent_runtime.types import AgentState, UserState


@record(frozen=True, slots=True)
class SessionStarted:
    """The session is running and listens."""

    agent: str
    mode: Literal["local", "room", "text", "replay"]
    """`replay` is what a recording that is played calls itself."""
    started_at: float
    """Seconds since the epoch at time 0.0 of this stream."""
    options: dict[str, Any]
    """The resolved session options, by dotted name; no secrets."""
    type: Literal["session_started"] = "session_started"


@record(frozen=True, slots=True)
class SessionClosed:
    """The last event of a session."""

    reason: Literal["error", "job_shutdown", "participant_disconnected", "user_initiated", "task_completed"]
    error: str | None = None
    type: Literal["session_closed"] = "session_closed"


@record(frozen=True, slots=True)
class AgentChanged:
    """Another agent has the conversation.

    Cause: `start`, `handoff`, `reload`, `update_agent`; `task` when one that is awaited begins, `task_completed` or
    `task_failed` when whoever awaits it goes on.
    """

    old: str | None
    new: str
    instructions: str
    tools: tuple[str, ...]
    type: Literal["agent_changed"] = "agent_changed"


@record(frozen=True, slots=True)
class UserStateChanged:
    """Cause: `vad`, `stt`, `push_to_talk`, `away_timer`."""

    old: UserState
    new: UserState
    at: float
    """When it truly began: the detector reports late, and this takes its delay off."""
    type: Literal["user_state_changed"] = "user_state_changed"


@record(frozen=True, slots=True)
class AgentStateChanged:
    """Cause: `start`, `turn_committed`, `playout`, `playout_finished`, `interrupted`, `tool_reply`, `say`, `close`."""

    old: AgentState
    new: AgentState
    type: Literal["agent_state_changed"] = "agent_state_changed"
