"""The page on bundles: its commands are understood, and its tables name the keys that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from agent_console.arguments import app
from agent_console.keys import Action, written_keys
from agent_console.replay.keys import COMPARISON, PLAYER

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "bundles.md").read_text(encoding="utf-8")
COMMANDS = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    for line in block.splitlines()
]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_understood(command):
    program, *arguments = shlex.split(command)
    assert program == "agent-console"
    app.parse_args(arguments, exit_on_error=False, print_error=False)


def test_there_are_commands():
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize(("before", "actions"), [("## Replaying", PLAYER), ("## Running", COMPARISON)])
def test_each_key_of_a_table_does_something(before: str, actions: tuple[Action, ...]) -> None:
    keys = {key for action in actions for key in written_keys(action.keys)}
    section = PAGE.partition(before)[2].partition("\n## ")[0]
    named = [
        key for row in re.findall(r"^\| (`.*?) \|", section, flags=re.MULTILINE) for key in re.findall(r"`(.+?)`", row)
    ]
    assert named
    assert set(named) <= keys
