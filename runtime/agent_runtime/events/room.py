"""Events of a LiveKit room: the connection to it, who is there, which tracks there are."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

from agent_runtime.records import record

TrackKind: TypeAlias = Literal["audio", "video", "unknown"]
TrackSource: TypeAlias = Literal["microphone", "camera", "screenshare", "screenshare_audio", "unknown"]
TrackState: TypeAlias = Literal["published", "unpublished", "subscribed", "unsubscribed", "muted", "unmuted", "failed"]
Quality: TypeAlias = Literal["excellent", "good", "poor", "lost"]
Encryption: TypeAlias = Literal["ok", "wrong_key", "no_key", "unencrypted"]


@record(frozen=True, slots=True)
class ModeChanged:
    """The conversation goes on elsewhere. Cause: `key`, or `disconnected` where a room was lost for good."""

    mode: Literal["local", "room"]
    room: str | None
    """The room's name."""
    took: float
    """Seconds from the request until the agent could hear and speak there."""
    type: Literal["mode_changed"] = "mode_changed"


@record(frozen=True, slots=True)
class RoomConnected:
    """The agent is in a room."""

    room: str
    identity: str
    """The agent's own."""
    type: Literal["room_connected"] = "room_connected"


@record(frozen=True, slots=True)
class RoomReconnecting:
    """The connection to the room is interrupted and being restored; the conversation waits."""

    type: Literal["room_reconnecting"] = "room_reconnecting"


@record(frozen=True, slots=True)
class RoomReconnected:
    """The connection is back."""

    took: float
    """Seconds without it."""
    type: Literal["room_reconnected"] = "room_reconnected"


@record(frozen=True, slots=True)
class RoomDisconnected:
    """The agent is in the room no more."""

    reason: str
    """As the server names it, in lower case: `client_initiated`, `room_deleted`, `duplicate_identity` …"""
    advice: str
    """What happened and what to do, in a sentence; empty where it was asked for."""
    type: Literal["room_disconnected"] = "room_disconnected"


@record(frozen=True, slots=True)
class RoomInvitation:
    """How somebody else gets into the room, to talk to the agent."""

    room: str
    url: str
    token: str
    """Lets one participant in for some hours; nothing that is written down holds it."""
    command: str
    """Joins from a terminal, with LiveKit's own command line and the server's secret; empty where nobody has that."""
    link: str
    """Joins from a browser."""
    type: Literal["room_invitation"] = "room_invitation"

    def without_token(self) -> RoomInvitation:
        """As it may be written down."""
        hidden = "<token>"
        link, key, _ = self.link.replace(self.token, hidden).partition("#")
        return replace(self, token=hidden, link=f"{link}#<key>" if key else link)


@record(frozen=True, slots=True)
class ParticipantJoined:
    """Somebody is in the room; also told of those who were there before the agent."""

    identity: str
    name: str
    kind: str
    """`standard`, `ingress`, `egress`, `sip`, `agent` or `connector`."""
    type: Literal["participant_joined"] = "participant_joined"


@record(frozen=True, slots=True)
class ParticipantLeft:
    """Somebody left."""

    identity: str
    reason: str
    """As in `RoomDisconnected`."""
    type: Literal["participant_left"] = "participant_left"


@record(frozen=True, slots=True)
class ParticipantLinked:
    """This participant is the one whom the agent hears; nobody, while it waits for one."""

    identity: str | None
    type: Literal["participant_linked"] = "participant_linked"


@record(frozen=True, slots=True)
class ActiveSpeakers:
    """Who speaks at the moment, the loudest first, as the server hears it."""

    identities: tuple[str, ...]
    type: Literal["active_speakers"] = "active_speakers"


@record(frozen=True, slots=True)
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


@record(frozen=True, slots=True)
class ConnectionQuality:
    """How good a participant's connection is, as the server judges it."""

    identity: str
    quality: Quality
    type: Literal["connection_quality"] = "connection_quality"


@record(frozen=True, slots=True)
class RoomServerMissing:
    """No server is configured, so no room was joined; asked for, one is started on this machine."""

    missing: str
    """The settings without a value."""
    binary: str
    """The server's program that would be started."""
    type: Literal["room_server_missing"] = "room_server_missing"


@record(frozen=True, slots=True)
class EncryptionChanged:
    """Whether a participant can be understood, in a room with end-to-end encryption or of theirs alone.

    `wrong_key`: theirs is another; `no_key`: they encrypt and the agent doesn't; `unencrypted`: the other way round.
    """

    identity: str
    state: Encryption
    type: Literal["encryption_changed"] = "encryption_changed"


@record(frozen=True, slots=True)
class TrackFigures:
    """How one track's packets come through."""

    identity: str
    """Whose track it is."""
    sid: str
    direction: Literal["in", "out"]
    packets: int
    """Received or sent since the track is there."""
    lost: int
    """How many of them never came; of one's own tracks, as the server tells."""
    loss: float
    """Share of the packets since the last figures that was lost, 0.0 to 1.0."""
    jitter: float
    """Seconds by which packets come unevenly."""


@record(frozen=True, slots=True)
class RoomFigures:
    """How the room's sound comes through; every two seconds."""

    round_trip: float | None
    """Seconds to the server and back; None before it was measured."""
    tracks: tuple[TrackFigures, ...]
    type: Literal["room_figures"] = "room_figures"
