"""A session's turns as OpenTelemetry traces, one each."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from agent_runtime import events as ev
from agent_runtime.errors import MissingDependencyError
from agent_runtime.events import AnyEvent, EventStream, Unsubscribe
from agent_runtime.telemetry.open_turn import READ
from agent_runtime.telemetry.spans import Attributes, Span, Turn
from agent_runtime.telemetry.turn_spans import TurnSpans

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext, TracerProvider

INSTALL = "pip install 'agent-console[telemetry]'"
_SCOPE = "agent_runtime"
_REMEMBERED = 64
"""Turns whose trace is remembered, in case the agent speaks once more in one of them."""


def trace_turns(
    events: EventStream,
    tracer_provider: TracerProvider | None = None,
    *,
    capture_content: bool = False,
    attributes: Mapping[str, str | int | float | bool] | None = None,
    wall: Callable[[], float] = time.time,
) -> Unsubscribe:
    """Export each turn of a session as a trace of its own, as soon as the turn is over.

    Args:
        events: the session's stream; nothing but it is read.
        tracer_provider: where spans go; unset, OpenTelemetry's global one.
        capture_content: write what was said, and what tools were given and gave back, into the spans.
        attributes: further attributes of every span.
        wall: seconds since the epoch, for a stream that is joined after its session began.

    Returns the function that ends it; turns that are open then are exported as they are.

    Raises:
        MissingDependencyError: OpenTelemetry isn't installed.
    """
    exporter = _Exporter(tracer_provider, dict(attributes or {}), wall() - events.now())
    turns = TurnSpans(exporter.export, capture_content=capture_content)

    def read(event: AnyEvent) -> None:
        if isinstance(event.data, ev.SessionStarted):
            exporter.started_at(event.data.started_at)
        turns.feed(event)

    unsubscribe = events.subscribe(read, types=READ)

    def stop() -> None:
        unsubscribe()
        turns.close(events.now())

    return stop


class _Exporter:
    """Gives finished turns to OpenTelemetry."""

    def __init__(self, provider: TracerProvider | None, attributes: Attributes, epoch: float) -> None:
        try:
            from opentelemetry import trace
        except ImportError as e:
            raise MissingDependencyError("OpenTelemetry", INSTALL) from e
        self._trace = trace
        self._tracer = trace.get_tracer(_SCOPE, tracer_provider=provider)
        self._attributes = attributes
        self._roots: OrderedDict[str, SpanContext] = OrderedDict()
        self.started_at(epoch)

    def started_at(self, epoch: float) -> None:
        """The session's time 0.0 in seconds since the epoch."""
        self._epoch = round(epoch * 1e9)

    def export(self, turn: Turn) -> None:
        root = self._export(turn.root, self._roots.get(turn.turn_id) if turn.continues else None)
        self._roots.setdefault(turn.turn_id, root)
        if len(self._roots) > _REMEMBERED:
            self._roots.popitem(last=False)

    def _export(self, span: Span, parent: SpanContext | None) -> SpanContext:
        trace = self._trace
        context = trace.set_span_in_context(trace.INVALID_SPAN if parent is None else trace.NonRecordingSpan(parent))
        made = self._tracer.start_span(
            span.name,
            context=context,
            start_time=self._nanoseconds(span.start),
            attributes={**span.attributes, **self._attributes},
        )
        for moment in span.moments:
            made.add_event(moment.name, dict(moment.attributes), self._nanoseconds(moment.time))
        if span.failed:
            made.set_status(trace.StatusCode.ERROR)
        for child in sorted(span.children, key=lambda child: child.start):
            self._export(child, made.get_span_context())
        made.end(self._nanoseconds(span.end))
        return made.get_span_context()

    def _nanoseconds(self, at: float) -> int:
        # The two are rounded apart: in their sum as a float a nanosecond would be lost, and with it a gap be made.
        return self._epoch + round(at * 1e9)
