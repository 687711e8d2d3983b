"""In a real terminal: it is given back after leaving and after a crash, and odd input doesn't end the console."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pexpect
import pytest

if sys.platform == "win32":
    pytest.skip("needs a pseudo-terminal", allow_module_level=True)

LEAVE_SCREEN = "\x1b[?1049l"
SHOW_CURSOR = "\x1b[?25h"

CRASHING = """
from agent_console.app import ConsoleApp
from tests.support.backend import ScriptedBackend
from tests.support.conversation import STORIES

class Crashing(ScriptedBackend):
    def interrupt(self):
        secret = "hunter2"
        raise RuntimeError("the interface broke")

app = ConsoleApp(Crashing(STORIES["speaking"]().events))
app.run()
raise SystemExit(app.return_code)
"""

Start = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    children: list[pexpect.spawn[str]] = []

    def spawn(*arguments: str, **environment: str) -> pexpect.spawn[str]:
        import os

        child = pexpect.spawn(
            sys.executable,
            list(arguments),
            dimensions=(24, 80),
            encoding="utf-8",
            timeout=20,
            env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **environment},
        )
        children.append(child)
        return child

    yield spawn
    for child in children:
        child.close(force=True)


def test_leaving_gives_the_terminal_back(start: Start) -> None:
    child = start("-m", "tests.support.demo", "speaking")
    child.expect("quit")
    child.send("q")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0
    assert LEAVE_SCREEN in child.before
    assert child.before.rindex(SHOW_CURSOR) > 0
    assert "Traceback" not in child.before


def test_a_crash_prints_the_traceback_once_after_the_screen(start: Start) -> None:
    child = start("-c", CRASHING)
    child.expect("boots")
    child.send("i")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 1
    screen, _, after = child.before.partition(LEAVE_SCREEN)
    assert "Traceback" not in screen
    assert after.count("Traceback (most recent call last)") == 1
    assert after.count("RuntimeError: the interface broke") == 1
    assert "hunter2" not in after, "values of variables may be secrets"


def test_a_key_release_does_not_end_the_console(start: Start) -> None:
    child = start("-m", "tests.support.demo", "speaking")
    child.expect("quit")
    child.send("\x1b[32;1:1u\x1b[32;1:3u\x1b[109;1:3u")
    child.send("?")
    child.expect("esc closes")
    child.send("qq")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0


def test_a_terminal_without_utf8_sees_only_ascii(start: Start) -> None:
    child = start("-m", "tests.support.demo", "speaking", LC_ALL="C")
    child.expect("quit")
    child.send("q")
    child.expect(pexpect.EOF)
    assert child.before.isascii()
