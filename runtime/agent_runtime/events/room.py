"""Events of a LiveKit room: the connection to it, who is there, which tracks there are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

TrackKind: TypeAlias = Literal["audio", "video", "unknown"]
TrackSource: TypeAlias = Literal["microphone", "camera", "screenshare", "screenshare_audio", "unknown"]
TrackState: TypeAlias = Literal["published", "unpublished", "subscribed", "unsubscribed", "muted", "unmuted", "failed"]
Quality: TypeAlias = Literal["excellent", "good", "poor", "lost"]


@dataclass(frozen=True, slots=True)
class ModeChanged:
    """The conversation goes on elsewhere. Cause: `key`, or `disconnected` where a room was lost for good."""

    mode: Literal["local", "room"]
    room: str | None
    """The room's name."""
    took: float
    """Seconds from the request until the agent could hear and speak there."""
    type: Literal["mode_changed"] = "mode_changed"


@dataclass(frozen=True, slots=True)
class RoomConnected:
    """The agent is in a room."""

    room: str
    identity: str
    """The agent's own."""
    type: Literal["room_connected"] = "room_connected"


@dataclass(frozen=True, slots=True)
class RoomReconnecting:
    """The connection to the room is interrupted and being restored; the conversation waits."""

    type: Literal["room_reconnecting"] = "room_reconnecting"


@dataclass(frozen=True, slots=True)
class RoomReconnected:
    """The connection is back."""

    took: float
    """Seconds without it."""
    type: Literal["room_reconnected"] = "room_reconnected"


@dataclass(frozen=True, slots=True)
class RoomDisconnected:
    """The agent is in the room no more."""

    reason: str
    """As the server names it, in lower case: `client_initiated`, `room_deleted`, `duplicate_identity` …"""
    advice: str
    """What happened and what to do, in a sentence; empty where it was asked for."""
    type: Literal["room_disconnected"] = "room_disconnected"


@dataclass(frozen=True, slots=True)
class RoomInvitation:
    """How somebody else gets into the room, to talk to the agent."""

    room: str
    url: str
    token: str
    """Lets one participant in for some hours; nothing that is written down holds it."""
    command: str
    """Joins from a terminal, with LiveKit's own command line."""
    link: str
    """Joins from a browser."""
    type: Literal["room_invitation"] = "room_invitation"

    def without_token(self) -> RoomInvitation:
        """As it may be written down."""
        hidden = "<token>"
        return replace(self, token=hidden, link=self.link.replace(self.token, hidden))


@dataclass(frozen=True, slots=True)
class ParticipantJoined:
    """Somebody is in the room; also told of those who were there before the agent."""

    identity: str
    name: str
    kind: str
    """`standard`, `ingress`, `egress`, `sip`, `agent` or `connector`."""
    type: Literal["participant_joined"] = "participant_joined"


@dataclass(frozen=True, slots=True)
class ParticipantLeft:
    """Somebody left."""

    identity: str
    reason: str
    """As in `RoomDisconnected`."""
    type: Literal["participant_left"] = "participant_left"


@dataclass(frozen=True, slots=True)
class ParticipantLinked:
    """This participant is the one whom the agent hears; nobody, while it waits for one."""

    identity: str | None
    type: Literal["participant_linked"] = "participant_linked"


@dataclass(frozen=True, slots=True)
class ActiveSpeakers:
    """Who speaks at the moment, the loudest first, as the server hears it."""

    identities: tuple[str, ...]
    type: Literal["active_speakers"] = "active_speakers"


@dataclass(frozen=True, slots=True)
class TrackChanged:
    """What became of a track."""

    identity: str
    """Whose it is."""
    sid: str
    name: str
    kind: TrackKind
    source: TrackSource
    state: TrackState
    muted: bool
    type: Literal["track_changed"] = "track_changed"


@dataclass(frozen=True, slots=True)
class ConnectionQuality:
    """How good a participant's connection is, as the server judges it."""

    identity: str
    quality: Quality
    type: Literal["connection_quality"] = "connection_quality"
