"""How a room's sound comes through, asked of the SDK from time to time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from livekit import rtc

from agent_runtime.clock import Clock
from agent_runtime.events import EventData
from agent_runtime.events.room import EncryptionChanged, RoomFigures, TrackFigures
from agent_runtime.utils.aio import cancel_and_wait

logger = logging.getLogger(__name__)

INTERVAL: Final = 2.0
"""Seconds between two looks."""
UNREADABLE_AFTER: Final = 50
"""Encrypted packets of which none could be read until the key counts as another: a second of speech."""

Emit = Callable[[EventData, str | None], None]


@dataclass(slots=True)
class _Counts:
    """What a track had when it was last looked at."""

    packets: int = 0
    lost: int = 0


class RoomWatch:
    """Tells how a room's tracks come through, from `start` to `aclose`, and who can't be understood.

    The SDK reports that somebody can be decrypted, but not that they can't: that shows by packets that come and are
    of no use.

    Args:
        room: the room; it may be connected later.
        emit: gets each event and its cause.
        clock: the clock of the loop.
    """

    def __init__(self, room: rtc.Room, emit: Emit, *, clock: Clock) -> None:
        self._room = room
        self._emit = emit
        self._clock = clock
        self._before: dict[str, _Counts] = {}
        self._understood: set[str] = set()
        self._told: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._room.on("e2ee_state_changed", self._encryption)
        self._room.on("participant_disconnected", self._left)
        self._task = asyncio.create_task(self._run(), name="watch the room")

    async def aclose(self) -> None:
        """Look no more."""
        self._room.off("e2ee_state_changed", self._encryption)
        self._room.off("participant_disconnected", self._left)
        if self._task is not None:
            await cancel_and_wait(self._task)

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(INTERVAL)
            if self._room.isconnected():
                try:
                    await self._look()
                except RuntimeError as exc:  # the connection went meanwhile
                    logger.debug("no figures of the room: %s", exc)

    async def _look(self) -> None:
        tracks, round_trip = [], None
        for participant, publication in self._publications():
            if publication.track is None or publication.kind != rtc.TrackKind.KIND_AUDIO:
                continue
            stats = await publication.track.get_stats()
            found = self._figures(participant, publication, stats)
            if found is not None:
                tracks.append(found)
                if found.direction == "in":
                    self._listen(participant.identity, publication, found)
            round_trip = _round_trip(stats) or round_trip
        self._before = {track.sid: _Counts(track.packets, track.lost) for track in tracks}
        self._emit(RoomFigures(round_trip, tuple(tracks)), None)

    def _publications(self) -> Iterator[tuple[rtc.Participant, rtc.TrackPublication]]:
        for participant in (self._room.local_participant, *tuple(self._room.remote_participants.values())):
            for publication in tuple(participant.track_publications.values()):
                yield participant, publication

    def _figures(
        self, participant: rtc.Participant, publication: rtc.TrackPublication, stats: list[Any]
    ) -> TrackFigures | None:
        direction: Literal["in", "out"] = "out" if participant is self._room.local_participant else "in"
        by_kind = {report.WhichOneof("stats"): report for report in stats}
        packets, lost, jitter = 0, 0, 0.0
        if direction == "in" and "inbound_rtp" in by_kind:
            received = by_kind["inbound_rtp"].inbound_rtp.received
            packets, lost, jitter = received.packets_received, received.packets_lost, received.jitter
        elif direction == "out" and "outbound_rtp" in by_kind:
            packets = by_kind["outbound_rtp"].outbound_rtp.sent.packets_sent
            if "remote_inbound_rtp" in by_kind:
                received = by_kind["remote_inbound_rtp"].remote_inbound_rtp.received
                lost, jitter = received.packets_lost, received.jitter
        else:
            return None
        lost = max(0, lost)  # the SDK counts a packet that came twice as one that was lost less
        before = self._before.get(publication.sid, _Counts())
        new_lost = max(0, lost - before.lost)
        new = max(0, packets - before.packets) + (new_lost if direction == "in" else 0)
        share = min(1.0, new_lost / new) if new else 0.0
        return TrackFigures(participant.identity, publication.sid, direction, packets, lost, share, jitter)

    # --- encryption --------------------------------------------------------------------------------------------------

    def _encryption(self, participant: rtc.Participant, state: int) -> None:
        if participant.identity == self._room.local_participant.identity:
            return
        if state in (rtc.EncryptionState.OK, rtc.EncryptionState.KEY_RATCHETED):
            self._understood.add(participant.identity)
            self._tell(participant.identity, "ok")

    def _listen(self, identity: str, publication: rtc.TrackPublication, figures: TrackFigures) -> None:
        """Notice packets that can't be understood."""
        encrypted = publication.encryption_type != rtc.EncryptionType.NONE
        ours = self._room.e2ee_manager.enabled
        if encrypted and not ours:
            self._tell(identity, "no_key")
        elif ours and not encrypted:
            self._tell(identity, "unencrypted")
        elif ours and identity not in self._understood and figures.packets >= UNREADABLE_AFTER:
            self._tell(identity, "wrong_key")

    def _left(self, participant: rtc.RemoteParticipant) -> None:
        """Whoever comes back may have another key."""
        self._understood.discard(participant.identity)
        self._told.pop(participant.identity, None)

    def _tell(self, identity: str, state: Literal["ok", "wrong_key", "no_key", "unencrypted"]) -> None:
        if self._told.get(identity) != state:
            self._told[identity] = state
            self._emit(EncryptionChanged(identity, state), None)


def _round_trip(stats: list[Any]) -> float | None:
    """Seconds, of the connection that is in use."""
    for report in stats:
        if report.WhichOneof("stats") == "candidate_pair":
            pair = report.candidate_pair.candidate_pair
            if pair.nominated and pair.responses_received:
                return float(pair.total_round_trip_time / pair.responses_received)
    return None
