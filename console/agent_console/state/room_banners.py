"""What a person has to know of a room at once: banners, and lines across the transcript."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agent_console.state.model import Banner, ConsoleState, Note, Rule
from agent_runtime import events as ev
from agent_runtime.events import AnyEvent

KEY = "room"
"""Of the banner that tells how the connection stands."""

UNREADABLE = {
    "wrong_key": ("{who} has another encryption key: nothing of them can be heard", "give both the same key"),
    "no_key": (
        "{who} encrypts and the agent has no key: nothing of them can be heard",
        "set livekit.encryption_key to the room's key",
    ),
    "unencrypted": ("{who} doesn't encrypt: they can't hear the agent", "have them join with the room's key"),
}
"""What is wrong with a participant's encryption, and what to do."""


def mode_changed(state: ConsoleState, event: AnyEvent, data: ev.ModeChanged) -> ConsoleState:
    """A line across the transcript: the conversation goes on elsewhere from here."""
    where = f"in the room {data.room}" if data.mode == "room" else "on this machine"
    state = replace(
        state, entries=state.entries.append(Rule("mode", event.time, f"{where} · {data.took:.2f} s", "", event.turn_id))
    )
    lost = event.cause == "disconnected"  # why, is still to be read
    return state if lost else _without(state, lambda banner: banner.key == KEY or banner.key.startswith(f"{KEY}:"))


def room_connected(state: ConsoleState, event: AnyEvent, data: ev.RoomConnected) -> ConsoleState:
    """All is well."""
    return _without(state, lambda banner: banner.key == KEY)


def room_reconnecting(state: ConsoleState, event: AnyEvent, data: ev.RoomReconnecting) -> ConsoleState:
    """Say it while it lasts."""
    text = "The connection to the room is interrupted"
    hint = "it is being restored; what is said may be missed"
    return _with(state, Banner(KEY, "warning", text, hint, time=event.time))


def room_reconnected(state: ConsoleState, event: AnyEvent, data: ev.RoomReconnected) -> ConsoleState:
    """The banner goes; a note stays."""
    state = _without(state, lambda banner: banner.key == KEY)
    note = Note("info", event.time, f"the room is back after {data.took:.1f} s", turn_id=event.turn_id)
    return replace(state, entries=state.entries.append(note))


def room_disconnected(state: ConsoleState, event: AnyEvent, data: ev.RoomDisconnected) -> ConsoleState:
    """Why, and what to do; nothing where it was asked for."""
    if not data.advice:
        return state
    reason = data.reason.replace("_", " ")
    return _with(state, Banner(KEY, "error", f"Out of the room: {reason}", data.advice, time=event.time))


def server_missing(state: ConsoleState, event: AnyEvent, data: ev.RoomServerMissing) -> ConsoleState:
    """An offer that one key takes."""
    text = "No LiveKit server is configured"
    hint = "^o again starts one on this machine, until you leave; or set LIVEKIT_URL, LIVEKIT_API_KEY and _SECRET"
    return _with(state, Banner(KEY, "warning", text, hint, time=event.time))


def encryption_changed(state: ConsoleState, event: AnyEvent, data: ev.EncryptionChanged) -> ConsoleState:
    """Who can't be understood, as long as that is so."""
    key = f"{KEY}:{data.identity}"
    if data.state == "ok":
        return _without(state, lambda banner: banner.key == key)
    text, hint = UNREADABLE[data.state]
    return _with(state, Banner(key, "error", text.format(who=data.identity), hint, time=event.time))


def participant_left(state: ConsoleState, event: AnyEvent, data: ev.ParticipantLeft) -> ConsoleState:
    """What was wrong with them is over."""
    return _without(state, lambda banner: banner.key == f"{KEY}:{data.identity}")


def _with(state: ConsoleState, banner: Banner) -> ConsoleState:
    return replace(state, banners=(*(known for known in state.banners if known.key != banner.key), banner))


def _without(state: ConsoleState, unwanted: Callable[[Banner], bool]) -> ConsoleState:
    banners = tuple(banner for banner in state.banners if not unwanted(banner))
    return state if len(banners) == len(state.banners) else replace(state, banners=banners)
