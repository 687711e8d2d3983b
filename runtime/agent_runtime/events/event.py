"""The envelope that every event travels in."""

from __future__ import annotations

from typing import Generic, TypeVar

from agent_runtime.records import record

D = TypeVar("D", covariant=True)


@record(frozen=True, slots=True)
class Event(Generic[D]):
    """What happened (`data`), and when, where and why."""

    seq: int
    """Counts up by one within a session."""
    time: float
    """Seconds since the session was made."""
    session_id: str
    turn_id: str | None
    """The turn that it belongs to, from the user's first voiced frame or text to the last sample played."""
    cause: str | None
    """Why, in one word of the vocabulary that the event's class documents; None where there is nothing to tell."""
    data: D
