"""A worker's numbers on their way to a collector."""

from __future__ import annotations

import logging
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource

from agent_runtime.clock import LoopClock
from agent_runtime.testing import run_virtual
from agent_runtime.worker import exported
from agent_runtime.worker.exported import ExportedMetrics, metrics_data
from agent_runtime.worker.metrics import CATALOGUE, Store
from agent_runtime.worker.prometheus import WorkerMetrics
from agent_runtime.worker.report import WorkerReport

REPORT = WorkerReport("registered", "AW_1", "desk", "JT_ROOM", 0.25, 0.7, 0, (), 1, "0", 1, 0.0)


class Collector:
    """Takes what is exported, or fails as it is told."""

    def __init__(self, *answers: object) -> None:
        self.taken: list[MetricsData] = []
        self._answers = list(answers)

    def export(self, data: MetricsData) -> object:
        self.taken.append(data)
        answer = self._answers.pop(0) if self._answers else MetricExportResult.SUCCESS
        if isinstance(answer, Exception):
            raise answer
        return answer


def points(data: MetricsData) -> dict[str, list[Any]]:
    (resource,) = data.resource_metrics
    return {metric.name: list(metric.data.data_points) for metric in resource.scope_metrics[0].metrics}


def test_each_kind_of_number_is_told_as_what_it_is() -> None:
    store = Store()
    store.add("agent_jobs_ended", "failed", value=2)
    store.take([("set", "agent_worker_load", (), 0.5)])
    store.take([("observe", "agent_turn_seconds", (), seconds) for seconds in (0.15, 0.95, 60.0)])
    data = metrics_data(store, Resource({}), began=10.0, now=70.0)
    told = points(data)
    assert set(told) == {"agent_jobs_ended", "agent_worker_load", "agent_turn_seconds"}
    (ended,), (load,), (turn,) = told["agent_jobs_ended"], told["agent_worker_load"], told["agent_turn_seconds"]
    assert (ended.attributes, ended.value) == ({"outcome": "failed"}, 2.0)
    assert (ended.start_time_unix_nano, ended.time_unix_nano) == (10_000_000_000, 70_000_000_000)
    assert load.value == 0.5
    assert (turn.count, turn.sum) == (3, pytest.approx(61.1))
    assert len(turn.bucket_counts) == len(CATALOGUE["agent_turn_seconds"].buckets) + 1
    assert turn.bucket_counts[-1] == 1
    encoded = encode_metrics(data).resource_metrics[0].scope_metrics[0].metrics
    kinds = {metric.name: (metric.WhichOneof("data"), metric.unit) for metric in encoded}
    assert kinds == {
        "agent_jobs_ended": ("sum", ""),
        "agent_worker_load": ("gauge", ""),
        "agent_turn_seconds": ("histogram", "s"),
    }


def export_for(collector: Collector, seconds: float, monkeypatch: pytest.MonkeyPatch, **environment: str) -> None:
    monkeypatch.setattr(exported, "exporter", lambda *_: collector)

    async def scenario() -> None:
        metrics = WorkerMetrics(lambda: REPORT)
        clock = LoopClock()
        export = ExportedMetrics(metrics, clock, {"OTEL_METRICS_EXPORTER": "otlp", **environment})
        export.start()
        metrics.job_started()
        await clock.sleep(seconds)
        await export.aclose()

    # Another thread answers, and virtual time doesn't wait for it.
    monkeypatch.setattr(exported, "threading", SimpleNamespace(Thread=Now))
    run_virtual(scenario())


class Now(threading.Thread):
    """A thread that has done its work when it is started."""

    def start(self) -> None:
        self.run()


def test_it_is_sent_again_and_again_and_once_more_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Collector()
    export_for(collector, 25.0, monkeypatch, OTEL_METRIC_EXPORT_INTERVAL="10000")
    assert len(collector.taken) == 3
    last = points(collector.taken[-1])
    assert [point.value for point in last["agent_jobs_started"]] == [1.0]
    assert [point.value for point in last["agent_worker_load_threshold"]] == [0.7]


def test_a_collector_that_is_away_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    collector = Collector(MetricExportResult.FAILURE, OSError("away"), MetricExportResult.SUCCESS)
    with caplog.at_level(logging.WARNING):
        export_for(collector, 200.0, monkeypatch)
    assert len(collector.taken) == 4
    assert [record.message for record in caplog.records] == [
        "metrics don't reach their collector; the next attempts aren't told"
    ]


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"OTEL_METRICS_EXPORTER": "zipkin"}, "no exporter zipkin is installed"),
        ({"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "soon"}, "'soon' is no number"),
    ],
)
def test_variables_that_are_wrong_are_told_and_harm_nothing(
    environment: dict[str, str], problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        export = ExportedMetrics(WorkerMetrics(lambda: REPORT), LoopClock(), environment)
        export.start()
        await export.aclose()

    with caplog.at_level(logging.WARNING):
        run_virtual(scenario())
    assert problem in caplog.text


def test_without_a_wish_nothing_is_exported() -> None:
    async def scenario() -> None:
        export = ExportedMetrics(WorkerMetrics(lambda: REPORT), LoopClock(), {"OTEL_METRICS_EXPORTER": "none"})
        export.start()
        assert export._task is None
        await export.aclose()

    run_virtual(scenario())
