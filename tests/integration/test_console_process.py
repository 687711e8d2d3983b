"""The console as a process: what is refused before it starts, how it starts, and how it ends whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from textwrap import dedent

import pytest

from tests.support.console_process import ConsoleProcess

AGENT = """
from agent_runtime import Agent

class Greeter(Agent):
    def __init__(self):
        super().__init__(instructions="Say hello.")
"""
QUIET = ("--text", "--llm", "none")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()  # no settings file from further up counts
    (tmp_path / "greeter.py").write_text(AGENT)
    return tmp_path


def console(folder: Path, *arguments: str, patch: str = "", **options) -> ConsoleProcess:
    """The console on `greeter.py` and the like; `patch` is code that runs in its process first."""
    command = [sys.executable, "-c", f"{dedent(patch)}\nfrom agent_console.cli import main; main()"]
    env = {"HOME": str(folder), **options.pop("env", {})}
    return ConsoleProcess(arguments, command=command, cwd=folder, env=env, **options)


def refused(folder: Path, *arguments: str) -> str:
    """Run it without a terminal; what it says on its way out with code 2."""
    done = subprocess.run(
        [sys.executable, "-m", "agent_console", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    return done.stderr


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gretter.py"], "there is no file gretter.py: did you mean greeter.py?"),
        (["empty.py"], "there is no agent in empty.py: write a class that extends agent_runtime.Agent"),
        (["two.py"], "two.py has 2 agents: say which, two.py:One or two.py:Two"),
        (["greeter.py", "--llm", "gpt"], "--llm: 'gpt' is not a provider of llm: use 'auto', 'embedded', "),
        (["greeter.py", "--theme", "dusk"], "--theme: there is no theme 'dusk': use "),
        (["greeter.py", "--input-wav", "gone.wav"], "--input-wav: gone.wav: can't be read: No such file or directory"),
        (["greeter.py", "--input-wav", "greeter.py"], "--input-wav: greeter.py: "),
        (["greeter.py", "--output-wav", "no/where.wav"], "--output-wav: there is no folder "),
        (["greeter.py", "--config", "gone.toml"], "gone.toml: there is no such file: check --config"),
        (["--config", "wrong.toml"], "wrong.toml:1: agent: there is no file gone.py"),
        (["greeter.py", "--flag"], "Unknown option: "),
        (["greeter.py", "--log-level", "loud"], "Invalid value"),
        (["greeter.py", "second.py"], "there is nothing to take 'second.py'"),
        (["greeter.py"], "the console needs a terminal"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(folder, arguments, message):
    (folder / "empty.py").write_text("x = 1")
    (folder / "two.py").write_text(AGENT.replace("Greeter", "One") + AGENT.replace("Greeter", "Two"))
    (folder / "wrong.toml").write_text('agent = "gone.py"\n')
    said = refused(folder, *arguments)
    assert said.startswith("agent-console: ")
    assert message in said
    assert said.count("\n") == 1


def test_a_broken_agent_comes_with_its_traceback_and_nothing_of_ours_in_it(folder):
    (folder / "greeter.py").write_text(AGENT + "\nundefined_name\n")
    said = refused(folder, "greeter.py").splitlines()
    assert said[-1] == "agent-console: greeter.py:8: can't be loaded: NameError: name 'undefined_name' is not defined"
    assert said[0] == "Traceback (most recent call last):"
    assert sum("File" in line for line in said) == 1


def test_a_secret_in_a_wrong_place_is_not_repeated(folder):
    (folder / "agent-console.toml").write_text('[openai]\napi_key = ["sk-hidden-hidden-hidden"]\n')
    with console(folder, *QUIET, "greeter.py") as process:
        process.wait_for(r"agent-console.toml:2: openai.api_key: input should")
        assert b"hidden" not in process.output


WRONG = """
theme = "dusk"
log_level = "loud"
[budgets]
answer = -1
"""


def test_what_is_wrong_in_a_settings_file_is_told_and_the_console_starts_with_the_rest(folder):
    (folder / "agent-console.toml").write_text(WRONG)
    with console(folder, *QUIET, "greeter.py") as process:
        process.wait_for("agent listening")
        process.wait_for(r"agent-console.toml:2: theme: there is no theme 'dusk': use ")
        process.wait_for(r"agent-console.toml:5: budgets.answer: -1: input should be greater than 0")
        process.press("escape", "escape")
        process.wait_for(r"agent-console.toml:3: log_level: 'loud': input should be 'debug', 'info'")


def test_lines_of_text_begin_with_what_is_wrong_in_a_settings_file(folder):
    (folder / "agent-console.toml").write_text(WRONG)
    done = subprocess.run(
        [sys.executable, "-m", "agent_console", *QUIET, "--plain", "greeter.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        input="/quit\n",
        timeout=30,
        check=False,
    )
    assert done.returncode == 0
    assert "agent-console: agent-console.toml:5: budgets.answer: -1: " in done.stderr


def test_the_list_of_settings_ends_with_what_is_wrong(folder):
    (folder / "agent-console.toml").write_text(WRONG)
    done = subprocess.run(
        [sys.executable, "-m", "agent_console", "config"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "budgets.answer" in done.stdout
    assert done.stderr.splitlines() == [
        "agent-console: agent-console.toml:3: log_level: 'loud': input should be 'debug', 'info', 'warning' or 'error'",
        "agent-console: agent-console.toml:5: budgets.answer: -1: input should be greater than 0",
    ]


# --- how it runs -----------------------------------------------------------------------------------------------------


def test_it_starts_takes_text_and_quits(folder):
    with console(folder, *QUIET, "greeter.py") as process:
        process.wait_for(r"greeter\b")
        process.wait_for("there is no language model: set OPENAI_API_KEY")
        process.type("good morning")
        process.press("enter")
        process.wait_for(r"you +good morning")
        process.press("escape")
        process.wait_for("q quit")
        process.press("q")
        assert process.wait_for_exit() == 0
        process.assert_terminal_restored()


def test_a_session_that_was_recorded_leaves_the_command_that_shows_it(folder):
    with console(folder, *QUIET, "greeter.py", size=(160, 24)) as process:
        process.wait_for("agent listening")
        process.press("escape", "R")
        process.wait_for("● rec")
        process.type("q")
        assert process.wait_for_exit() == 0
        (bundle,) = (folder / ".local/share/agent-console/recordings").iterdir()
        assert f"recorded: agent-console replay ~/.local/share/agent-console/recordings/{bundle.name}" in (
            process.output.decode()
        )


def test_it_follows_the_terminals_size(folder):
    with console(folder, *QUIET, "greeter.py", size=(120, 40)) as process:
        process.wait_for("agent listening")
        process.resize(80, 24)
        process.wait_for(lambda screen: 20 < len(screen.splitlines()) <= 24 and "greeter" in screen)
        process.press("escape")
        process.wait_for("q quit")
        process.press("q")
        assert process.wait_for_exit() == 0


def test_it_stands_a_storm_of_sizes(folder):
    with console(folder, *QUIET, "greeter.py", size=(120, 40)) as process:
        process.wait_for("agent listening")
        for number in range(60):
            process.resize(20 + number * 37 % 200, 5 + number * 13 % 60)
            process.run_for(0.01)
        process.resize(80, 24)
        process.wait_for(lambda screen: 20 < len(screen.splitlines()) <= 24 and "greeter" in screen)
        process.press("escape")
        process.wait_for("q quit")
        process.press("q")
        assert process.wait_for_exit() == 0
        process.assert_terminal_restored()
        assert b"Traceback" not in process.output


def at_the_prompt(process: ConsoleProcess, after: bytes) -> None:
    """The shell has the terminal, as it was, and said something before its prompt."""
    process.wait_for(lambda _: process.output.rpartition(after)[2].endswith(b"shell> ") and after in process.output)
    process.run_for(0.3)
    process.assert_terminal_restored()


@pytest.mark.parametrize("how", ["key", "signal"])
def test_it_is_suspended_for_the_shell_and_comes_back(folder, how):
    (folder / "start.py").write_text("from agent_console.cli import main\nmain()\n")
    shell = ["bash", "--norc", "--noprofile", "-i"]
    env = {"HOME": str(folder), "PS1": "shell> ", "HISTFILE": ""}
    with ConsoleProcess(command=shell, cwd=folder, env=env, size=(100, 30)) as process:
        process.wait_for("shell>")
        # The shell's own marks around what is pasted would look like ours.
        process.type("bind 'set enable-bracketed-paste off'; clear\n")
        process.wait_for(lambda screen: screen.strip() == "shell>")
        process.run_for(0.3)
        process.attributes_before = termios.tcgetattr(process.child.child_fd)
        process.output = b""
        process.type(f"{sys.executable} start.py {' '.join(QUIET)} greeter.py\n")
        process.wait_for("agent listening")
        process.press("escape")
        process.wait_for("q quit")
        if how == "key":
            process.press("ctrl+z")
        else:
            os.kill(os.tcgetpgrp(process.child.child_fd), signal.SIGTSTP)
        at_the_prompt(process, b"Stopped")
        if how == "signal":
            process.resize(120, 40)
        process.type("fg\n")
        process.wait_for(lambda screen: "q quit" in screen and "agent listening" in screen)
        process.press("t")
        process.wait_for("say something to the agent")
        process.type("still there")
        process.press("enter")
        process.wait_for(r"you +still there")
        process.press("escape")
        process.wait_for("q quit")
        process.press("q")
        at_the_prompt(process, b"fg\r\n")
        assert b"Traceback" not in process.output
        process.type("exit\n")
        assert process.wait_for_exit() == 0


def test_prints_and_native_noise_go_to_the_log_and_not_onto_the_screen(folder):
    (folder / "greeter.py").write_text(
        AGENT + "    async def on_enter(self):\n        import os\n"
        "        print('printed by the agent')\n        os.write(2, b'ALSA lib noise\\n')\n"
    )
    with console(folder, *QUIET, "greeter.py") as process:
        process.wait_for("agent listening")
        process.press("escape")
        process.wait_for("q quit")
        assert "noise" not in process.screen_text
        process.press("l")
        process.wait_for("printed by the agent")
        process.wait_for("ALSA lib noise")


def test_saving_brings_in_new_code_and_a_broken_file_leaves_the_old(folder):
    path = folder / "greeter.py"
    with console(folder, *QUIET, "greeter.py") as process:
        process.wait_for("agent listening")
        path.write_text(AGENT.replace("hello", "goodbye"))
        process.wait_for("reloaded Greeter")
        path.write_text(AGENT + "\n1 / 0\n")
        process.wait_for("reload failed")
        process.wait_for("ZeroDivisionError")
        path.write_text(AGENT.replace("hello", "hi"))
        process.wait_for(r"(?s)reloaded Greeter.*reloaded Greeter")


def test_an_agent_that_can_not_be_made_is_shown_and_tried_again_on_save(folder):
    path = folder / "greeter.py"
    path.write_text(AGENT.replace("super()", "self.missing; super()"))
    with console(folder, *QUIET, "greeter.py") as process:
        process.wait_for("Greeter can't be made: AttributeError")
        path.write_text(AGENT)
        process.wait_for(r"greeter +text.*agent listening")


@pytest.mark.parametrize(
    ("env", "message"),
    [({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, "127.0.0.1:9")],
)
def test_a_model_that_can_not_be_reached_is_a_banner(folder, env, message):
    with console(folder, "--text", "greeter.py", env=env) as process:
        process.wait_for("agent listening")
        process.wait_for(message, 15)


# --- how it ends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_properly(folder, number):
    with console(folder, *QUIET, "greeter.py") as process:
        process.wait_for("agent listening")
        process.signal(number)
        assert process.wait_for_exit(4) == 128 + number
        process.assert_terminal_restored()


def test_a_second_signal_ends_it_at_once(folder):
    patch = """
    import time, agent_runtime.host.runtime_host as host
    host.RuntimeHost.stop = lambda self, timeout=0: time.sleep(60)
    """
    with console(folder, *QUIET, "greeter.py", patch=patch) as process:
        process.wait_for("agent listening")
        process.signal(signal.SIGTERM)
        process.run_for(0.5)
        process.signal(signal.SIGTERM)
        assert process.wait_for_exit(2) == 128 + signal.SIGTERM
        process.assert_terminal_restored()


def test_a_crash_of_the_console_gives_the_terminal_back_with_one_traceback(folder):
    patch = """
    import agent_console.app as app
    def crash(self):
        raise RuntimeError("drawn wrong")
    app.ConsoleApp._second = crash
    """
    with console(folder, *QUIET, "greeter.py", patch=patch) as process:
        assert process.wait_for_exit() == 1
        process.assert_terminal_restored()
        assert process.output.count(b"RuntimeError: ") == 1
        assert "drawn wrong" in process.screen_text


def test_a_crash_of_the_runtime_is_shown_and_the_console_stays(folder):
    patch = """
    import agent_runtime.host.conversation as conversation
    async def crash(self, on_ready):
        raise RuntimeError("something broke")
    conversation.Conversation.run = crash
    """
    with console(folder, *QUIET, "greeter.py", patch=patch) as process:
        process.wait_for("the runtime crashed: RuntimeError: something broke")
        process.run_for(0.5)
        process.press("escape")
        process.press("q")
        assert process.wait_for_exit() == 0
        process.assert_terminal_restored()


def test_quitting_waits_for_nobody(folder):
    """A tool that blocks the runtime's loop, and a thread that never ends, don't keep the shell waiting."""
    (folder / "greeter.py").write_text(
        AGENT + "    async def on_enter(self):\n        import threading, time\n"
        "        threading.Thread(target=time.sleep, args=(60,)).start()\n        time.sleep(60)\n"
    )
    with console(folder, *QUIET, "greeter.py") as process:
        process.wait_for("greeter")
        process.run_for(0.5)
        started = time.monotonic()
        process.signal(signal.SIGTERM)
        assert process.wait_for_exit(10) == 128 + signal.SIGTERM
        process.assert_terminal_restored()
        assert time.monotonic() - started < 4
