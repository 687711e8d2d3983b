"""Waiting for somebody, or something of theirs, to be in a room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast, overload

from livekit import rtc

ATTRIBUTE_AGENT_NAME: Final = "lk.agent.name"

Kinds: TypeAlias = "list[rtc.ParticipantKind.ValueType] | rtc.ParticipantKind.ValueType | None"
T = TypeVar("T")

_SOMEBODY: Final = ("participant_connected", "participant_attributes_changed", "connection_state_changed")
_SOMETHING: Final = (
    "participant_connected",
    "track_published",
    "track_subscribed",
    "local_track_published",
    "local_track_subscribed",
    "connection_state_changed",
)


async def wait_for_agent(room: rtc.Room, *, agent_name: str | None = None) -> rtc.RemoteParticipant:
    """The first agent that is there, or the first of this name. Raises RuntimeError if the room is or gets left."""

    def find() -> rtc.RemoteParticipant | None:
        for participant in room.remote_participants.values():
            is_agent = participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
            if is_agent and agent_name in (None, participant.attributes.get(ATTRIBUTE_AGENT_NAME)):
                return participant
        return None

    return await _first(room, find, _SOMEBODY)


@overload
async def wait_for_participant(
    room: rtc.Room, *, identity: str | None = None, kind: Kinds = None, include_local: Literal[False] = False
) -> rtc.RemoteParticipant: ...


@overload
async def wait_for_participant(
    room: rtc.Room, *, identity: str | None = None, kind: Kinds = None, include_local: Literal[True]
) -> rtc.Participant: ...


async def wait_for_participant(
    room: rtc.Room, *, identity: str | None = None, kind: Kinds = None, include_local: bool = False
) -> rtc.Participant:
    """The first who is there, of this identity and kind. Raises RuntimeError if the room is or gets left."""
    return await _first(room, lambda: next(iter(_those(room, identity, kind, include_local)), None), _SOMEBODY)


async def wait_for_participant_attribute(room: rtc.Room, *, identity: str, attribute: str, value: str) -> None:
    """Wait until a participant's attribute has this value. Raises RuntimeError if they leave, or the room is left."""

    def find() -> bool | None:
        participant = room.remote_participants.get(identity)
        if participant is None:
            raise RuntimeError(f"{identity} left while their {attribute} was waited for")
        return participant.attributes.get(attribute) == value or None

    await _first(room, find, (*_SOMEBODY, "participant_disconnected"))


async def wait_for_track_publication(
    room: rtc.Room,
    *,
    identity: str | None = None,
    kind: list[rtc.TrackKind.ValueType] | rtc.TrackKind.ValueType | None = None,
    include_local: bool = False,
    wait_for_subscription: bool = False,
) -> rtc.TrackPublication:
    """The first track that is published, of this participant and kind. Raises RuntimeError if the room is or gets left.

    With `wait_for_subscription` the first that is subscribed to; a track of one's own is, as soon as it is there.
    """
    kinds = None if kind is None else kind if isinstance(kind, list) else [kind]

    def find() -> rtc.TrackPublication | None:
        for participant in _those(room, identity, None, include_local):
            for publication in participant.track_publications.values():
                if kinds is not None and publication.kind not in kinds:
                    continue
                if not wait_for_subscription or publication.track is not None:
                    return publication
        return None

    return await _first(room, find, _SOMETHING)


def _those(room: rtc.Room, identity: str | None, kind: Kinds, include_local: bool) -> Iterable[rtc.Participant]:
    kinds = None if kind is None else kind if isinstance(kind, list) else [kind]
    everybody: list[rtc.Participant] = [
        *([room.local_participant] if include_local else []),
        *room.remote_participants.values(),
    ]
    return [p for p in everybody if identity in (None, p.identity) and (kinds is None or p.kind in kinds)]


async def _first(room: rtc.Room, find: Callable[[], T | None], names: tuple[str, ...]) -> T:
    """What `find` gives, now or after one of these events."""
    if not room.isconnected():
        raise RuntimeError("the room isn't connected: connect it first")
    found: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def look(*_: object) -> None:
        if found.done():
            return
        if room.connection_state == rtc.ConnectionState.CONN_DISCONNECTED:
            found.set_exception(RuntimeError("the room was left while it was waited for somebody in it"))
            return
        try:
            there = find()
        except RuntimeError as exc:
            found.set_exception(exc)
            return
        if there is not None:
            found.set_result(there)

    for name in names:
        room.on(cast("Any", name), look)
    try:
        look()
        return await found
    finally:
        for name in names:
            room.off(cast("Any", name), look)
