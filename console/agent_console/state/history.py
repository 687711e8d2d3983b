"""The events themselves, for those who want to see them: which are kept, and what they weigh."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Literal, TypeAlias

from agent_console.state.sequence import Seq
from agent_runtime import events as ev
from agent_runtime.events import AnyEvent

Weight: TypeAlias = Literal["debug", "info", "warning", "error"]

KEPT: Final = 5_000
"""Events that are kept at least; twice as many at most, so that the oldest go seldom and many at once."""
WEIGHTS: Final[tuple[Weight, ...]] = ("debug", "info", "warning", "error")

_DEBUG: Final = (
    ev.AgentText,
    ev.AgentHeard,
    ev.ModelLoading,
    ev.ItemAdded,
    ev.UserStateChanged,
    ev.AgentStateChanged,
    ev.EchoCancellation,
    ev.SpeechRecognized,
    ev.ActiveSpeakers,
)
_WARNING: Final = (
    ev.LoopStalled,
    ev.LoopBlocked,
    ev.RequestRefused,
    ev.AudioDropped,
    ev.AgentInterrupted,
    ev.TurnDiscarded,
    ev.TranscriptionTimedOut,
    ev.UserTurnExceeded,
    ev.RoomReconnecting,
    ev.PartRestarting,
)
_ERROR: Final = (ev.ErrorOccurred, ev.ReloadFailed)


def remember(events: Seq[AnyEvent], event: AnyEvent) -> Seq[AnyEvent]:
    """The events with one more. Figures are for the meters: there would be nothing else to see."""
    if isinstance(event.data, ev.FIGURES):
        return events
    if isinstance(event.data, ev.RoomInvitation):  # shown to everybody who looks on
        event = replace(event, data=event.data.without_token())
    events = events.append(event)
    return events.trim(KEPT) if len(events) > 2 * KEPT else events


_BY_CONTENT: Final[Mapping[type, Callable[[Any], Weight]]] = {
    ev.UserTranscribed: lambda data: "info" if data.is_final else "debug",
    ev.LogWritten: lambda data: data.level,
    ev.ToolFinished: lambda data: "warning" if data.is_error else "info",
    ev.DeviceChanged: lambda data: "warning" if data.state in ("lost", "unavailable") else "info",
    ev.CircuitsChanged: lambda data: "warning" if any(c.state == "open" for c in data.circuits) else "info",
    ev.RoomDisconnected: lambda data: "warning" if data.advice else "info",
    ev.SessionClosed: lambda data: "error" if data.reason == "error" else "info",
}


def weight(event: AnyEvent) -> Weight:
    """How much an event matters to somebody who looks for what went wrong."""
    data = event.data
    by_content = _BY_CONTENT.get(type(data))
    if by_content is not None:
        return by_content(data)
    if isinstance(data, _ERROR):
        return "error"
    if isinstance(data, _WARNING):
        return "warning"
    return "debug" if isinstance(data, _DEBUG) else "info"
