"""A worker's numbers sent to a collector, as OpenTelemetry's own environment variables say.

They are those of `/metrics`, under the same names, made into OpenTelemetry's data without its instruments: the numbers
are kept once, for whoever wants them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from agent_runtime.clock import Clock
from agent_runtime.errors import AgentConsoleError, ConfigError
from agent_runtime.telemetry.exporters import exporter, resource, wanted
from agent_runtime.worker.metrics import CATALOGUE, Metric, Store

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.resources import Resource

    from agent_runtime.worker.prometheus import WorkerMetrics

logger = logging.getLogger(__name__)

INTERVAL: Final = 60.0
"""Seconds between two exports where `OTEL_METRIC_EXPORT_INTERVAL` (milliseconds) says nothing."""
LAST_TIMEOUT: Final = 2.0
"""Seconds that the last numbers get to reach the collector."""
_INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"
_UNITS: Final = {"_seconds": "s", "_bytes": "By"}


class ExportedMetrics:
    """Exports while a worker runs: `start`, and in the end `aclose`. Does nothing unless the environment asks for it.

    `OTEL_METRICS_EXPORTER` or an OTLP endpoint turns it on, `OTEL_SDK_DISABLED` off. A collector that is away is
    logged, once, and holds nothing up.

    Args:
        metrics: the numbers.
        clock: for times and waits.
        environment: unset, the process's own.
    """

    def __init__(self, metrics: WorkerMetrics, clock: Clock, environment: Mapping[str, str] = os.environ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._environment = environment
        self._began = clock.wall()
        self._exporters: list[Any] = []
        self._reaches = True
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin. What is wrong with the variables is logged; the worker works without."""
        try:
            names = wanted("metrics", self._environment)
            if not names:
                return
            interval = self._interval()
            source = resource(self._environment)
            self._exporters = [exporter("metrics", name, self._environment) for name in names]
        except AgentConsoleError as exc:
            logger.warning("metrics aren't exported: %s", exc)
            return
        self._task = asyncio.get_running_loop().create_task(self._run(interval, source), name="exported metrics")

    async def aclose(self) -> None:
        """Export once more, for `LAST_TIMEOUT` at most."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):
            async with asyncio.timeout(LAST_TIMEOUT):
                await self._task

    async def _run(self, interval: float, source: Resource) -> None:
        try:
            while True:
                await self._clock.sleep(interval)
                await self._export(source)
        finally:
            await self._export(source)

    async def _export(self, source: Resource) -> None:
        data = metrics_data(self._metrics.counted(), source, began=self._began, now=self._clock.wall())
        reaches = True
        for one in self._exporters:
            reaches &= await _sent(one, data)
        if self._reaches and not reaches:
            logger.warning("metrics don't reach their collector; the next attempts aren't told")
        self._reaches = reaches

    def _interval(self) -> float:
        text = self._environment.get(_INTERVAL, "")
        try:
            return max(1.0, float(text) / 1000) if text else INTERVAL
        except ValueError:
            raise ConfigError(_INTERVAL, "", f"{text!r} is no number of milliseconds") from None


async def _sent(one: Any, data: MetricsData) -> bool:
    """Whether it took them. In a thread that nobody waits for at the end: a collector may not answer for long."""
    from opentelemetry.sdk.metrics.export import MetricExportResult

    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bool] = loop.create_future()

    def send() -> None:
        try:
            sent = one.export(data) is MetricExportResult.SUCCESS
        except Exception:
            logger.debug("exporting metrics failed", exc_info=True)
            sent = False
        with contextlib.suppress(RuntimeError):  # the worker has ended meanwhile
            loop.call_soon_threadsafe(take, sent)

    def take(sent: bool) -> None:
        if not answer.done():
            answer.set_result(sent)

    threading.Thread(target=send, name="exported metrics", daemon=True).start()
    return await answer


def metrics_data(store: Store, source: Resource, *, began: float, now: float) -> MetricsData:
    """The numbers as OpenTelemetry has them. Times are of the wall clock, in seconds."""
    from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    times = (int(began * 1e9), int(now * 1e9))
    told = [_metric(metric, store, times) for metric in CATALOGUE.values()]
    scope = ScopeMetrics(InstrumentationScope("agent_runtime.worker"), [metric for metric in told if metric], "")
    return MetricsData([ResourceMetrics(source, [scope], "")])


def _metric(metric: Metric, store: Store, times: tuple[int, int]) -> Any:
    """One of the catalogue; None if nothing was counted."""
    from opentelemetry.sdk.metrics import export as otel

    since_the_start = otel.AggregationTemporality.CUMULATIVE
    points: list[Any]
    data: Any
    if metric.kind == "histogram":
        points = [
            otel.HistogramDataPoint(
                dict(zip(metric.labels, labels, strict=True)),
                *times,
                count=sum(kept.counts),
                sum=kept.total,
                bucket_counts=list(kept.counts),
                explicit_bounds=metric.buckets,
                min=None,  # type: ignore[arg-type]  # not kept, and optional on the wire
                max=None,  # type: ignore[arg-type]  # as above
            )
            for labels, kept in store.histograms_of(metric.name)
        ]
        data = otel.Histogram(points, since_the_start)
    else:
        points = [
            otel.NumberDataPoint(dict(zip(metric.labels, labels, strict=True)), *times, value)
            for labels, value in store.values_of(metric.name)
        ]
        data = otel.Sum(points, since_the_start, is_monotonic=True) if metric.kind == "counter" else otel.Gauge(points)
    unit = next((unit for ending, unit in _UNITS.items() if metric.name.endswith(ending)), "")
    return otel.Metric(metric.name, metric.help, unit, data) if points else None
