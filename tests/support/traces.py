"""Spans as tests look at them."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agent_runtime.events import AnyEvent, TurnMeasured


class Traces:
    """What was exported to `provider`."""

    def __init__(self) -> None:
        self._memory = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._memory))

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._memory.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return sorted((span for span in self.spans if span.name == name), key=lambda span: span.start_time)

    def children(self, parent: ReadableSpan) -> list[ReadableSpan]:
        of = [span for span in self.spans if span.parent and span.parent.span_id == parent.context.span_id]
        return sorted(of, key=lambda span: span.start_time)


def check_gapless(traces: Traces, wait: ReadableSpan) -> None:
    """The parts of a `wait` follow each other from its start to its end."""
    edges = [wait.start_time, *(part.end_time for part in traces.children(wait))]
    assert [part.start_time for part in traces.children(wait)] == edges[:-1]
    assert edges[-1] == wait.end_time


def check_waits(traces: Traces, events: Sequence[AnyEvent]) -> None:
    """Each measured latency is one `wait`, whose parts add up to it to the nanosecond."""
    measured = sorted((e.data for e in events if isinstance(e.data, TurnMeasured)), key=lambda d: (d.start, d.end))
    waits = sorted(traces.named("wait"), key=lambda span: (span.start_time, span.end_time))
    for span, data in zip(waits, measured, strict=True):
        check_gapless(traces, span)
        parts = traces.children(span)
        assert [part.name for part in parts] == [f"wait.{part.name}" for part in data.parts]
        length = round(data.end * 1e9) - round(data.start * 1e9)
        assert sum(part.end_time - part.start_time for part in parts) == span.end_time - span.start_time == length


def check_shape(traces: Traces) -> None:
    """One trace has one root, and a span lies within its parent."""
    by_id = {span.context.span_id: span for span in traces.spans}
    roots: dict[int, list[ReadableSpan]] = {}
    for span in traces.spans:
        assert span.start_time <= span.end_time
        if span.parent is None:
            assert span.name == "turn"
            roots.setdefault(span.context.trace_id, []).append(span)
            continue
        parent = by_id[span.parent.span_id]
        assert span.context.trace_id == parent.context.trace_id
        if span.name != "turn":  # what is said later in a turn that seemed over comes after it
            assert parent.start_time <= span.start_time <= span.end_time <= parent.end_time
    assert all(len(of) == 1 for of in roots.values())
    ids = [of[0].attributes["turn.id"] for of in roots.values()]
    assert len(ids) == len(set(ids))
