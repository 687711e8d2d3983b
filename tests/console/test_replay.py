"""A recording in a real terminal: it plays, is paused and wound, and gives the terminal back."""

from __future__ import annotations

import sys

import pytest

if sys.platform == "win32":
    pytest.skip("needs a pseudo-terminal", allow_module_level=True)

from agent_console.keys import NO_KEY
from agent_console.panels import every_action, screen_actions
from agent_console.replay.app import ReplayApp, key_hints, player_line
from agent_console.replay.backend import ReplayBackend
from agent_console.replay.keys import with_player
from agent_console.screens.help import HelpScreen
from agent_runtime import events as ev
from agent_runtime.bundle import Bundle
from tests.console.opening import Open
from tests.support.bundles import record_events
from tests.support.console_process import ConsoleProcess
from tests.support.conversation import voice_turn, without_microphone
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


async def test_the_players_keys_are_those_of_the_settings(tmp_path):
    replay = ReplayBackend(Bundle.open(record_events(tmp_path / "b", voice_turn().events)), sound=False)
    keymap = {"replay": {"pause": "f7", "ahead": "j"}, "log": "comma", "mute": "left", "help": "f8"}
    app = ReplayApp(replay, keymap=keymap, encoding="utf-8")
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        assert app.problems == []
        line = key_hints(app.keymap_in_use, 120)
        assert line == "f7 pause  ← j 5 s  < > turn  - + speed  f8 help  q quit"
        assert line in "".join(text for text, _ in player_line(replay, app.keymap_in_use, 120))
        assert key_hints(app.keymap_in_use, 40) == "f7 pause  ← j 5 s  f8 help  q quit"
        assert key_hints(app.keymap_in_use, 20) == "f8 help  q quit"
        assert key_hints(app.keymap_in_use, 8) == "f8 help"
        was = replay.transport.playing
        await pilot.press("p", "space")
        assert replay.transport.playing is was
        await pilot.press("f7")
        assert replay.transport.playing is not was
        await pilot.press("comma")
        assert app.console_screen.log_pane.display
        await pilot.press("f8")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        rows = [line.plain.split() for line in app.screen._lines(80)]
        assert ["f7", "Pause", "the"] in [row[:3] for row in rows]
        assert ["←", "Go", "back"] in [row[:3] for row in rows]
        assert ["j", "Go", "ahead"] in [row[:3] for row in rows]
        assert ["k", "[", "Select", "the", "turn", "before."] in rows


async def test_keys_are_the_players_in_a_recording_without_a_microphone_too(tmp_path):
    replay = ReplayBackend(Bundle.open(record_events(tmp_path / "b", without_microphone().events)), sound=False)
    app = ReplayApp(replay, encoding="utf-8")
    async with app.run_test(size=(120, 30)) as pilot:
        await settle(app)
        assert app.state.microphone.state == "unavailable"
        assert app.state.shown_banners == ()
        replay.silent_because = "no sound"
        line = "".join(text for text, _ in player_line(replay, {}, 80))
        assert line.endswith("no sound  space pause  ← → 5 s  ? help  q quit ")
        assert len(line) == 80
        await pilot.press("1")
        await pilot.pause()
        assert app.console_screen.dock.spec is not None


def test_in_a_recording_a_key_does_one_thing():
    console = {action.id: action for action in every_action()}
    assert with_player({}, console) == {}
    assert with_player({"mute": "p"}, console) == {}, "nobody can be muted, so the player keeps it"
    assert with_player({"log": "p"}, console) == {"log": "p", "replay.pause": "space"}
    assert with_player({"log": "p", "replay.pause": "p"}, console) == {"log": NO_KEY, "replay.pause": "p"}
    assert with_player({"events.pause": "space"}, console) == {"events.pause": "space"}
