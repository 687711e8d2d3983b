"""Traces to a collector, as OpenTelemetry's own environment variables say."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from agent_runtime.errors import AgentConsoleError, ConfigError
from agent_runtime.events import ErrorOccurred, EventData, EventStream
from agent_runtime.telemetry import trace_turns
from agent_runtime.telemetry.exporters import exporter, resource, wanted

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT: Final = 0.5
"""Seconds that the last spans get to reach the collector. Leaving must never hang on one that is away."""
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
        names = wanted("traces", self._environment)
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


def make_provider(names: list[str], environment: Mapping[str, str]) -> TracerProvider:
    """What spans are given to.

    Raises:
        MissingDependencyError: OpenTelemetry's SDK isn't installed.
        ConfigError: an exporter isn't known or can't be used.
    """
    source = resource(environment)
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if "console" in names:
        raise ConfigError("OTEL_TRACES_EXPORTER", "", "console would write over the screen: use otlp")
    made = [exporter("traces", name, environment) for name in names]
    # Its own handler at exit would wait half a minute for a collector that is away.
    provider = TracerProvider(resource=source, shutdown_on_exit=False)
    for one in made:
        provider.add_span_processor(BatchSpanProcessor(one))
    return provider
