"""The room panel: how the connection stands, who is there, which tracks there are, how others get in."""

from __future__ import annotations

from typing import Final

from agent_console.drawing.text import Line, Span, clean, fit, justify, wrap_spans
from agent_console.state import ConsoleState
from agent_console.state.room import Participant, Room, RoomTrack
from agent_runtime.events import TrackFigures

LOSSY: Final = 0.02
"""Share of lost packets from which on it is heard."""
UNEVEN: Final = 0.03
"""Seconds of jitter from which on it costs delay."""
SLOW: Final = 0.3
"""Seconds to the server and back from which on a conversation drags."""

_CONNECTION: Final = {
    "none": ("○", "muted", "not in a room"),
    "connected": ("●", "good", "connected"),
    "reconnecting": ("◌", "fair", "interrupted, being restored"),
    "lost": ("✗", "bad", "lost"),
}
_QUALITY: Final = {
    "excellent": ("▂▄▆█", "good"),
    "good": ("▂▄▆ ", "good"),
    "poor": ("▂   ", "fair"),
    "lost": ("✗   ", "bad"),
}
_SOURCES: Final = {"screenshare": "screen", "screenshare_audio": "screen's sound", "unknown": "track"}
_ENCRYPTION: Final = {
    "ok": ("encrypted", "good"),
    "wrong_key": ("another key", "bad"),
    "no_key": ("no key", "bad"),
    "unencrypted": ("not encrypted", "bad"),
}


def room_mark(room: Room) -> Line:
    """Where the conversation is, for the header; empty where it is on this machine."""
    if not room.here:
        return ()
    sign, style, words = _CONNECTION[room.connection]
    rest = "" if room.connection == "connected" else f" {words}"
    name = clean(room.name).replace("\n", " ")
    return ((f"{sign} ", style), (f"room {name}", "text"), (rest, style))


def room_devices(room: Room, width: int, *, muted: bool = False) -> Line:
    """Whom the agent hears and how, in place of microphone and speaker."""
    others = len(room.participants) - (room.identity in room.participants)
    linked = room.participants.get(room.linked or "")
    who: Span = ("hears nobody yet", "fair")
    if muted:
        who = ("muted", "error bold")
    elif linked is not None:
        who = (f"hears {fit(clean(linked.name or linked.identity), max(8, width // 3))}", "text")
    quality = linked.quality if linked is not None else None
    there = "1 other there" if others == 1 else f"{others} others there"
    spans: list[Span] = [("room ", "muted"), who, (f" · {there}", "muted")]
    if quality is not None:
        sign, style = _QUALITY[quality]
        spans += [(" ", ""), (sign.rstrip(), style), (f" {quality}", style)]
    return tuple(spans)


def room_lines(state: ConsoleState, width: int, keys: dict[str, str]) -> list[Line]:
    """The whole panel. `keys` has how the keys of its actions are written."""
    room = state.room
    if not room.here and room.connection in ("none", "lost"):
        return _outside(room, width, keys)
    sections = (_connection(room, width), _people(room, width), _tracks(room, width), _invitation(room, width, keys))
    lines: list[Line] = []
    for section in sections:
        lines += [(), *section] if lines and section else section
    return lines


def _outside(room: Room, width: int, keys: dict[str, str]) -> list[Line]:
    key = keys["room"]
    spans: list[Span] = [("The conversation is on this machine. ", "text")]
    if room.offer is not None:
        spans += [
            (f"There is no server: {room.offer.missing} not set. ", "fair"),
            (key, "key"),
            (f" starts {clean(room.offer.binary)} here, for as long as the console is open.", "text"),
        ]
    else:
        spans += [(key, "key"), (" goes on in a LiveKit room, with all that was said.", "text")]
    lines = wrap_spans(spans, width)
    if room.problem:
        lines += [(), *wrap_spans([("✗ ", "bad"), (clean(room.problem), "bad")], width)]
    return lines


