"""The Dockerfile's instructions, done in a folder, and what the image would start: alive without its server, and ended
by SIGTERM; the composition's server and worker with their own settings; the unit, as systemd reads it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

if sys.platform == "win32":
    pytest.skip("a container of Linux", allow_module_level=True)

from prometheus_client.parser import text_string_to_metric_families

from agent_runtime.worker.report import WorkerReport
from tests.support import livekit_server
from tests.support.dockerfile import Build, Stage

CHECKOUT = Path(__file__).parents[2]
DEPLOY = CHECKOUT / "docs" / "deploy"
AGENT = 'from agent_runtime import Agent\n\nassistant = Agent(instructions="Be brief.")\n'
PATIENCE = 60.0


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """What the Dockerfile makes of an agent and a wheel of this checkout, in folders."""
    context, work = tmp_path_factory.mktemp("context"), tmp_path_factory.mktemp("image")
    shutil.copy(DEPLOY / "Dockerfile", context)
    (context / "my_agent.py").write_text(AGENT)
    subprocess.run(
        ["uv", "build", "--quiet", "--wheel", "--out-dir", str(context)], cwd=CHECKOUT, check=True, capture_output=True
    )
    return Build(context, work).run()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def at_port(words: list[str], port: int) -> list[str]:
    """The same command at a port that is free here."""
    return [word.replace("8081", str(port)) for word in words]


@contextmanager
def container(image: Stage, port: int, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """What the image runs, with the environment that it would have."""
    inherited = {name: value for name, value in os.environ.items() if name.startswith(("HOME", "TMP", "XDG", "LANG"))}
    process = subprocess.Popen(
        image.words(at_port([*image.entrypoint, *image.command], port)),
        cwd=image.workdir,
        env=inherited | image.environment | {"AGENT_CONSOLE_TEXT": "true", "AGENT_CONSOLE_LLM": "none"} | variables,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def healthy(image: Stage, port: int) -> bool:
    words = image.words(at_port(image.healthcheck, port))
    return subprocess.run(words, env=image.environment, capture_output=True).returncode == 0


def until_healthy(image: Stage, port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not healthy(image, port):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline


def test_the_image_holds_the_wheel_and_the_agent_and_runs_as_somebody(image):
    assert image.user == "10001"
    assert image.packages == ["libgomp1"]
    assert [file.name for file in image.workdir.iterdir()] == ["my_agent.py"]
    python = image.words(["python", "-c", "import opentelemetry.sdk, agent_console; print(agent_console.__file__)"])
    where = subprocess.check_output(python, cwd=image.workdir, env=image.environment, text=True)
    assert "/venv/lib/" in where


def test_the_worker_is_alive_while_its_server_is_away_and_ends_when_it_is_told_to(image):
    port, nobody = free_port(), free_port()
    assert not healthy(image, port)
    server = {
        "LIVEKIT_URL": f"ws://127.0.0.1:{nobody}",
        "LIVEKIT_API_KEY": "devkey",
        "LIVEKIT_API_SECRET": "a-secret-of-at-least-32-characters",
    }
    with container(image, port, **server) as process:
        until_healthy(image, port, process)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=10)
        assert refused.value.code == 503
        assert refused.value.read().decode().startswith(("connecting", "starting"))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/worker", timeout=10) as answer:
            report = WorkerReport.from_json(answer.read())
        # It listens for everybody, without TLS.
        assert (report.pid, report.attach) == (process.pid, "off")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            names = {family.name for family in text_string_to_metric_families(answer.read().decode())}
        assert {"agent_worker_registered", "agent_jobs_started", "agent_turn_seconds"} <= names
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, log
        assert all(json.loads(line)["message"] for line in log.splitlines() if line)


def test_a_worker_without_a_server_is_refused_once_and_for_all(image):
    with container(image, free_port()) as process:
        _, log = process.communicate(timeout=PATIENCE)
        assert process.returncode == 2, log
        assert "LIVEKIT_URL" in log


# --- the composition -------------------------------------------------------------------------------------------------


def filled_in(value: Any) -> Any:
    """The composition's values as they are where no variable is set."""
    if isinstance(value, dict):
        return {filled_in(key): filled_in(item) for key, item in value.items()}
    if isinstance(value, list):
        return [filled_in(item) for item in value]
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) if isinstance(value, str) else value


@contextmanager
def composed_server(settings: dict[str, Any]) -> Iterator[int]:
    """LiveKit's server with these settings, alone and at ports of this machine."""
    binary = livekit_server.binary()
    assert binary is not None, livekit_server.missing()
    port = free_port()
    alone = {name: value for name, value in settings.items() if name != "redis"}
    alone |= {"port": port, "rtc": settings["rtc"] | {"tcp_port": free_port()}}
    environment = {"LIVEKIT_CONFIG": yaml.safe_dump(alone), "PATH": os.environ["PATH"]}
    process = subprocess.Popen(
        [binary, "--bind", "127.0.0.1", "--node-ip", "127.0.0.1"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def test_the_compositions_worker_registers_with_the_compositions_server_and_has_its_models(image):
    services = filled_in(yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"])
    settings = yaml.safe_load(services["livekit"]["environment"]["LIVEKIT_CONFIG"])
    variables = {name: value for name, value in services["worker"]["environment"].items() if value}
    port = free_port()
    with composed_server(settings) as server:
        variables["LIVEKIT_URL"] = variables["LIVEKIT_URL"].replace("livekit:7880", f"127.0.0.1:{server}")
        with container(image, port, **variables, AGENT_CONSOLE_TEXT="false", AGENT_CONSOLE_LLM="auto") as process:
            until_healthy(image, port, process)
            deadline = time.monotonic() + PATIENCE
            while (report := reported(port)).state != "registered" or report.ready_processes == 0:
                assert process.poll() is None, process.communicate()[1]
                assert time.monotonic() < deadline, report
                time.sleep(0.05)  # a real server answers a real worker


def reported(port: int) -> WorkerReport:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/worker", timeout=10) as answer:
        return WorkerReport.from_json(answer.read())


# --- systemd ---------------------------------------------------------------------------------------------------------


def test_systemd_finds_nothing_to_complain_of_in_the_unit(image, tmp_path):
    unit = tmp_path / "agent-worker.service"
    text = (DEPLOY / "agent-worker.service").read_text()
    (program,) = image.words(["agent-console"])
    unit.write_text(text.replace("/srv/agent/.venv/bin/agent-console", program))
    if (systemd := shutil.which("systemd-analyze")) is None:
        assert re.search(r"^ExecStart=\S+/agent-console --headless my_agent\.py$", text, re.MULTILINE)
        return
    done = subprocess.run([systemd, "verify", str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
