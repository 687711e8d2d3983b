"""`/metrics`: a worker's numbers as Prometheus reads them.

They are kept as plain numbers; `prometheus_client` is imported when somebody asks for them first.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from agent_runtime.worker.health import Page
from agent_runtime.worker.metrics import CATALOGUE, Histogram, Metric, Sample, Store
from agent_runtime.worker.report import WorkerReport

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric as Family

_MB: Final = 1024.0 * 1024.0
_OF_A_JOB: Final = "agent_provider_left_alone"
"""A gauge that every job moves; what one put on it goes with it."""


class WorkerMetrics:
    """Counts what happens to a worker's jobs, and writes it down when it is asked.

    Args:
        report: how the worker does now.
    """

    def __init__(self, report: Callable[[], WorkerReport]) -> None:
        self._report = report
        self._store = Store()
        self._of_jobs: dict[str, dict[tuple[str, ...], float]] = {}
        self._registry: CollectorRegistry | None = None

    # --- what happens ------------------------------------------------------------------------------------------------

    def job_started(self) -> None:
        """A job has a process."""
        self._store.add("agent_jobs_started")

    def job_ended(self, job_id: str, *, failed: bool) -> None:
        """A job is over, by itself or not."""
        self._store.add("agent_jobs_ended", "failed" if failed else "done")
        for labels, value in self._of_jobs.pop(job_id, {}).items():
            self._store.add(_OF_A_JOB, *labels, value=-value)

    def job_counted(self, job_id: str, samples: Iterable[Sample]) -> None:
        """What a job's process counted since it told last."""
        samples = list(samples)
        for _, name, labels, value in samples:
            if name == _OF_A_JOB:
                mine = self._of_jobs.setdefault(job_id, {})
                mine[tuple(labels)] = mine.get(tuple(labels), 0.0) + value
        self._store.take(samples)

    def process_ready(self, seconds: float) -> None:
        """A process became ready, so long after its start."""
        self._store.take([("observe", "agent_process_start_seconds", (), seconds)])

    def process_died(self) -> None:
        """A process ended that wasn't told to."""
        self._store.add("agent_process_restarts")

    def memory_warning(self) -> None:
        """A job uses more memory than it should."""
        self._store.add("agent_memory_warnings")

    def counted(self) -> Store:
        """All numbers as they are now."""
        self._store.take(_samples_of(self._report()))
        return self._store

    # --- asked for ---------------------------------------------------------------------------------------------------

    def page(self) -> Page:
        """`/metrics`, in Prometheus' text format."""
        from prometheus_client import CollectorRegistry, exposition

        if self._registry is None:
            self._registry = CollectorRegistry()
            self._registry.register(_Collector(self._families))
        text = exposition.generate_latest(self._registry).decode()
        return Page(200, text, exposition.CONTENT_TYPE_LATEST)

    def _families(self) -> Iterator[Family]:
        from prometheus_client.core import InfoMetricFamily

        report = self._report()
        self._store.take(_samples_of(report))
        about = {"agent_name": report.agent_name, "version": report.sdk_version, "worker_id": report.worker_id}
        yield InfoMetricFamily("agent_worker", "Which worker this is.", value=about)
        for metric in CATALOGUE.values():
            yield _family(metric, self._store)
        yield from _known_elsewhere(report)


class _Collector:
    """What a registry of `prometheus_client` collects from."""

    def __init__(self, families: Callable[[], Iterator[Family]]) -> None:
        self.collect = families

    def describe(self) -> list[Any]:
        """Nothing is collected to find out the names."""
        return []


def _samples_of(report: WorkerReport) -> list[Sample]:
    memory = [job.memory_mb * _MB for job in report.jobs if job.memory_mb is not None]
    values = {
        "agent_worker_registered": report.is_ready,
        "agent_worker_draining": report.state == "draining",
        "agent_worker_registrations": report.registrations,
        "agent_worker_load": report.worker_load,
        "agent_worker_load_threshold": report.load_threshold,
        "agent_worker_memory_bytes": None if report.memory_mb is None else report.memory_mb * _MB,
        "agent_worker_start_time_seconds": report.started_at,
        "agent_processes_ready": report.ready_processes,
        "agent_jobs_running": report.active_jobs,
        "agent_jobs_memory_bytes": sum(memory),
        "agent_job_memory_max_bytes": max(memory, default=0.0),
    }
    return [("set", name, (), float(value)) for name, value in values.items() if value is not None]


def _family(metric: Metric, store: Store) -> Family:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for labels, kept in store.histograms_of(metric.name):
            histogram.add_metric(labels, _buckets(metric, kept), sum_value=kept.total)
        return histogram
    family = (CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily)(
        metric.name, metric.help, labels=metric.labels
    )
    values = store.values_of(metric.name)
    if not values and metric.kind == "counter" and not metric.labels:
        values = [((), 0.0)]  # a counter that isn't there has no rate
    for labels, value in values:
        family.add_metric(labels, value)
    return family


def _buckets(metric: Metric, histogram: Histogram) -> list[tuple[str, float]]:
    bounds = [*(f"{bound:g}" for bound in metric.buckets), "+Inf"]
    return list(zip(bounds, map(float, accumulate(histogram.counts)), strict=True))


def _known_elsewhere(report: WorkerReport) -> Iterator[Family]:
    """The names that LiveKit Agents has for the same, for dashboards that were made for it."""
    from prometheus_client.core import GaugeMetricFamily

    values = {
        "lk_agents_active_job_count": ("Active jobs.", report.active_jobs),
        "lk_agents_child_process_count": ("Child processes.", report.active_jobs + report.ready_processes),
        "lk_agents_worker_load": ("Load of the worker.", report.worker_load),
    }
    for name, (text, value) in values.items():
        family = GaugeMetricFamily(name, text, labels=("nodename",))
        family.add_metric((platform.node(),), value)
        yield family
