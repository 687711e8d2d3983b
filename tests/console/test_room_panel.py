"""The room is gone to by a key, and its invitation copied by others."""

from __future__ import annotations

from dataclasses import replace

from agent_runtime import events as ev
from tests.console.opening import Open

TOKEN = "eyJhbGciOi.eyJ2aWRl.c2VjcmV0"
INVITATION = ev.RoomInvitation("desk", "ws://here:7880", TOKEN, "lk room join desk", f"https://there/?token={TOKEN}")


async def test_ctrl_o_goes_to_the_room_and_back(console: Open) -> None:
    async with console("listening") as it:
        await it.press("ctrl+o")
        await it.send(ev.RoomConnected("desk", "agent-1"), ev.ModeChanged("room", "desk", 0.3))
        await it.press("ctrl+o")
        await it.send(ev.ModeChanged("local", None, 0.0))
        assert [call for call in it.backend.calls if call[0] == "set_mode"] == [
            ("set_mode", "room", False),
            ("set_mode", "local", False),
        ]


async def test_ctrl_o_again_takes_the_offer_of_a_server(console: Open) -> None:
    async with console("listening") as it:
        await it.press("ctrl+o")
        await it.send(ev.RoomServerMissing("livekit.url", "livekit-server"))
        await it.press("ctrl+o")
        assert it.backend.calls == [("set_mode", "room", False), ("set_mode", "room", True)]


async def test_keys_copy_what_lets_somebody_in(console: Open) -> None:
    async with console("listening") as it:
        await it.press("9", "y")
        assert it.app.clipboard == ""
        await it.send(ev.RoomConnected("desk", "agent-1"), INVITATION, ev.ModeChanged("room", "desk", 0.3))
        copied = []
        for key in ("y", "c", "T"):
            await it.press(key)
            copied.append(it.app.clipboard)
        assert copied == [INVITATION.link, INVITATION.command, INVITATION.token]
        assert TOKEN not in it.app.export_screenshot()


async def test_a_command_that_nobody_has_the_secret_for_isnt_offered(console: Open) -> None:
    async with console("listening") as it:
        await it.press("9")
        await it.send(ev.RoomConnected("desk", "agent-1"), replace(INVITATION, command=""))
        bar = it.screen.query_one("#keys").render_line(0).text
        assert "copy link" in bar
        assert "copy command" not in bar
        await it.press("c")
        assert it.app.clipboard == ""


async def test_in_a_room_one_can_talk_without_a_microphone_here(console: Open) -> None:
    async with console("without_microphone") as it:
        it.screen.transcript.focus()
        await it.press("space")
        assert ("push_to_talk", "press") not in it.backend.calls
        await it.send(ev.RoomConnected("desk", "agent-1"), ev.ModeChanged("room", "desk", 0.3))
        await it.press("space")
        assert ("push_to_talk", "press") in it.backend.calls