def _connection(room: Room, width: int) -> list[Line]:
    sign, style, words = _CONNECTION[room.connection]
    lines = [
        justify(((f"{sign} ", style), (clean(room.name), "text bold")), ((words, style),), width),
        _fact("the agent is", ((fit(clean(room.identity), width - 14), "text"),), width),
    ]
    if room.invitation is not None:
        lines.append(_fact("server", ((fit(clean(room.invitation.url), width - 8), "text"),), width))
    if room.took is not None:
        lines.append(_fact("joined in", ((f"{room.took:.2f} s", "value"),), width))
    if room.round_trip is not None:
        trip = f"{room.round_trip * 1000:.0f} ms"
        lines.append(_fact("to the server and back", (_grade(trip, room.round_trip >= SLOW),), width))
    if room.losses:
        lines.append(_fact("interrupted", ((f"{room.losses}x · {room.away:.1f} s in all", "fair"),), width))
    if room.problem:
        lines += wrap_spans([("✗ ", "bad"), (clean(room.problem), "bad")], width)
    return lines


def _people(room: Room, width: int) -> list[Line]:
    head: Line = justify((("PEOPLE", "heading"),), ((f"{len(room.participants)}", "muted"),), width)
    return [head, *(_person(room, somebody, width) for somebody in room.participants.values())]


def _person(room: Room, somebody: Participant, width: int) -> Line:
    speaks = somebody.identity in room.speaking
    name = clean(somebody.name or somebody.identity)
    if somebody.name and somebody.name != somebody.identity:
        name = f"{name} ({clean(somebody.identity)})"
    notes: list[Span] = []
    if speaks:
        notes.append(("speaks", "speech"))
    if somebody.identity == room.linked:
        notes.append(("is heard", "good"))
    if somebody.encryption is not None:
        notes.append(_ENCRYPTION[somebody.encryption])
    notes.append((somebody.kind, "muted"))
    right: list[Span] = []
    for note in notes:
        right += [(" · ", "faint"), note] if right else [note]
    if somebody.quality is not None:
        sign, style = _QUALITY[somebody.quality]
        right += [(" ", ""), (sign, style), (f" {somebody.quality:<9}", style)]
    else:
        right.append((" " * 15, ""))
    size = sum(len(text) for text, _ in right)
    mark: Span = ("● ", "speech") if speaks else ("○ ", "muted")
    style = "agent" if somebody.identity == room.identity else "text"
    return justify((mark, (fit(name, max(6, width - size - 3)), style)), tuple(right), width)


def _tracks(room: Room, width: int) -> list[Line]:
    if not room.tracks:
        return []
    order = sorted(room.tracks.values(), key=lambda track: (track.identity != room.identity, track.identity))
    lines: list[Line] = [(("TRACKS", "heading"),)]
    for track in order:
        lines += _track(room, track, room.figures.get(track.sid), width)
    return lines


def _track(room: Room, track: RoomTrack, figures: TrackFigures | None, width: int) -> list[Line]:
    own = track.identity == room.identity
    state: Span = ("not subscribed", "muted")
    if track.muted:
        state = ("muted", "fair")
    elif track.subscribed:
        state = ("sent", "good") if own else ("subscribed", "good")
    source = _SOURCES.get(track.source, track.source)
    what = source if source != "track" else clean(track.name) or track.kind
    left: Line = ((f"{'→' if own else '←'} ", "muted"), (clean(track.identity), "agent" if own else "text"))
    lines = [justify((*left, (f" {what}", "muted")), (state,), width)]
    if figures is not None:
        share = figures.lost / max(1, figures.packets + (0 if own else figures.lost))
        spans: Line = (
            ("  lost ", "faint"),
            _grade(f"{share:.1%}", share >= LOSSY),
            (" · now ", "faint"),
            _grade(f"{figures.loss:.1%}", figures.loss >= LOSSY),
            (" · jitter ", "faint"),
            _grade(f"{figures.jitter * 1000:.0f} ms", figures.jitter >= UNEVEN),
            (f" · {figures.packets:,} packets", "faint"),
        )
        lines.append(spans)
    return lines


def _invitation(room: Room, width: int, keys: dict[str, str]) -> list[Line]:
    if room.invitation is None:
        return []
    spans: list[Span] = []
    for what in ("link", "command", "token"):
        if getattr(room.invitation, what):
            spans += [(keys[f"room.{what}"], "key"), (f" {what}   ", "text")]
    head: Line = justify((("INVITE", "heading"),), (("a key copies", "faint"),), width)
    return [head, tuple(spans)]


def _grade(text: str, bad: bool) -> Span:
    return (f"! {text}" if bad else text, "bad" if bad else "value")


def _fact(name: str, value: Line, width: int) -> Line:
    return justify(((name, "muted"),), value, width)
