"""The footer names what can be done now."""

from __future__ import annotations

from agent_runtime import events as ev
from tests.console.opening import Console, Open


def offered(it: Console) -> set[str]:
    return {action for _, _, action in it.screen._key_bar._hints(200)}


async def test_without_a_microphone_it_offers_no_talking(console: Open) -> None:
    async with console("without_microphone") as it:
        it.screen.transcript.focus()
        await it.pilot.pause()
        assert "type" in offered(it)
        assert offered(it).isdisjoint({"push_to_talk", "mute"})
        await it.send(ev.RoomConnected("desk", "agent-1"), ev.ModeChanged("room", "desk", 0.3))
        assert {"push_to_talk", "mute"} <= offered(it)


async def test_invitations_are_offered_where_there_is_a_room(console: Open) -> None:
    async with console("listening") as it:
        await it.press("9")
        assert "room.link" not in offered(it)
        invitation = ev.RoomInvitation("desk", "ws://here:7880", "token", "lk room join desk", "https://there/")
        await it.send(ev.RoomConnected("desk", "agent-1"), invitation, ev.ModeChanged("room", "desk", 0.3))
        assert {"room.link", "room.command", "room.token"} <= offered(it)
