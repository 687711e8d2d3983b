"""What the console knows, says and draws of a room."""

from __future__ import annotations

import dataclasses

import pytest

from agent_console.drawing.room import room_lines, room_mark
from agent_console.drawing.status import header
from agent_console.drawing.text import Line
from agent_console.state import ConsoleState, Rule, reduce_all
from agent_runtime import events as ev
from agent_runtime.events import Event, EventData

KEYS = {"room": "^o", "room.link": "y", "room.command": "c", "room.token": "T"}
TOKEN = "eyJhbGciOi.eyJ2aWRl.c2VjcmV0"
INVITATION = ev.RoomInvitation("desk", "ws://here:7880", TOKEN, "lk room join", f"https://there/?token={TOKEN}")
HERE = (ev.RoomConnected("desk", "agent-1"), INVITATION, ev.ModeChanged("room", "desk", 0.4))


def after(*data: EventData, cause: str | None = "key") -> ConsoleState:
    events = [Event(number, float(number), "session-1", None, cause, item) for number, item in enumerate(data, 1)]
    return reduce_all(ConsoleState(mode="local"), events)


def text(lines: list[Line]) -> str:
    return "\n".join("".join(part for part, _ in line) for line in lines)


def panel(state: ConsoleState, width: int = 60) -> str:
    return text(room_lines(state, width, KEYS))


def test_the_header_says_where_the_conversation_is() -> None:
    assert "local" in text(header(after(), 0.0, 100))
    shown = text(header(after(*HERE), 0.0, 100))
    assert "● room desk" in shown
    assert "local" not in shown
    assert "hears nobody yet" in shown
    assert "room muted" in text(header(after(*HERE, ev.InputMuted(True)), 0.0, 100))
    back = after(*HERE, ev.ModeChanged("local", None, 0.0))
    assert "room" not in text(header(back, 0.0, 100))
    assert room_mark(back.room) == ()


def test_a_name_with_a_line_break_stays_on_its_line() -> None:
    state = after(ev.ModeChanged("room", "kit\nchen", 0.1))
    assert "room kit chen" in "".join(words for words, _ in room_mark(state.room))


def test_a_line_across_the_transcript_tells_each_move() -> None:
    state = after(*HERE, ev.ModeChanged("local", None, 0.01))
    assert [entry.text for entry in state.entries if isinstance(entry, Rule)] == [
        "in the room desk · 0.40 s",
        "on this machine · 0.01 s",
    ]


def test_an_interrupted_connection_is_a_banner_until_it_is_back() -> None:
    state = after(*HERE, ev.RoomReconnecting())
    assert [banner.key for banner in state.banners] == ["room"]
    assert "interrupted, being restored" in panel(state)
    state = after(*HERE, ev.RoomReconnecting(), ev.RoomReconnected(1.5))
    assert state.banners == ()
    assert "1x · 1.5 s in all" in panel(state)
    assert state.entries.last is not None
    assert "back after 1.5 s" in state.entries.last.text  # type: ignore[union-attr]


def test_why_the_agent_is_out_stays_to_be_read() -> None:
    lost = ev.RoomDisconnected("duplicate_identity", "give one of the two another identity")
    state = after(*HERE, lost, ev.ModeChanged("local", None, 0.0), cause="disconnected")
    (banner,) = state.banners
    assert banner.text == "Out of the room: duplicate identity"
    assert banner.hint == "give one of the two another identity"
    assert "give one of the two another identity" in panel(state)
    assert "another identity" not in panel(after(*HERE, lost, *HERE))
    assert after(*HERE, ev.RoomDisconnected("client_initiated", "")).banners == ()


def test_a_server_that_could_be_started_is_offered_until_there_is_one() -> None:
    offer = ev.RoomServerMissing("livekit.url", "/usr/bin/livekit-server")
    state = after(offer)
    assert state.room.offer is offer
    assert "^o again starts one" in state.banners[0].hint
    assert "^o starts /usr/bin/livekit-server" in panel(state).replace("\n", " ")
    assert after(offer, *HERE).room.offer is None
    assert after(offer, *HERE).banners == ()


