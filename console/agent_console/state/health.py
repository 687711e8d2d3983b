"""What went wrong around the conversation, counted, with the newest of each kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Final

from agent_runtime import events as ev
from agent_runtime.events import AnyEvent

BLOCKS_KEPT: Final = 8


@dataclass(frozen=True, slots=True)
class Block:
    """A call that held up the runtime's loop."""

    time: float
    seconds: float
    place: str
    """`file.py:12`."""
    turn_id: str | None
    stack: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Failures of one source."""

    count: int
    last: float
    message: str
    recoverable: bool


@dataclass(frozen=True, slots=True)
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
    """How often the microphone (`input`) and the speaker (`output`) went away."""
    reconnects: Mapping[str, int] = field(default_factory=dict)
    """How often they came back."""
    reloads: int = 0
    failed_reloads: int = 0


def check(health: Health, event: AnyEvent) -> Health:
    """How the runtime does after an event; the same object if it tells nothing of that."""
    data = event.data
    if isinstance(data, ev.LoopStalled | ev.LoopBlocked):
        place = f"{PurePath(data.file).name}:{data.line}"
        block = Block(event.time, data.duration, place, event.turn_id, data.stack)
        if isinstance(data, ev.LoopStalled):
            return replace(health, stall=block)
        return replace(
            health,
            stall=None,
            blocks=(*health.blocks[-BLOCKS_KEPT + 1 :], block),
            blocked=health.blocked + 1,
            worst_block=max(health.worst_block, data.duration),
        )
    if isinstance(data, ev.ErrorOccurred):
        old = health.troubles.get(data.source)
        trouble = Trouble((old.count if old else 0) + 1, event.time, data.message, data.recoverable)
        return replace(health, troubles={**health.troubles, data.source: trouble})
    if isinstance(data, ev.DeviceChanged):
        return _device(health, data)
    if isinstance(data, ev.ReloadFinished):
        return replace(health, reloads=health.reloads + 1)
    if isinstance(data, ev.ReloadFailed):
        return replace(health, failed_reloads=health.failed_reloads + 1)
    return health


def _device(health: Health, data: ev.DeviceChanged) -> Health:
    lost = health.lost.get(data.kind, 0)
    if data.state == "lost":
        return replace(health, lost={**health.lost, data.kind: lost + 1})
    back = health.reconnects.get(data.kind, 0)
    if data.state == "opened" and back < lost:
        return replace(health, reconnects={**health.reconnects, data.kind: back + 1})
    return health
