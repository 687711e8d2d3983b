"""What went wrong around the conversation, counted, with the newest of each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from pathlib import PurePath
from typing import Any, Final

from agent_runtime import events as ev
from agent_runtime.events import AnyEvent
from agent_runtime.records import record

BLOCKS_KEPT: Final = 8


@record(frozen=True, slots=True)
class Block:
    """A call that held up the runtime's loop."""

    time: float
    seconds: float
    place: str
    """`file.py:12`."""
    turn_id: str | None
    stack: str = ""


@record(frozen=True, slots=True)
class Trouble:
    """Failures of one source."""

    count: int
    last: float
    message: str
    recoverable: bool


@record(frozen=True, slots=True)
class Health:
    """How the runtime does."""

    blocks: tuple[Block, ...] = ()
    """The newest last, at most `BLOCKS_KEPT`."""
    blocked: int = 0
    worst_block: float = 0.0
    stall: Block | None = None
    """The call that holds the loop up now, and for how long it had when that was noticed."""
    troubles: Mapping[str, Trouble] = field(default_factory=dict)
    """By source: `llm`, `stt`, `tool get_weather` …"""
    lost: Mapping[str, int] = field(default_factory=dict)
    """How often the microphone (`input`), the speaker (`output`) and the connection to the `room` went away."""
    reconnects: Mapping[str, int] = field(default_factory=dict)
    """How often they came back."""
    restarts: Mapping[str, int] = field(default_factory=dict)
    """How often a part was begun again after it failed: `stt`, `vad` …"""
    reloads: int = 0
    failed_reloads: int = 0
    circuits: Mapping[str, tuple[ev.Circuit, ...]] = field(default_factory=dict)
    """The providers behind a fallback, best first, by the part that they are: `llm`, `stt`, `tts`."""
    lag: ev.LoopLag | None = None
    """How late the loop comes, as it was last told."""
    echo: ev.EchoCancellation | None = None
    """What is done about the agent's voice in the microphone."""


def check(health: Health, event: AnyEvent) -> Health:
    """How the runtime does after an event; the same object if it tells nothing of that."""
    change = CHANGES.get(type(event.data))
    return health if change is None else change(health, event, event.data)


def _stalled(health: Health, event: AnyEvent, data: ev.LoopStalled) -> Health:
    return replace(health, stall=_block(event, data))


def _blocked(health: Health, event: AnyEvent, data: ev.LoopBlocked) -> Health:
    return replace(
        health,
        stall=None,
        blocks=(*health.blocks[-BLOCKS_KEPT + 1 :], _block(event, data)),
        blocked=health.blocked + 1,
        worst_block=max(health.worst_block, data.duration),
    )


def _block(event: AnyEvent, data: ev.LoopStalled | ev.LoopBlocked) -> Block:
    return Block(event.time, data.duration, f"{PurePath(data.file).name}:{data.line}", event.turn_id, data.stack)


def _error(health: Health, event: AnyEvent, data: ev.ErrorOccurred) -> Health:
    old = health.troubles.get(data.source)
    trouble = Trouble((old.count if old else 0) + 1, event.time, data.message, data.recoverable)
    return replace(health, troubles={**health.troubles, data.source: trouble})


def _device(health: Health, event: AnyEvent, data: ev.DeviceChanged) -> Health:
    if data.state == "lost":
        return replace(health, lost=_one_more(health.lost, data.kind))
    if data.state == "opened" and health.reconnects.get(data.kind, 0) < health.lost.get(data.kind, 0):
        return replace(health, reconnects=_one_more(health.reconnects, data.kind))
    return health


def _one_more(counts: Mapping[str, int], name: str) -> Mapping[str, int]:
    return {**counts, name: counts.get(name, 0) + 1}


CHANGES: Final[Mapping[type, Callable[[Health, AnyEvent, Any], Health]]] = {
    ev.LoopStalled: _stalled,
    ev.LoopBlocked: _blocked,
    ev.LoopLag: lambda health, event, data: replace(health, lag=data),
    ev.ErrorOccurred: _error,
    ev.DeviceChanged: _device,
    ev.EchoCancellation: lambda health, event, data: replace(health, echo=data),
    ev.RoomReconnecting: lambda health, event, data: replace(health, lost=_one_more(health.lost, "room")),
    ev.RoomReconnected: lambda health, event, data: replace(health, reconnects=_one_more(health.reconnects, "room")),
    ev.CircuitsChanged: lambda health, event, data: replace(
        health, circuits={**health.circuits, data.part: data.circuits}
    ),
    ev.PartRestarting: lambda health, event, data: replace(health, restarts=_one_more(health.restarts, data.part)),
    ev.ReloadFinished: lambda health, event, data: replace(health, reloads=health.reloads + 1),
    ev.ReloadFailed: lambda health, event, data: replace(health, failed_reloads=health.failed_reloads + 1),
}
"""What tells of it."""
