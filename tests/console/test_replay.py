"""A recording in a real terminal: it plays, is paused and wound, and gives the terminal back."""

from __future__ import annotations

import sys

import pytest

if sys.platform == "win32":
    pytest.skip("needs a pseudo-terminal", allow_module_level=True)

from agent_console.panels import screen_actions
from agent_runtime import events as ev
from tests.console.opening import Open
from tests.support.bundles import record_events
from tests.support.console_process import ConsoleProcess
from tests.support.conversation import voice_turn
from tests.support.screenshots import settle


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
        console.wait_for("Go back five seconds")
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


AGENT = """
from agent_runtime import Agent, AgentSession
from agent_runtime.testing import Answer, ScriptedLLM

def session() -> AgentSession:
    llm = ScriptedLLM([Answer(f"Answer {number}.") for number in range(9)])
    return AgentSession(llm=llm, tts=None, stt=None, vad=None), Agent(instructions="Be brief.")
"""


def test_a_run_against_other_code_is_shown_on_a_screen_and_its_exit_code_says_that_they_differ(tmp_path):
    bundle = record_events(tmp_path / "b", voice_turn().events)
    (tmp_path / "other.py").write_text(AGENT)
    command = ["replay", str(bundle), str(tmp_path / "other.py"), "--run"]
    with ConsoleProcess(command, size=(110, 30)) as console:
        console.wait_for("run again")
        console.wait_for(lambda screen: "exchanges differ" in screen and "so far" not in screen)
        console.wait_for("Answer ")
        console.wait_for("! reply")
        console.type("?")
        console.wait_for("Go to the next exchange that differs")
        console.press("escape")
        console.wait_for("exchanges differ")
        console.type("q")
        assert console.wait_for_exit() == 1
        console.assert_terminal_restored()


async def test_a_mark_names_the_command_that_makes_a_test_of_it_and_both_are_in_the_palette(console: Open) -> None:
    async with console(size=(120, 40)) as it:
        turn = it.app.state.turn_id
        await it.send(ev.TurnMarked())
        assert "R records it" in it.app.state.entries.last.text
        await it.send(ev.RecordingChanged("started", "/my recordings/b"))
        it.backend.send(ev.Event(it.app.state.seq + 1, it.app.state.now, "session-1", turn, None, ev.TurnMarked()))
        await settle(it.app, seq=it.app.state.seq + 1)
        number = it.app.state.turn_number
        wanted = f"agent-console test '/my recordings/b' --turn {number} -o test_turn_{number}.py"
        assert wanted in it.app.state.entries.last.text
        labels = {action.label for action in screen_actions()}
        assert {"record", "mark"} <= labels
        await it.press("ctrl+p", *"mark", "enter")
        await it.pilot.pause()
        assert ("mark_turn", turn) in it.backend.calls
