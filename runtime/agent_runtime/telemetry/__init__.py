"""Traces: one turn is one trace, whose parts add up to the latency as heard.

Importing this costs nothing; OpenTelemetry is imported once traces are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from agent_runtime.events import EventStream, Unsubscribe
from agent_runtime.records import record
from agent_runtime.telemetry.traces import trace_turns

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

__all__ = ["set_tracer_provider", "trace_session", "trace_turns"]


@record(frozen=True, slots=True)
class _Chosen:
    provider: TracerProvider
    attributes: dict[str, str | int | float | bool]
    capture_content: bool


_chosen: _Chosen | None = None


def set_tracer_provider(
    tracer_provider: TracerProvider | None,
    *,
    metadata: Mapping[str, str | int | float | bool] | None = None,
    allow_pii: bool | None = None,
) -> None:
    """Trace every session of this process that starts from now on.

    Args:
        tracer_provider: where spans go; None stops tracing further sessions.
        metadata: further attributes of every span.
        allow_pii: write what was said, and what tools were given and gave back, into the spans. Unset: don't.
    """
    global _chosen
    _chosen = None if tracer_provider is None else _Chosen(tracer_provider, dict(metadata or {}), bool(allow_pii))


def trace_session(events: EventStream) -> Unsubscribe | None:
    """Trace a session that starts, if `set_tracer_provider` asked for it."""
    if _chosen is None:
        return None
    return trace_turns(events, _chosen.provider, attributes=_chosen.attributes, capture_content=_chosen.capture_content)
