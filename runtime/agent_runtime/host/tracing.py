"""Traces to a collector, as OpenTelemetry's own environment variables say."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from agent_runtime.errors import AgentConsoleError, ConfigError, MissingDependencyError
from agent_runtime.events import ErrorOccurred, EventData, EventStream
from agent_runtime.telemetry import trace_turns
from agent_runtime.telemetry.traces import INSTALL

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT: Final = 0.5
"""Seconds that the last spans get to reach the collector. Leaving must never hang on one that is away."""
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_CONTENT: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


class Tracing:
    """Exports the turns of a session, if the environment asks for it.

    `OTEL_TRACES_EXPORTER` or an OTLP endpoint turns it on, `OTEL_SDK_DISABLED` off; everything else that the SDK reads
    (endpoint, headers, service name, resource attributes, sampler, batching) means what it means there. What goes wrong
    is told as an event and never ends the conversation.

    Args:
        tell: gets the event.
        environment: unset, the process's own.
    """

    def __init__(self, tell: Callable[[EventData], object], environment: Mapping[str, str] = os.environ) -> None:
        self._tell = tell
        self._environment = environment
        self._provider: TracerProvider | None = None
        self._stop: Callable[[], object] | None = None

    def follow(self, events: EventStream) -> None:
        """Export the turns of this session."""
        names = exporters(self._environment)
        if not names or self._stop is not None:
            return
        try:
            self._provider = make_provider(names, self._environment)
        except AgentConsoleError as exc:
            self._tell(ErrorOccurred("telemetry", f"turns aren't traced: {exc}", recoverable=True))
            return
        content = self._environment.get(_CONTENT, "").strip().lower() == "true"
        self._stop = trace_turns(events, self._provider, capture_content=content)

    def close(self) -> None:
        """Export what is left, for `CLOSE_TIMEOUT` at most."""
        stop, self._stop = self._stop, None
        if stop is None or self._provider is None:
            return
        stop()
        last = threading.Thread(target=self._provider.shutdown, name="telemetry", daemon=True)
        last.start()
        last.join(CLOSE_TIMEOUT)
        if last.is_alive():
            logger.warning("the last traces didn't reach their collector within %s s", CLOSE_TIMEOUT)


def exporters(environment: Mapping[str, str]) -> list[str]:
    """Names of the exporters that the environment asks for."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    named = [name.strip() for name in environment.get("OTEL_TRACES_EXPORTER", "").split(",") if name.strip()]
    if not named and any(environment.get(name) for name in _ENDPOINTS):
        named = ["otlp"]
    return [name for name in named if name != "none"]


def make_provider(names: list[str], environment: Mapping[str, str]) -> TracerProvider:
    """What spans are given to.

    Raises:
        MissingDependencyError: OpenTelemetry's SDK isn't installed.
        ConfigError: an exporter isn't known or can't be used.
    """
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as e:
        raise MissingDependencyError("OpenTelemetry's SDK", INSTALL) from e
    made = [_make_exporter(name, environment) for name in names]
    named = "OTEL_SERVICE_NAME" in environment or "service.name=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    resource = Resource.create({} if named else {"service.name": "agent-console"})
    # Its own handler at exit would wait half a minute for a collector that is away.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    for exporter in made:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _make_exporter(name: str, environment: Mapping[str, str]) -> SpanExporter:
    if name == "console":
        raise ConfigError("OTEL_TRACES_EXPORTER", "", "console would write over the screen: use otlp")
    protocol = environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if name == "otlp" and protocol in (None, "", "http/protobuf"):
        name = "otlp_proto_http"
    elif name == "otlp":
        name = f"otlp_proto_{protocol}"
    return _find_exporter(name)


def _find_exporter(name: str) -> SpanExporter:
    from importlib.metadata import entry_points

    found = list(entry_points(group="opentelemetry_traces_exporter", name=name))
    if not found:
        problem = f"no exporter {name} is installed; {INSTALL} brings otlp over http/protobuf"
        raise ConfigError("OTEL_TRACES_EXPORTER", "", problem)
    try:
        exporter: SpanExporter = found[0].load()()
    except Exception as e:
        raise ConfigError("OTEL_TRACES_EXPORTER", "", f"{name} can't be used: {type(e).__name__}: {e}") from e
    return exporter
