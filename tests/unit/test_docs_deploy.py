"""The files that production is set up with: they parse, and what they name exists."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent_console import arguments
from agent_runtime.providers.registry import INSTALL_WEIGHTS
from agent_runtime.worker.metrics import CATALOGUE
from agent_runtime.worker.options import DRAIN_TIMEOUT
from agent_runtime.worker.serving import ExitCode

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
EXPOSED = {metric.name + suffix for metric in CATALOGUE.values() for suffix in _SUFFIXES[metric.kind]}


def instructions() -> dict[str, list[str]]:
    """What the Dockerfile says, by instruction."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text())
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            found.setdefault(name, []).append(rest)
    return found


def seconds(text: str) -> int:
    units = {"s": 1, "m": 60, "h": 3600}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([smh])", text))


def known_flags() -> set[str]:
    return set(re.findall(r"--[a-z-]+", (DEPLOY.parent / "reference.md").read_text()))


# --- Grafana ---------------------------------------------------------------------------------------------------------


def dashboard() -> dict[str, Any]:
    return json.loads((DEPLOY / "grafana.json").read_text())


def queries() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]


def test_each_query_of_the_dashboard_names_metrics_that_exist():
    assert len(queries()) > 20
    for query in queries():
        named = set(re.findall(r"\bagent_\w+", query))
        assert named, query
        assert named <= EXPOSED, query


def test_labels_that_the_dashboard_groups_by_exist():
    ours = {label for metric in CATALOGUE.values() for label in metric.labels} | {"le", "job", "instance"}
    for query in queries():
        for grouped in re.findall(r"(?:by|ignoring) \(([^)]*)\)", query):
            assert set(re.findall(r"\w+", grouped)) <= ours, query
    legends = [target["legendFormat"] for panel in dashboard()["panels"] for target in panel["targets"]]
    assert {name for legend in legends for name in re.findall(r"{{(\w+)}}", legend)} <= ours


def test_the_dashboard_shows_every_metric_but_those_that_say_little():
    shown = {name for query in queries() for name in re.findall(r"\bagent_\w+", query)}
    left_out = {
        name for name, metric in CATALOGUE.items() if not shown & {name + end for end in _SUFFIXES[metric.kind]}
    }
    assert left_out == {"agent_worker_draining", "agent_worker_start_time_seconds"}


def test_the_dashboards_panels_do_not_overlap():
    cells = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & mine, panel["title"]
        assert place["x"] + place["w"] <= 24
        cells |= mine


# --- Docker ----------------------------------------------------------------------------------------------------------


def test_the_container_runs_as_nobody_special_and_knows_how_it_does():
    found = instructions()
    assert found["USER"] == ["10001"]
    assert found["STOPSIGNAL"] == ["SIGTERM"]
    check = json.loads(found["HEALTHCHECK"][0].partition("CMD ")[2])
    entry = json.loads(found["ENTRYPOINT"][0])
    port = entry[entry.index("--port") + 1]
    assert f"http://127.0.0.1:{port}/'" in check[-1]
    assert found["EXPOSE"] == [port]
    assert {word for word in entry if word.startswith("--")} <= known_flags()
    compile(check[-1], "healthcheck", "exec")


def test_the_container_holds_the_models_that_an_agent_has_of_itself():
    defaults = dict(argument.split("=", 1) for argument in instructions()["ARG"])
    assert "embedded" in defaults["EXTRAS"].split(",")
    assert INSTALL_WEIGHTS.endswith(f"--no-deps {defaults['WEIGHTS']}")


def test_the_composition_has_a_server_its_store_and_two_workers():
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = composed["services"]
    assert set(services) == {"redis", "livekit", "worker", "prometheus", "grafana"}
    worker = services["worker"]
    assert worker["deploy"]["replicas"] == 2
    assert worker["build"]["dockerfile"] == "Dockerfile"
    assert seconds(worker["stop_grace_period"]) > DRAIN_TIMEOUT
    assert {"LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"} <= set(worker["environment"])
    livekit = yaml.safe_load(services["livekit"]["environment"]["LIVEKIT_CONFIG"])
    assert livekit["redis"]["address"] == "redis:6379"
    assert worker["environment"]["LIVEKIT_URL"] == f"ws://livekit:{livekit['port']}"
    assert list(livekit["keys"]) == [worker["environment"]["LIVEKIT_API_KEY"]]
    (default,) = re.findall(r":-(.*)}", livekit["keys"][worker["environment"]["LIVEKIT_API_KEY"]])
    assert len(default) >= 32  # a shorter one is refused


def test_prometheus_finds_every_worker():
    (scraped,) = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]
    assert scraped["metrics_path"] == "/metrics"
    (names,) = scraped["dns_sd_configs"]
    assert (names["names"], str(names["port"])) == (["worker"], instructions()["EXPOSE"][0])


# --- systemd ---------------------------------------------------------------------------------------------------------


def test_the_service_drains_and_does_not_try_again_what_cannot_work():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    unit.read_string((DEPLOY / "agent-worker.service").read_text())
    service = unit["Service"]
    command = shlex.split(service["ExecStart"])
    assert command[0].endswith("/agent-console")
    assert {word for word in command if word.startswith("--")} <= known_flags()
    assert service["RestartPreventExitStatus"] == str(ExitCode.BAD_INPUT.value)
    assert int(service["TimeoutStopSec"]) > DRAIN_TIMEOUT
    assert service["KillMode"] == "mixed"


# --- the guide -------------------------------------------------------------------------------------------------------


def guide() -> str:
    return (DEPLOY.parent / "production.md").read_text()


def test_the_guide_names_each_metric_and_nothing_that_is_none():
    named = set(re.findall(r"`(agent_\w+)`", guide()))
    assert named == set(CATALOGUE) | {"agent_worker_info"}


def test_the_guide_names_each_exit_code_and_file():
    table = dict(re.findall(r"^\| (\d+) \| (\w+)", guide(), flags=re.MULTILINE))
    assert set(table) == {str(code.value) for code in ExitCode}
    for file in DEPLOY.iterdir():
        assert f"deploy/{file.name}" in guide()


@pytest.mark.parametrize(
    "flag", ["--headless", "--agent-name", "--drain-timeout", "--host", "--port", "--token", "--job"]
)
def test_flags_of_the_guide_exist(flag):
    assert flag in guide()
    assert flag in known_flags()
    assert arguments.app is not None
