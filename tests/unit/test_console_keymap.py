"""Keys from the settings: what they mean, what is wrong with them, and who loses a key that is taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent_console.keymap import read_keymap
from agent_console.keys import NO_KEY, keys_of
from agent_console.panels import every_action, screen_actions
from agent_runtime.settings_layers import load_settings

ACTIONS = every_action()


def test_the_default_keys_are_without_a_clash() -> None:
    assert read_keymap({}, ACTIONS) == ({}, [])
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        ("x", "x"),
        ("ctrl+t", "ctrl+t"),
        ("^t", "ctrl+t"),
        ("Ctrl+T", "ctrl+t"),
        ("Shift+F5", "shift+f5"),
        ("f7, x", "f7,x"),
        (["f7", "X"], "f7,X"),
        (",", "comma"),
        (".", "full_stop"),
        ("shift+left", "shift+left"),
        ("pgup", "pageup"),
        ("Enter", "enter"),
        ("colon", "colon"),
        ("", NO_KEY),
    ],
)
def test_keys_as_people_write_them(written: Any, keys: str) -> None:
    keymap, _ = read_keymap({"mute": written}, ACTIONS)
    assert keymap["mute"] == keys


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"mutee": "x"}, "there is no such action; did you mean 'mute'?"),
        ({"zzzz": "x"}, "there is no such action; help (?) lists them"),
        ({"mute": 3}, "3 isn't a key: write a text"),
        ({"mute": [3]}, "[3] isn't a key: write a text"),
        ({"mute": "flurb"}, "'flurb' isn't a key"),
        ({"mute": "ctlr+x"}, "'ctlr+x' isn't a key"),
    ],
)
def test_what_is_wrong_is_named_and_the_rest_counts(values: dict[str, Any], problem: str) -> None:
    keymap, problems = read_keymap({**values, "quit": "f9"}, ACTIONS, {"keys.mute": "agent-console.toml:7"})
    assert keymap == {"quit": "f9"}
    (told,) = problems
    assert f"keys.{next(iter(values))}: {problem}" in told
    assert told.startswith("agent-console.toml:7: " if "mute" in values else "settings: ")


def test_a_key_that_is_taken_is_said_and_lost_by_the_other() -> None:
    keymap, problems = read_keymap({"mute": "q"}, ACTIONS, {"keys.mute": "config.toml:3"})
    assert problems == ["config.toml:3: keys.mute: q is also the key of quit, which loses it"]
    assert keymap == {"mute": "q", "quit": NO_KEY}
    by_id = {action.id: action for action in screen_actions()}
    assert keys_of(by_id["quit"], keymap) == []


def test_one_of_several_keys_can_be_lost() -> None:
    keymap, _ = read_keymap({"mute": "t"}, ACTIONS)
    assert keymap["type"] == "enter"


def test_a_panels_own_key_may_be_one_of_the_consoles() -> None:
    keymap, problems = read_keymap({"events.pause": "m", "events": {"level": "l"}}, ACTIONS)
    assert (keymap, problems) == ({"events.pause": "m", "events.level": "l"}, [])


def test_the_place_comes_from_the_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "agent-console.toml"
    file.write_text('[keys]\nmute = "ctrl+t"\n"events.pause" = "nokey"\n')
    resolved = load_settings(folder=tmp_path, environ={}, user_file=tmp_path / "none.toml")
    keymap, problems = read_keymap(resolved.settings.keys, ACTIONS, resolved.origins)
    assert keymap == {"mute": "ctrl+t"}
    assert problems[0].startswith(f"{file}:3: keys.events.pause: 'nokey' isn't a key")
    assert any("mute = ctrl+t" in row.value for row in resolved.rows())
