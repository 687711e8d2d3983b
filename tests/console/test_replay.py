"""A recording in a real terminal: it plays, is paused and wound, and gives the terminal back."""

from __future__ import annotations

import sys

import pytest

if sys.platform == "win32":
    pytest.skip("needs a pseudo-terminal", allow_module_level=True)

from agent_runtime import events as ev
from tests.console.opening import Open
from tests.support.bundles import record_events
from tests.support.console_process import ConsoleProcess
from tests.support.conversation import voice_turn


def test_a_recording_is_played_wound_and_left(tmp_path):
    bundle = record_events(tmp_path / "b", voice_turn().events)
    with ConsoleProcess(["replay", str(bundle), "--speed", "8", "--no-sound"], size=(110, 30)) as console:
        console.wait_for(r"turn 2 of 2")
        console.wait_for("hardly any wind")
        console.wait_for("■")  # it is over
        console.type("<")
        console.wait_for(lambda screen: "hardly any wind" not in screen and "▶" in screen)
        console.type("p")
        console.wait_for("‖")
        console.type("<<")
        console.wait_for("turn 1 of 2")
        console.type("-")
        console.wait_for("4x")
        console.type("?")
        console.wait_for("Keys")
        console.press("escape")
        console.type("q")
        assert console.wait_for_exit() == 0
        console.assert_terminal_restored()


async def test_the_record_key_begins_and_completes_and_x_marks_the_newest_turn(console: Open) -> None:
    async with console() as it:
        await it.press("R")
        await it.send(ev.RecordingChanged("started", "/b"))
        await it.press("R", "x")
        turn = it.app.state.turn_id
        assert it.backend.calls == [("record", True), ("record", False), ("mark_turn", turn)]