@pytest.mark.parametrize(
    ("state", "words"), [("wrong_key", "another key"), ("no_key", "no key"), ("unencrypted", "not encrypted")]
)
def test_who_can_t_be_understood_is_named_until_they_leave(state: str, words: str) -> None:
    broken = (*HERE, ev.ParticipantJoined("ana", "", "standard"), ev.EncryptionChanged("ana", state))  # type: ignore[arg-type]
    told = after(*broken)
    assert "ana" in told.banners[0].text
    assert words in panel(told)
    assert after(*broken, ev.EncryptionChanged("ana", "ok")).banners == ()
    left = after(*broken, ev.ParticipantLeft("ana", "client_initiated"))
    assert left.banners == ()
    assert "ana" not in panel(left)


def test_people_are_named_with_what_matters_of_them() -> None:
    state = after(
        *HERE,
        ev.ParticipantJoined("ana", "Ana", "sip"),
        ev.ParticipantLinked("ana"),
        ev.ActiveSpeakers(("ana",)),
        ev.ConnectionQuality("ana", "poor"),
        ev.ConnectionQuality("nobody", "good"),
    )
    assert "nobody" not in state.room.participants
    row = next(line for line in panel(state).splitlines() if "Ana" in line)
    assert all(word in row for word in ("speaks", "is heard", "sip", "poor"))


def track(identity: str, state: str, *, muted: bool = False) -> ev.TrackChanged:
    return ev.TrackChanged(identity, f"TR_{identity}", "mic", "audio", "microphone", state, muted)  # type: ignore[arg-type]


def test_tracks_are_subscribed_muted_and_gone() -> None:
    there = (*HERE, ev.ParticipantJoined("ana", "", "standard"), track("ana", "published"))
    assert "not subscribed" in panel(after(*there))
    got = (*there, track("ana", "subscribed"))
    assert "not subscribed" not in panel(after(*got))
    assert "muted" in panel(after(*got, track("ana", "muted", muted=True)))
    assert "subscribed" in panel(after(*got, track("ana", "muted", muted=True), track("ana", "unmuted")))
    assert "TRACKS" not in panel(after(*got, track("ana", "unpublished")))
    assert "TRACKS" not in panel(after(*got, ev.ParticipantLeft("ana", "client_initiated")))
    assert "sent" in panel(after(*HERE, track("agent-1", "published")))


def test_lost_packets_are_marked_from_where_they_are_heard() -> None:
    there = (*HERE, track("ana", "subscribed"))
    fine = ev.TrackFigures("ana", "TR_ana", "in", 1000, 0, 0.0, 0.004)
    bad = dataclasses.replace(fine, lost=250, loss=0.25, jitter=0.05)
    shown = panel(after(*there, ev.RoomFigures(0.02, (fine,))))
    assert "20 ms" in shown
    assert "!" not in shown
    shown = panel(after(*there, ev.RoomFigures(0.5, (bad,))))
    assert "! 500 ms" in shown
    assert "lost ! 20.0% · now ! 25.0% · jitter ! 50 ms" in shown


def test_figures_aren_t_among_the_events_and_no_token_is() -> None:
    state = after(*HERE, ev.RoomFigures(0.02, ()))
    kept = [event.data for event in state.events]
    assert [data.type for data in kept] == ["room_connected", "room_invitation", "mode_changed"]
    assert TOKEN not in repr(kept)
    assert state.room.invitation == INVITATION
    assert TOKEN not in panel(state)


def test_this_machine_s_missing_microphone_doesn_t_matter_in_a_room() -> None:
    lost = ev.DeviceChanged("input", "unavailable", "")
    assert [banner.key for banner in after(lost).shown_banners] == ["device:input"]
    assert after(lost, *HERE).shown_banners == ()
    assert after(lost, *HERE, ev.ModeChanged("local", None, 0.0)).shown_banners != ()
