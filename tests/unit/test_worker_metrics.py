"""From a session's events in a job's process to what Prometheus reads of the worker."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from agent_runtime import events as ev
from agent_runtime.clock import LoopClock
from agent_runtime.events import EventStream
from agent_runtime.worker.figures import MOST, Figures
from agent_runtime.worker.metrics import CATALOGUE, Store
from agent_runtime.worker.prometheus import WorkerMetrics
from tests.unit.test_worker_health import REPORT

TURN = ev.TurnMeasured(
    1.0, 1.75, (ev.TurnPart("endpointing", 1.0, 1.4), ev.TurnPart("llm", 1.4, 1.6), ev.TurnPart("llm", 1.6, 1.75))
)


def counted(*data: ev.EventData, cause: str | None = None) -> Figures:
    stream = EventStream(session_id="s", clock=LoopClock())
    figures = Figures()
    figures.follow(stream)
    for item in data:
        stream.emit(item, cause=cause)
    return figures


def read(metrics: WorkerMetrics) -> dict[str, float]:
    """The page as Prometheus reads it, by name and labels."""
    page = metrics.page()
    assert page.content_type.startswith("text/plain; version=")
    found = {}
    for family in text_string_to_metric_families(page.text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def told(*data: ev.EventData, cause: str | None = None) -> dict[str, float]:
    metrics = WorkerMetrics(lambda: REPORT)
    samples = counted(*data, cause=cause).take()
    # As they travel between two processes.
    metrics.job_counted(
        "AJ_1", [(what, name, tuple(labels), v) for what, name, labels, v in json.loads(json.dumps(samples))]
    )
    return read(metrics)


async def test_a_turns_latency_and_its_parts_add_up():
    found = told(TURN)
    assert found["agent_turn_seconds_count"] == 1
    assert found["agent_turn_seconds_sum"] == 0.75
    assert found["agent_turn_seconds_bucket{le=0.7}"] == 0
    assert found["agent_turn_seconds_bucket{le=0.8}"] == 1
    assert found["agent_turn_seconds_bucket{le=+Inf}"] == 1
    assert found["agent_turn_part_seconds_count{part=llm}"] == 1
    parts = sum(found[f"agent_turn_part_seconds_sum{{part={part}}}"] for part in ("endpointing", "llm"))
    assert round(parts, 9) == 0.75


async def test_errors_tools_tokens_and_seconds_are_counted_by_what_they_are_of():
    found = told(
        ev.ErrorOccurred("tts", "hung up", recoverable=True),
        ev.ErrorOccurred("tts", "hung up", recoverable=True),
        ev.ToolFinished("c1", "weather", "sunny", False, 0.2),
        ev.ToolFinished("c2", "weather", "no city", True, 0.0, invalid=True),
        ev.ToolFinished("c3", "weather", "down", True, 4.0),
        ev.LLMFinished("s1", 100, 20, 60, 0.5, False, model="gpt"),
        ev.TTSFinished("s1", 31, 2.5, 0.3, False, model="voice"),
        ev.SpeechRecognized("ears", 1.5),
        ev.AgentInterrupted("s1"),
        cause="voice",
    )
    wanted = {
        "agent_errors_total{source=tts}": 2,
        "agent_tool_calls_total{outcome=ok,tool=weather}": 1,
        "agent_tool_calls_total{outcome=invalid,tool=weather}": 1,
        "agent_tool_calls_total{outcome=error,tool=weather}": 1,
        "agent_tool_seconds_sum{tool=weather}": 4.2,
        "agent_llm_tokens_total{kind=prompt,model=gpt}": 100,
        "agent_llm_tokens_total{kind=cached,model=gpt}": 60,
        "agent_llm_tokens_total{kind=completion,model=gpt}": 20,
        "agent_tts_characters_total{model=voice}": 31,
        "agent_tts_audio_seconds_total{model=voice}": 2.5,
        "agent_stt_audio_seconds_total{model=ears}": 1.5,
        "agent_interruptions_total{cause=voice}": 1,
    }
    assert {name: found.get(name) for name in wanted} == wanted


def circuits(*states: tuple[str, str]) -> ev.CircuitsChanged:
    return ev.CircuitsChanged("llm", tuple(ev.Circuit(name, state, 0.0) for name, state in states))  # type: ignore[arg-type]


async def test_a_provider_is_left_alone_until_it_answers_or_the_job_is_over():
    metrics = WorkerMetrics(lambda: REPORT)
    gone, back = (
        counted(circuits(("a", "open"), ("b", "closed"))),
        counted(circuits(("a", "open")), circuits(("a", "closed"))),
    )
    metrics.job_counted("AJ_1", gone.take())
    metrics.job_counted("AJ_2", back.take())
    assert read(metrics)["agent_provider_left_alone{part=llm,provider=a}"] == 1
    metrics.job_ended("AJ_1", failed=True)  # its process can't tell any more
    assert read(metrics)["agent_provider_left_alone{part=llm,provider=a}"] == 0
    assert not any("provider=b" in name for name in read(metrics))


def test_jobs_and_processes_are_counted():
    metrics = WorkerMetrics(lambda: REPORT)
    assert read(metrics)["agent_jobs_started_total"] == 0  # a counter that isn't there has no rate
    metrics.job_started()
    metrics.job_started()
    metrics.job_ended("AJ_1", failed=True)
    metrics.process_ready(0.4)
    metrics.process_died()
    metrics.memory_warning()
    found = read(metrics)
    wanted = {
        "agent_jobs_started_total": 2,
        "agent_jobs_ended_total{outcome=failed}": 1,
        "agent_process_start_seconds_count": 1,
        "agent_process_restarts_total": 1,
        "agent_memory_warnings_total": 1,
    }
    assert {name: found.get(name) for name in wanted} == wanted


def test_the_worker_itself_is_in_it_under_both_names():
    found = read(WorkerMetrics(lambda: REPORT))
    assert found["agent_worker_info{agent_name=weather,version=0.1.0,worker_id=AW_1}"] == 1
    assert found["agent_worker_registered"] == 1
    assert found["agent_jobs_memory_bytes"] == 61.5 * 2**20
    assert found["agent_worker_load_threshold"] == 0.7
    ours = {name.partition("{")[0]: value for name, value in found.items() if name.startswith("lk_")}
    assert ours == {"lk_agents_active_job_count": 1, "lk_agents_child_process_count": 3, "lk_agents_worker_load": 0.25}
    draining = read(WorkerMetrics(lambda: replace(REPORT, state="draining", load_threshold=None)))
    assert (draining["agent_worker_registered"], draining["agent_worker_draining"]) == (0, 1)
    assert "agent_worker_load_threshold" not in draining


async def test_what_nobody_takes_does_not_grow_for_ever():
    figures = counted(*(ev.SpeechRecognized("ears", 1.0) for _ in range(MOST + 100)))
    assert len(figures.take()) == MOST
    assert figures.take() == []


def test_samples_of_other_code_do_no_harm():
    store = Store()
    store.take(
        [("add", "agent_moods", (), 1), ("add", "agent_errors", (), 1), ("observe", "agent_turn_seconds", (), 0.1)]
    )
    assert store.values == {}
    assert store.histograms_of("agent_turn_seconds")[0][1].counts[0] == 1  # a bound belongs to its bucket


def test_each_metric_is_told_of_by_something():
    """A name that nothing counts would stay empty on a dashboard."""
    import agent_runtime.worker as worker

    folder = worker.__path__[0]
    sources = "".join(Path(folder, f"{name}.py").read_text() for name in ("figures", "prometheus"))
    assert [name for name in CATALOGUE if f'"{name}"' not in sources] == []


def test_the_client_library_is_not_imported_before_somebody_asks():
    code = "import sys, agent_runtime.worker.prometheus; print('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
