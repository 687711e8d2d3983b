"""The command line of an agent's file, what `--headless` finds in one, and what neither of them imports."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent_runtime import AgentServer, JobContext, WorkerOptions
from agent_runtime.agent_loader import parse_target
from agent_runtime.compat.source import names_a_worker
from agent_runtime.errors import AgentLoadError, WorkerError
from agent_runtime.settings import Settings
from agent_runtime.worker import headless, run_app
from agent_runtime.worker.agent_file import AgentFile
from agent_runtime.worker.logs import LogStyle
from agent_runtime.worker.options import ServerEnvOption, ServerType, checked_log_level
from agent_runtime.worker.simulated_job import simulated_job

FILE = Path("my_agent.py")


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch):
    for name in [name for name in os.environ if name.startswith("LIVEKIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(LogStyle, "set_up", lambda self, stream=None: None)


@pytest.fixture
def served(monkeypatch) -> list[tuple[AgentServer, dict[str, Any]]]:
    """What would be served."""
    calls: list[tuple[AgentServer, dict[str, Any]]] = []

    def serve(server: AgentServer, **how: Any) -> int:
        calls.append((server, how))
        return 0

    monkeypatch.setattr(run_app, "serve", serve)
    monkeypatch.setattr(headless, "serve", serve)
    return calls


def a_server() -> AgentServer:
    server = AgentServer()

    @server.rtc_session(agent_name="desk", type=ServerType.PUBLISHER)
    async def entrypoint(ctx: JobContext) -> None: ...

    return server


def test_start_takes_the_flags_and_logs_json(served):
    flags = ["--url", "ws://a", "--api-key", "k", "--api-secret", "s", "--drain-timeout", "5", "--log-level", "warn"]
    assert run_app.run_command(a_server(), FILE, ["start", *flags]) == 0
    ((server, how),) = served
    config = server._config
    assert (config.ws_url, config.api_key, config.api_secret, config.drain_timeout) == ("ws://a", "k", "s", 5)
    assert config.log_style == LogStyle("WARN", as_json=True)
    assert how == {}


def test_the_log_level_is_the_servers_the_environments_or_the_flags(served, monkeypatch):
    run_app.run_command(a_server(), FILE, ["start"])
    run_app.run_command(a_server(), FILE, ["dev", "--no-reload"])
    monkeypatch.setenv("LIVEKIT_LOG_LEVEL", "error")
    run_app.run_command(a_server(), FILE, ["start"])
    styles = [server._config.log_style for server, _ in served]
    assert styles == [LogStyle("INFO", True), LogStyle("DEBUG", False), LogStyle("ERROR", True)]
    assert served[1][1] == {"devmode": True}


def test_connect_joins_one_room_without_registering(served):
    flags = ["connect", "--room", "kitchen", "--url", "ws://a", "--api-key", "k", "--api-secret", "s"]
    assert run_app.run_command(a_server(), FILE, flags) == 0
    (_, how) = served[0]
    assert (how["devmode"], how["unregistered"]) == (True, True)
    assert how["work"].args[1] == "kitchen"


def test_what_is_missing_is_said_in_one_line(served, capsys):
    assert run_app.run_command(a_server(), FILE, ["connect", "--room", "kitchen"]) == 2
    assert capsys.readouterr().err.startswith("my_agent.py: no LiveKit server is configured (LIVEKIT_URL, ")
    with pytest.raises(SystemExit) as bad:
        run_app.run_command(a_server(), FILE, ["start", "--log-level", "loud"])
    assert bad.value.code == 2
    assert served == []


def test_console_becomes_our_console_on_the_file(monkeypatch):
    became: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, words: became.append(words[1:]))
    run_app.run_command(a_server(), FILE, ["console", "--text", "--input-device", "usb"])
    assert became == [["-m", "agent_console", "my_agent.py", "--input-device", "usb", "--text"]]


def test_without_a_command_the_commands_are_told(capsys):
    assert run_app.run_command(a_server(), FILE, []) == 0
    told = capsys.readouterr().out
    assert all(command in told for command in ("start", "dev", "console", "connect", "download-files"))
    assert run_app.run_command(a_server(), FILE, ["download-files"]) == 0


def test_a_server_is_made_from_the_older_options():
    async def entrypoint(ctx: JobContext) -> None: ...

    options = WorkerOptions(entrypoint, prewarm_fnc=print, agent_name="old", port=9000, num_idle_processes=7)
    server = AgentServer.from_server_options(options)
    assert (server._entrypoint_fnc, server.setup_fnc, server._agent_name) == (entrypoint, print, "old")
    assert (server._config.port, server._config.num_idle_processes) == (9000, 7)
    with pytest.raises(RuntimeError, match=r"this server runs .*entrypoint already"):
        server.rtc_session(entrypoint)


def test_the_environment_names_the_agent(monkeypatch):
    monkeypatch.setenv("LIVEKIT_AGENT_NAME", "named")
    assert AgentServer().rtc_session(print) is print  # type: ignore[comparison-overlap, type-var]  # any function does
    assert a_server()._agent_name == "desk"
    monkeypatch.setenv("LIVEKIT_AGENT_NAME_OVERRIDE", "forced")
    assert a_server()._agent_name == "forced"


def test_options_are_checked():
    assert ServerEnvOption.getvalue(ServerEnvOption(1, 2), True) == 1
    assert ServerEnvOption.getvalue(ServerEnvOption(1, 2), False) == 2
    assert ServerEnvOption.getvalue(3, True) == 3
    assert checked_log_level(ServerEnvOption("debug", "info")) == ServerEnvOption("DEBUG", "INFO")
    with pytest.raises(ValueError, match="there is no log level 'loud'"):
        AgentServer(log_level="loud")
    with pytest.raises(TypeError, match="setup_fnc has to be a function"):
        AgentServer(setup_fnc=3)  # type: ignore[arg-type]  # what is tested
    server = a_server()
    server.update_options(max_retry=2)
    assert server._config.max_retry == 2


async def test_a_server_that_cant_run_says_why():
    with pytest.raises(RuntimeError, match="this server has nothing to run"):
        await AgentServer(ws_url="ws://a", api_key="k", api_secret="s").run()
    with pytest.raises(WorkerError, match="no LiveKit server is configured"):
        await a_server().run()
    with pytest.raises(RuntimeError, match="this worker doesn't run"):
        await a_server().simulate_job("kitchen", fake_job=True)


def test_a_simulated_job_needs_what_it_cant_make_up():
    from livekit.api import TokenVerifier

    address = AgentServer(ws_url="ws://a", api_key="k", api_secret="s" * 32)._address()
    given: dict[str, Any] = {"room_info": None, "token": None, "agent_name": "desk", "worker_id": "W"}
    with pytest.raises(ValueError, match="needs agent_identity and room_info"):
        simulated_job(address, "kitchen", fake_job=False, identity=None, **given)
    info = simulated_job(address, "kitchen", fake_job=True, identity=None, **given)
    claims = TokenVerifier("k", "s" * 32).verify(info.token)
    assert (claims.identity, claims.kind) == (info.accept_arguments.identity, "agent")
    assert claims.video is not None
    assert (info.job.room.name, claims.video.room, info.fake_job) == ("kitchen", "kitchen", True)
    again = simulated_job(address, "kitchen", fake_job=True, identity="other", **given | {"token": info.token})
    assert again.accept_arguments.identity == claims.identity


# --- headless --------------------------------------------------------------------------------------------------------

SERVER = (
    "from agent_runtime import AgentServer\nserver = AgentServer(port=9)\n\n"
    "@server.rtc_session()\nasync def go(ctx): ...\n"
)
PROGRAM = (
    "from agent_runtime import WorkerOptions, cli\nasync def go(ctx): ...\n"
    "if __name__ == '__main__':\n    cli.run_app(WorkerOptions(go, port=9))\n"
)
AGENT = (
    "from agent_runtime import Agent\nclass Greeter(Agent):\n"
    "    def __init__(self): super().__init__(instructions='x')\n"
)


def written(folder: Path, source: str) -> Path:
    file = folder / f"worker_of_{folder.name}.py"
    file.write_text(source)
    return file


@pytest.mark.parametrize("source", [SERVER, PROGRAM])
def test_headless_serves_the_files_own_worker(source: str, served, tmp_path: Path):
    file = written(tmp_path, source)
    assert names_a_worker(file)
    target = parse_target(str(file))
    assert headless.serve_target(target, Settings(), agent_name="desk", port=7) == 0
    ((server, _),) = served
    assert server._entrypoint_fnc is not None
    assert server._entrypoint_fnc.__name__ == "go"
    assert (server._agent_name, server._config.port) == ("desk", 7)
    assert server._config.log_style is not None
    assert server._config.log_style.as_json


def test_headless_serves_an_agent_by_itself(served, tmp_path: Path):
    file = written(tmp_path, AGENT)
    assert not names_a_worker(file)
    settings = Settings()
    assert headless.serve_target(parse_target(str(file)), settings) == 0
    ((server, _),) = served
    assert server._entrypoint_fnc == AgentFile(parse_target(str(file)), settings)
    assert server._config.initialize_process_timeout == headless.INITIALIZE_TIMEOUT


def test_headless_says_that_a_file_starts_no_worker(served, tmp_path: Path):
    file = written(tmp_path, "from agent_runtime import AgentServer\nprint(AgentServer)\n")
    with pytest.raises(AgentLoadError, match=r"starts no worker: end it with cli\.run_app"):
        headless.serve_target(parse_target(str(file)), Settings())


def test_serving_imports_no_console(tmp_path: Path):
    file = written(tmp_path, AGENT)
    code = (
        "import sys\nfrom agent_console.arguments import run_arguments\n"
        "import agent_runtime.worker.headless as headless\n"
        "headless.serve = lambda server: 0\n"
        f"assert run_arguments(['--headless', {str(file)!r}]) == 0\n"
        "import agent_runtime.worker.running, agent_runtime.worker.outside\n"
        "heavy = ('textual', 'rich', 'openai', 'onnxruntime', 'sounddevice', 'livekit.rtc', 'aiohttp', 'numpy')\n"
        "print(sorted(name for name in heavy if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
