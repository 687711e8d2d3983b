"""The room that the conversation is in: who is there, what is heard of them, how it comes through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from agent_runtime import events as ev
from agent_runtime.events import AnyEvent
from agent_runtime.records import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent_runtime.events.room import Encryption, Quality, TrackKind, TrackSource

Connection: TypeAlias = Literal["none", "connected", "reconnecting", "lost"]


@record(frozen=True, slots=True)
class Participant:
    """Somebody in the room; the agent too."""

    identity: str
    name: str = ""
    kind: str = ""
    quality: Quality | None = None
    encryption: Encryption | None = None


@record(frozen=True, slots=True)
class RoomTrack:
    """A track of somebody's."""

    sid: str
    identity: str
    name: str
    kind: TrackKind
    source: TrackSource
    muted: bool
    subscribed: bool
    """Whether the agent gets it; of its own tracks, whether it is sent."""


@record(frozen=True, slots=True)
class Room:
    """How things stand in the room, or with the way there."""

    here: bool = False
    """The conversation is in it."""
    name: str = ""
    identity: str = ""
    """The agent's."""
    connection: Connection = "none"
    took: float | None = None
    """Seconds that the way there took."""
    participants: Mapping[str, Participant] = field(default_factory=dict)
    """By identity, in the order in which they came; the agent first."""
    speaking: tuple[str, ...] = ()
    linked: str | None = None
    tracks: Mapping[str, RoomTrack] = field(default_factory=dict)
    figures: Mapping[str, ev.TrackFigures] = field(default_factory=dict)
    """By track."""
    round_trip: float | None = None
    losses: int = 0
    """How often the connection was interrupted or lost."""
    away: float = 0.0
    """Seconds that it was interrupted in all, and is there again."""
    problem: str = ""
    """Why the agent is out, and what to do."""
    invitation: ev.RoomInvitation | None = None
    offer: ev.RoomServerMissing | None = None
    """No server is configured, and one can be started."""


def _mode_changed(room: Room, data: ev.ModeChanged) -> Room:
    if data.mode == "room":
        return replace(room, here=True, name=data.room or room.name, took=data.took)
    return replace(_left(room), here=False, took=data.took, invitation=None)


def _left(room: Room) -> Room:
    """Nobody is seen any more."""
    nothing: Mapping[str, Any] = {}
    return replace(
        room,
        connection="none",
        participants=nothing,
        speaking=(),
        linked=None,
        tracks=nothing,
        figures=nothing,
        round_trip=None,
    )


def _connected(room: Room, data: ev.RoomConnected) -> Room:
    agent = Participant(data.identity, "", "agent")
    return replace(
        _left(room),
        name=data.room,
        identity=data.identity,
        connection="connected",
        participants={data.identity: agent},
        problem="",
        offer=None,
    )


def _reconnecting(room: Room, data: ev.RoomReconnecting) -> Room:
    return replace(room, connection="reconnecting", losses=room.losses + 1)


def _reconnected(room: Room, data: ev.RoomReconnected) -> Room:
    return replace(room, connection="connected", away=room.away + data.took)


def _disconnected(room: Room, data: ev.RoomDisconnected) -> Room:
    if not data.advice:
        return _left(room)
    return replace(_left(room), connection="lost", losses=room.losses + 1, problem=data.advice)


def _joined(room: Room, data: ev.ParticipantJoined) -> Room:
    somebody = Participant(data.identity, data.name, data.kind)
    return replace(room, participants={**room.participants, data.identity: somebody})


def _gone(room: Room, data: ev.ParticipantLeft) -> Room:
    return replace(
        room,
        participants={key: value for key, value in room.participants.items() if key != data.identity},
        tracks={sid: track for sid, track in room.tracks.items() if track.identity != data.identity},
        speaking=tuple(identity for identity in room.speaking if identity != data.identity),
    )


def _change(room: Room, identity: str, **values: Any) -> Room:
    known = room.participants.get(identity)
    if known is None:
        return room
    return replace(room, participants={**room.participants, identity: replace(known, **values)})


def _track(room: Room, data: ev.TrackChanged) -> Room:
    tracks = {sid: track for sid, track in room.tracks.items() if sid != data.sid}
    if data.state == "unpublished":
        return replace(room, tracks=tracks)
    before = room.tracks.get(data.sid)
    known = before is not None and before.subscribed
    subscribed = {"subscribed": True, "unsubscribed": False, "failed": False}.get(data.state, known)
    if data.identity == room.identity:
        subscribed = True
    track = RoomTrack(data.sid, data.identity, data.name, data.kind, data.source, data.muted, subscribed)
    return replace(room, tracks={**room.tracks, data.sid: track} if before is not None else {**tracks, data.sid: track})


def _figures(room: Room, data: ev.RoomFigures) -> Room:
    return replace(room, round_trip=data.round_trip, figures={track.sid: track for track in data.tracks})


_CHANGES: Final[Mapping[type, Callable[[Room, Any], Room]]] = {
    ev.ModeChanged: _mode_changed,
    ev.RoomConnected: _connected,
    ev.RoomReconnecting: _reconnecting,
    ev.RoomReconnected: _reconnected,
    ev.RoomDisconnected: _disconnected,
    ev.RoomServerMissing: lambda room, data: replace(room, offer=data),
    ev.RoomInvitation: lambda room, data: replace(room, invitation=data, name=data.room),
    ev.ParticipantJoined: _joined,
    ev.ParticipantLeft: _gone,
    ev.ParticipantLinked: lambda room, data: replace(room, linked=data.identity),
    ev.ActiveSpeakers: lambda room, data: replace(room, speaking=data.identities),
    ev.ConnectionQuality: lambda room, data: _change(room, data.identity, quality=data.quality),
    ev.EncryptionChanged: lambda room, data: _change(room, data.identity, encryption=data.state),
    ev.TrackChanged: _track,
    ev.RoomFigures: _figures,
}
"""What each event of a room does to what is known of it."""


def enter(room: Room, event: AnyEvent) -> Room:
    """The room after an event; the same object if it tells nothing of that."""
    change = _CHANGES.get(type(event.data))
    data: Any = event.data
    return room if change is None else change(room, data)
