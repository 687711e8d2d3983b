"""Tells a session's readers what happens in a room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from livekit import rtc

from agent_runtime.clock import Clock
from agent_runtime.events import EventData
from agent_runtime.events import room as ev

_REASONS: Final[dict[str, str]] = {
    "duplicate_identity": "somebody else joined with the agent's identity, and the server lets in one of them: "
    "give one of the two another identity",
    "server_shutdown": "the server was shut down: join again when it is back",
    "participant_removed": "the agent was removed from the room: join again if that was a mistake",
    "room_deleted": "the room was deleted: join to make it anew",
    "room_closed": "the room was closed because everybody had left: join to make it anew",
    "state_mismatch": "the server has forgotten this connection: join again",
    "join_failure": "the server took the connection but no media came through: check that its UDP and TCP ports can be "
    "reached",
    "signal_close": "the connection to the server was closed: check that it runs, and join again",
    "connection_timeout": "the server didn't answer in time: check that it runs, and join again",
    "media_failure": "no media came through any more: check the network between here and the server",
    "migration": "the server moved the room elsewhere: join again",
    "agent_error": "the server ended the agent's part in the room: see the server's log",
    "unknown_reason": "the connection was lost: check that the server runs, and join again",
}


def reason_name(reason: int | None) -> str:
    """A DisconnectReason as events carry it."""
    known = rtc.DisconnectReason.items()
    return next((name.lower() for name, number in known if number == reason), "unknown_reason")


def advice(reason: str) -> str:
    """What a disconnection for this reason means and what to do; empty where it was asked for."""
    return "" if reason == "client_initiated" else _REASONS.get(reason, f"the server ended the connection: {reason}")


def kind_name(kind: int) -> str:
    """A ParticipantKind as events carry it."""
    found = next((name for name, number in rtc.ParticipantKind.items() if number == kind), "standard")
    return found.removeprefix("PARTICIPANT_KIND_").lower()


class RoomReports:
    """Listens to a room from `start` to `stop`.

    Args:
        room: the room.
        emit: gets each event and its cause.
        clock: measures how long a reconnection takes.
    """

    def __init__(self, room: rtc.Room, emit: Callable[[EventData, str | None], None], *, clock: Clock) -> None:
        self._room = room
        self._emit = emit
        self._clock = clock
        self._connected = False
        self._lost_at: float | None = None
        self._handlers: dict[str, Callable[..., None]] = {
            "connection_state_changed": lambda _: self._look(),
            "reconnecting": self._reconnecting,
            "reconnected": self._reconnected,
            "disconnected": self._disconnected,
            "participant_connected": self._joined,
            "participant_disconnected": self._left,
            "active_speakers_changed": self._speaking,
            "connection_quality_changed": self._quality,
            "track_published": lambda p, who: self._track(who, p, "published"),
            "track_unpublished": lambda p, who: self._track(who, p, "unpublished"),
            "track_subscribed": lambda _, p, who: self._track(who, p, "subscribed"),
            "track_unsubscribed": lambda _, p, who: self._track(who, p, "unsubscribed"),
            "track_muted": lambda who, p: self._track(who, p, "muted"),
            "track_unmuted": lambda who, p: self._track(who, p, "unmuted"),
            "local_track_published": lambda p, _: self._track(self._room.local_participant, p, "published"),
            "local_track_unpublished": lambda p: self._track(self._room.local_participant, p, "unpublished"),
        }

    def start(self) -> None:
        """Tell what there is already, and what happens from now on."""
        for name, handler in self._handlers.items():
            self._room.on(cast("Any", name), handler)
        self._look()

    def stop(self) -> None:
        """Tell no more."""
        for name, handler in self._handlers.items():
            self._room.off(cast("Any", name), handler)

    def _look(self) -> None:
        """Tell of the connection once it is there, and of who was there before."""
        if self._connected or not self._room.isconnected():
            return
        self._connected = True
        self._emit(ev.RoomConnected(self._room.name, self._room.local_participant.identity), None)
        for participant in self._room.remote_participants.values():
            self._joined(participant)
            for publication in participant.track_publications.values():
                self._track(participant, publication, "subscribed" if publication.track else "published")

    def _reconnecting(self) -> None:
        if self._lost_at is None:
            self._lost_at = self._clock.now()
            self._emit(ev.RoomReconnecting(), None)

    def _reconnected(self) -> None:
        lost_at, self._lost_at = self._lost_at, None
        self._emit(ev.RoomReconnected(0.0 if lost_at is None else self._clock.now() - lost_at), None)

    def _disconnected(self, reason: int | None = None) -> None:
        self._connected, self._lost_at = False, None
        name = reason_name(reason)
        self._emit(ev.RoomDisconnected(name, advice(name)), None)

    def _joined(self, participant: rtc.RemoteParticipant) -> None:
        self._emit(ev.ParticipantJoined(participant.identity, participant.name, kind_name(participant.kind)), None)

    def _left(self, participant: rtc.RemoteParticipant) -> None:
        self._emit(ev.ParticipantLeft(participant.identity, reason_name(participant.disconnect_reason)), None)

    def _speaking(self, speakers: list[rtc.Participant]) -> None:
        self._emit(ev.ActiveSpeakers(tuple(speaker.identity for speaker in speakers)), None)

    def _quality(self, participant: rtc.Participant | None, quality: rtc.ConnectionQuality) -> None:
        name = quality.name.removeprefix("QUALITY_").lower()
        if participant is not None and name in ("excellent", "good", "poor", "lost"):
            self._emit(ev.ConnectionQuality(participant.identity, cast("ev.Quality", name)), None)

    def _track(self, participant: rtc.Participant, publication: rtc.TrackPublication, state: ev.TrackState) -> None:
        kind = rtc.TrackKind.Name(publication.kind).removeprefix("KIND_").lower()
        source = rtc.TrackSource.Name(publication.source).removeprefix("SOURCE_").lower()
        change = ev.TrackChanged(
            participant.identity,
            publication.sid,
            publication.name,
            cast("ev.TrackKind", kind),
            cast("ev.TrackSource", source),
            state,
            publication.muted,
        )
        self._emit(change, None)
