"""How a room's packets are counted from what the SDK tells."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from livekit import rtc
from livekit.rtc._proto.stats_pb2 import RtcStats

from agent_runtime.clock import LoopClock
from agent_runtime.events import EventData, RoomFigures
from agent_runtime.events.room import EncryptionChanged
from agent_runtime.room.figures import INTERVAL, UNREADABLE_AFTER, RoomWatch
from agent_runtime.testing.virtual_time import run_virtual


def inbound(packets: int, lost: int, jitter: float = 0.0) -> RtcStats:
    report = RtcStats()
    received = report.inbound_rtp.received
    received.packets_received, received.packets_lost, received.jitter = packets, lost, jitter
    return report


def outbound(packets: int, lost: int) -> list[RtcStats]:
    sent, back = RtcStats(), RtcStats()
    sent.outbound_rtp.sent.packets_sent = packets
    back.remote_inbound_rtp.received.packets_lost = lost
    return [sent, back]


def pair(total: float, responses: int, *, nominated: bool = True) -> RtcStats:
    report = RtcStats()
    found = report.candidate_pair.candidate_pair
    found.nominated, found.responses_received, found.total_round_trip_time = nominated, responses, total
    return report


class Publication:
    """A track whose statistics are those that are due."""

    def __init__(self, sid: str, *looks: list[RtcStats], encrypted: bool = False) -> None:
        self.sid = sid
        self.kind = rtc.TrackKind.KIND_AUDIO
        self.encryption_type = rtc.EncryptionType.GCM if encrypted else rtc.EncryptionType.NONE
        self.track = self
        self._looks = iter(looks)

    async def get_stats(self) -> list[RtcStats]:
        return next(self._looks)


class Room(rtc.EventEmitter[Any]):
    """As much of a room as is asked."""

    def __init__(self, own: Publication | None = None, other: Publication | None = None, *, key: bool = False) -> None:
        super().__init__()
        self.local_participant = self._person("agent", own)
        self.other = self._person("ana", other)
        self.remote_participants = {"ana": self.other}
        self.e2ee_manager = SimpleNamespace(enabled=key)

    def isconnected(self) -> bool:
        return True

    def _person(self, identity: str, publication: Publication | None) -> Any:
        found = {} if publication is None else {publication.sid: publication}
        return SimpleNamespace(identity=identity, track_publications=found)


def watched(room: Room, looks: int, then: Any = None) -> list[EventData]:
    """What is told in so many looks; `then` happens after the first."""
    told: list[EventData] = []

    async def watch() -> None:
        clock = LoopClock()
        watch = RoomWatch(room, lambda data, cause: told.append(data), clock=clock)  # type: ignore[arg-type]
        watch.start()
        for number in range(looks):
            await clock.sleep(INTERVAL + 0.01)
            if then is not None and number == 0:
                then()
        await watch.aclose()

    run_virtual(watch())
    return told


def test_loss_is_counted_in_all_and_since_the_last_look() -> None:
    room = Room(
        other=Publication("TR_1", [inbound(90, 10, 0.004), pair(0.3, 10)], [inbound(190, 10)], [inbound(193, 9)])
    )
    first, second, third = (data for data in watched(room, 3) if isinstance(data, RoomFigures))
    assert first.round_trip == pytest.approx(0.03)
    assert second.round_trip is None
    assert (first.tracks[0].packets, first.tracks[0].lost) == (90, 10)
    assert first.tracks[0].loss == pytest.approx(0.1)
    assert first.tracks[0].jitter == pytest.approx(0.004)
    assert second.tracks[0].loss == 0.0
    assert third.tracks[0].loss == 0.0


def test_of_the_agent_s_own_track_the_server_tells_what_was_lost() -> None:
    room = Room(own=Publication("TR_0", [*outbound(100, 5), pair(9.0, 1, nominated=False)]))
    (figures,) = watched(room, 1)
    assert isinstance(figures, RoomFigures)
    (track,) = figures.tracks
    assert (track.identity, track.direction, track.packets, track.lost) == ("agent", "out", 100, 5)
    assert track.loss == pytest.approx(0.05)
    assert figures.round_trip is None


def encryption(told: list[EventData]) -> list[str]:
    return [data.state for data in told if isinstance(data, EncryptionChanged)]


def test_another_key_shows_by_packets_of_no_use() -> None:
    few, many = [inbound(UNREADABLE_AFTER - 1, 0)], [inbound(UNREADABLE_AFTER, 0)]
    assert encryption(watched(Room(other=Publication("T", few, encrypted=True), key=True), 1)) == []
    assert encryption(watched(Room(other=Publication("T", many, many, encrypted=True), key=True), 2)) == ["wrong_key"]
    assert encryption(watched(Room(other=Publication("T", many, encrypted=True)), 1)) == ["no_key"]
    assert encryption(watched(Room(other=Publication("T", many), key=True), 1)) == ["unencrypted"]
    assert encryption(watched(Room(other=Publication("T", many)), 1)) == []


def test_who_is_understood_once_is_told_so_and_who_comes_back_is_looked_at_anew() -> None:
    many = [inbound(UNREADABLE_AFTER, 0)]
    room = Room(other=Publication("T", many, many, encrypted=True), key=True)
    ok = lambda: room.emit("e2ee_state_changed", room.other, rtc.EncryptionState.OK)  # noqa: E731  # an event
    assert encryption(watched(room, 2, ok)) == ["wrong_key", "ok"]

    room = Room(other=Publication("T", many, many, encrypted=True), key=True)
    assert encryption(watched(room, 2, lambda: room.emit("participant_disconnected", room.other))) == ["wrong_key"] * 2
