"""What is counted about a worker and its jobs: the catalogue, and where the numbers are kept.

A sample is `(what, name, labels, value)`: plain data, so that a job's process can send its own to the worker.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from agent_runtime.records import record

Sample: TypeAlias = tuple[Literal["add", "set", "observe"], str, tuple[str, ...], float]
"""`add` to a counter, `set` a gauge, `observe` for a histogram."""

WAITS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Seconds: close together where a pause begins to be felt."""
WORK: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


@record(frozen=True, slots=True)
class Metric:
    """One of the catalogue. A histogram has buckets, by their upper bounds."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_ALL: Final = (
    # the worker
    Metric("gauge", "agent_worker_registered", "Whether the server knows the worker and it takes jobs."),
    Metric("gauge", "agent_worker_draining", "Whether it finishes its jobs and takes none."),
    Metric("counter", "agent_worker_registrations", "How often the server took the worker; once is the normal."),
    Metric("gauge", "agent_worker_load", "Load, 0 to 1."),
    Metric("gauge", "agent_worker_load_threshold", "The load from which on no job is taken."),
    Metric("gauge", "agent_worker_memory_bytes", "Resident memory of the worker's own process."),
    Metric("gauge", "agent_worker_start_time_seconds", "When it started, in seconds since the epoch."),
    # processes
    Metric("gauge", "agent_processes_ready", "Processes that wait for a job."),
    Metric("histogram", "agent_process_start_seconds", "From a process's start until it is ready.", (), WORK),
    Metric("counter", "agent_process_restarts", "Processes that died and were replaced."),
    Metric("counter", "agent_memory_warnings", "Jobs that used more memory than `job_memory_warn_mb`."),
    # jobs
    Metric("gauge", "agent_jobs_running", "Jobs that run."),
    Metric("gauge", "agent_jobs_memory_bytes", "Memory of all jobs' processes."),
    Metric("gauge", "agent_job_memory_max_bytes", "Memory of the job that has most."),
    Metric("counter", "agent_jobs_started", "Jobs that were started."),
    Metric("counter", "agent_jobs_ended", "Jobs that ended: `done` or `failed`.", ("outcome",)),
    # conversations
    Metric("histogram", "agent_turn_seconds", "From the user's last word to the agent's first sound.", (), WAITS),
    Metric("histogram", "agent_turn_part_seconds", "Where that time went; the parts add up to it.", ("part",), WAITS),
    Metric("counter", "agent_interruptions", "How often the agent was stopped.", ("cause",)),
    Metric("counter", "agent_errors", "What failed in conversations, by the culprit.", ("source",)),
    Metric("counter", "agent_tool_calls", "Calls: `ok`, `error`, or `invalid` for arguments.", ("tool", "outcome")),
    Metric("histogram", "agent_tool_seconds", "How long calls took.", ("tool",), WORK),
    Metric(
        "counter", "agent_llm_tokens", "Tokens: `prompt`, `cached` (a part of those), `completion`.", ("model", "kind")
    ),
    Metric("counter", "agent_tts_characters", "Characters that were synthesized.", ("model",)),
    Metric("counter", "agent_tts_audio_seconds", "Seconds of speech that were synthesized.", ("model",)),
    Metric("counter", "agent_stt_audio_seconds", "Seconds of audio that were recognised.", ("model",)),
    Metric("gauge", "agent_provider_left_alone", "Jobs in which this provider isn't asked.", ("part", "provider")),
)
CATALOGUE: Final = {metric.name: metric for metric in _ALL}
"""Everything there is, by name."""


@dataclass(slots=True)
class Histogram:
    """How often a value fell into each bucket, and their sum."""

    counts: list[int]
    total: float = 0.0

    def observe(self, value: float, buckets: tuple[float, ...]) -> None:
        """Count one."""
        self.counts[bisect_left(buckets, value)] += 1
        self.total += value


@dataclass(slots=True)
class Store:
    """The numbers, since the worker's start."""

    values: dict[tuple[str, tuple[str, ...]], float] = field(default_factory=dict)
    histograms: dict[tuple[str, tuple[str, ...]], Histogram] = field(default_factory=dict)

    def take(self, samples: Iterable[Sample]) -> None:
        """Count these. What the catalogue doesn't have is left out: it may come from other code than this."""
        for what, name, labels, value in samples:
            metric = CATALOGUE.get(name)
            if metric is None or len(labels) != len(metric.labels):
                continue
            key = (name, tuple(labels))
            if what == "observe":
                if key not in self.histograms:
                    self.histograms[key] = Histogram([0] * (len(metric.buckets) + 1))
                self.histograms[key].observe(value, metric.buckets)
            elif what == "add":
                self.values[key] = self.values.get(key, 0.0) + value
            else:
                self.values[key] = value

    def add(self, name: str, *labels: str, value: float = 1.0) -> None:
        """Add to a counter."""
        self.take([("add", name, labels, value)])

    def values_of(self, name: str) -> list[tuple[tuple[str, ...], float]]:
        """A counter's or gauge's values, by their labels."""
        return [(labels, value) for (found, labels), value in self.values.items() if found == name]

    def histograms_of(self, name: str) -> list[tuple[tuple[str, ...], Histogram]]:
        """A histogram's, by their labels."""
        return [(labels, value) for (found, labels), value in self.histograms.items() if found == name]
