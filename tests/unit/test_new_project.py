"""`agent-console new` and `--serve`."""

import io
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from agent_console import serve
from agent_console.arguments import run_arguments
from agent_console.new_project import FILES
from agent_console.start import check_terminal
from agent_runtime.agent_loader import load_agent, parse_target
from agent_runtime.errors import AgentConsoleError, MissingDependencyError
from agent_runtime.evals import RunOptions, load_scenarios, run_scenario
from agent_runtime.settings import Settings


def test_a_new_projects_tests_and_scripted_scenario_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_arguments(["new", "corner-shop"]) == 0
    project = tmp_path / "corner-shop"
    assert sorted(str(file.relative_to(project)) for file in project.rglob("*") if file.is_file()) == sorted(FILES)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert "Warning" not in done.stdout + done.stderr
    file = load_scenarios(project / "scenarios" / "opening_hours.yaml")
    loaded = load_agent(parse_target(str(project / "agent.py")))
    assert loaded.name == "CornerShopAgent"
    [scripted] = [scenario for scenario in file.scenarios if scenario.answers is not None]
    assert run_scenario(scripted, loaded, RunOptions(Settings.from_sources(()))).problems == []


@pytest.mark.parametrize(("name", "problem"), [("there", "is there already"), ("../up", "no name for a project")])
def test_a_name_that_can_not_be_used_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    with pytest.raises(AgentConsoleError, match=problem):
        run_arguments(["new", name])
    assert [file.name for file in tmp_path.rglob("*")] == ["there"]


def test_a_visitor_gets_a_console_with_the_same_arguments() -> None:
    command = serve.console_command(["--serve", "my agent.py", "--host", "0.0.0.0", "--port=9", "--text"])
    assert shlex.split(command) == [sys.executable, "-m", "agent_console", "my agent.py", "--text"]


def test_it_is_served_to_this_machine_alone_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from textual_serve.server import Server

    monkeypatch.chdir(tmp_path)
    served: list[tuple[str, int]] = []
    monkeypatch.setattr(Server, "serve", lambda self: served.append((self.host, self.port)))
    assert run_arguments(["--serve", "--text"]) == 0
    assert "speaker are this machine's" in (said := capsys.readouterr().err)
    assert "password" not in said
    assert run_arguments(["--serve", "--host", "0.0.0.0", "--port", "8123"]) == 0
    assert "nobody is asked for a password" in capsys.readouterr().err
    assert served == [("localhost", 8000), ("0.0.0.0", 8123)]


@pytest.mark.parametrize(
    ("flags", "problem"),
    [(["--port", "9000"], "for --serve"), (["--serve", "--port", "0"], "from 1"), (["--serve", "no.py"], "no file")],
)
def test_what_can_not_be_served_is_said(flags: list[str], problem: str) -> None:
    with pytest.raises(AgentConsoleError, match=problem):
        run_arguments(flags)


def test_a_port_that_somebody_else_has_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        command = [sys.executable, "-m", "agent_console", "--serve", "--text", "--host", "127.0.0.1", "--port", port]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    said = (
        f"agent-console: 127.0.0.1:{port} can't be listened at: address already in use: give another --port or --host"
    )
    assert done.stderr.splitlines()[-1] == said


def test_without_the_package_its_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textual_serve.server", None)
    with pytest.raises(MissingDependencyError, match=r"agent-console\[serve\]"):
        serve.serve([], "localhost", 8000)


def test_a_browser_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(AgentConsoleError, match="needs a terminal"):
        check_terminal()
    monkeypatch.setenv("TEXTUAL_DRIVER", "textual.drivers.web_driver:WebDriver")
    check_terminal()
