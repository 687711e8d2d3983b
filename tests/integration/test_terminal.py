"""The terminal guard, in a real pseudo-terminal."""

import sys
from textwrap import dedent

from tests.support.console_process import ConsoleProcess

BEGIN = """
    import os, sys, termios, tty
    from agent_console.terminal import TerminalGuard
    heard = []
"""


def python(code: str) -> ConsoleProcess:
    return ConsoleProcess(["-c", dedent(BEGIN) + dedent(code)], command=[sys.executable], size=(80, 10))


def test_native_output_is_heard_and_not_shown():
    code = """
    with TerminalGuard(heard.append):
        os.write(2, b"ALSA lib pcm.c: noise\\n")
        os.write(1, b"native standard output\\n")
        sys.__stderr__.write("drawn\\r\\n"); sys.__stderr__.flush()
        print("printed", flush=True)
    print(sorted(heard))
    """
    with python(code) as process:
        assert process.wait_for_exit() == 0
        screen = process.screen_text
    assert screen.splitlines() == ["drawn", "printed", "['ALSA lib pcm.c: noise', 'native standard output']"]


def test_the_size_of_the_terminal_can_still_be_asked():
    code = """
    import shutil
    os.environ.pop("COLUMNS", None), os.environ.pop("LINES", None)
    with TerminalGuard(heard.append):
        size = shutil.get_terminal_size((1, 1))
    print(tuple(size))
    """
    with python(code) as process:
        assert process.wait_for_exit() == 0
        assert process.screen_text == "(80, 10)"


def test_a_crash_in_raw_mode_leaves_the_terminal_as_it_was():
    code = """
    with TerminalGuard(heard.append):
        tty.setraw(0)
        sys.__stderr__.write("\\x1b[?1049h\\x1b[?25l\\x1b[?1000h\\x1b[?2004h\\x1b[>25u")
        sys.__stderr__.flush()
        raise RuntimeError("the app died")
    """
    with python(code) as process:
        assert process.wait_for_exit() == 1
        process.assert_terminal_restored()
        assert "RuntimeError: the app died" in process.screen_text
        assert process.screen_text.count("RuntimeError: ") == 1


def test_a_terminal_that_was_restored_is_left_alone():
    code = """
    with TerminalGuard(heard.append):
        pass
    """
    with python(code) as process:
        assert process.wait_for_exit() == 0
        assert process.output == b""


def test_the_old_streams_are_back_afterwards():
    code = """
    before = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    with TerminalGuard(heard.append):
        assert sys.stdout is not before[0]
    assert (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__) == before
    os.write(2, b"to the terminal again")
    """
    with python(code) as process:
        assert process.wait_for_exit() == 0
        assert process.screen_text == "to the terminal again"
