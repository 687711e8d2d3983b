"""What the Dockerfile starts and how it asks for health, run here: alive without its server, and ended by SIGTERM."""

from __future__ import annotations

import json
import os
import re
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

import pytest

if sys.platform == "win32":
    pytest.skip("a container of Linux", allow_module_level=True)

from prometheus_client.parser import text_string_to_metric_families

from agent_runtime.worker.report import WorkerReport

DOCKERFILE = Path(__file__).parents[2] / "docs" / "deploy" / "Dockerfile"
AGENT = 'from agent_runtime import Agent\n\nassistant = Agent(instructions="Be brief.")\n'
PATIENCE = 60.0


def command(instruction: str, port: int) -> list[str]:
    """What it runs, at another port and with this environment's programs."""
    text = re.sub(r"\\\n\s*", "", DOCKERFILE.read_text())
    (line,) = [line for line in text.splitlines() if line.startswith(instruction)]
    words = json.loads(line[line.index("[") :])
    words = [word.replace("8081", str(port)) for word in words]
    program = {"python": sys.executable, "agent-console": str(Path(sys.executable).with_name("agent-console"))}
    return [program[words[0]], *words[1:]]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextmanager
def container(folder: Path, port: int, **variables: str) -> Iterator[subprocess.Popen[str]]:
    (folder / "my_agent.py").write_text(AGENT)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("LIVEKIT", "AGENT_CONSOLE"))
    }
    process = subprocess.Popen(
        [*command("ENTRYPOINT", port), *command_words("CMD")],
        cwd=folder,
        env=environment | {"AGENT_CONSOLE_TEXT": "true", "AGENT_CONSOLE_LLM": "none"} | variables,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def command_words(instruction: str) -> list[str]:
    (line,) = re.findall(rf"^{instruction} (\[.*\])$", DOCKERFILE.read_text(), flags=re.MULTILINE)
    words: list[str] = json.loads(line)
    return words


def healthy(port: int) -> bool:
    return subprocess.run(command("HEALTHCHECK", port), capture_output=True).returncode == 0


def test_the_worker_is_alive_while_its_server_is_away_and_ends_when_it_is_told_to(tmp_path):
    port, nobody = free_port(), free_port()
    assert not healthy(port)
    server = {
        "LIVEKIT_URL": f"ws://127.0.0.1:{nobody}",
        "LIVEKIT_API_KEY": "devkey",
        "LIVEKIT_API_SECRET": "a-secret-of-at-least-32-characters",
    }
    with container(tmp_path, port, **server) as process:
        deadline = time.monotonic() + PATIENCE
        while not healthy(port):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
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


def test_a_worker_without_a_server_is_refused_once_and_for_all(tmp_path):
    with container(tmp_path, free_port()) as process:
        _, log = process.communicate(timeout=PATIENCE)
        assert process.returncode == 2, log
        assert "LIVEKIT_URL" in log
