"""Traces and numbers over the wire: a host or a worker whose environment names a collector, and the collector."""

from __future__ import annotations

import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agent_runtime.events import ErrorOccurred, SessionStarted, SpeechFinished
from tests.integration.test_runtime_host import start  # noqa: F401  # a fixture
from tests.support.livekit_server import livekit_server, missing
from tests.support.worker_process import worker


class Collector:
    """Takes OTLP over HTTP and keeps it."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.requests: list[ExportTraceServiceRequest] = []
        self.metrics: list[ExportMetricsServiceRequest] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.paths.append(self.path)
                if self.path == "/v1/metrics":
                    collector.metrics.append(ExportMetricsServiceRequest.FromString(body))
                else:
                    collector.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="collector")
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def collector():
    made = Collector()
    yield made
    made.close()


def test_a_turn_reaches_the_collector(collector, monkeypatch, start):  # noqa: F811  # the fixture
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "order-desk")
    console = start()
    session = console.of(SessionStarted).session_id
    console.host.send_text("hello")
    console.of(SpeechFinished)
    assert console.host.stop(10)
    assert set(collector.paths) == {"/v1/traces"}
    resources = [spans for request in collector.requests for spans in request.resource_spans]
    assert {a.value.string_value for r in resources for a in r.resource.attributes if a.key == "service.name"} == {
        "order-desk"
    }
    spans = [span for r in resources for scope in r.scope_spans for span in scope.spans]
    assert len({span.trace_id for span in spans}) == 1
    (turn,) = [span for span in spans if span.name == "turn"]
    assert {a.key: a.value.string_value for a in turn.attributes}["session.id"] == session
    assert {span.name for span in spans} >= {"turn", "wait", "wait.llm", "chat scripted-llm"}
    assert abs(turn.start_time_unix_nano / 1e9 - time.time()) < 60
    (wait,) = [span for span in spans if span.name == "wait"]
    parts = [span for span in spans if span.parent_span_id == wait.span_id]
    lengths = [part.end_time_unix_nano - part.start_time_unix_nano for part in parts]
    assert sum(lengths) == wait.end_time_unix_nano - wait.start_time_unix_nano


def test_a_collector_that_is_away_holds_nothing_up(monkeypatch, start):  # noqa: F811  # the fixture
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    console = start()
    console.host.send_text("hello")
    console.of(SpeechFinished)
    began = time.monotonic()
    assert console.host.stop(10)
    assert time.monotonic() - began < 2.0


def test_an_exporter_that_is_not_there_is_told_and_the_conversation_goes_on(monkeypatch, start):  # noqa: F811
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    console = start()
    told = console.of(ErrorOccurred).data
    assert (told.source, told.recoverable) == ("telemetry", True)
    console.host.send_text("hello")
    console.said("assistant", "Hi there.")


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_a_workers_numbers_reach_the_collector(collector):
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "order-desk"}
    with livekit_server() as server, worker(server, **environment) as process:
        process.wait_for("registered")
        process.send(signal.SIGTERM)  # the last numbers are sent before it ends
        assert process.wait() == 0
    resources = collector.metrics[-1].resource_metrics
    names = {a.value.string_value for r in resources for a in r.resource.attributes if a.key == "service.name"}
    assert names == {"order-desk"}
    told = {metric.name: metric for r in resources for scope in r.scope_metrics for metric in scope.metrics}
    assert told["agent_worker_registrations"].sum.data_points[0].as_double == 1.0
    assert told["agent_worker_memory_bytes"].gauge.data_points[0].as_double > 1e6
