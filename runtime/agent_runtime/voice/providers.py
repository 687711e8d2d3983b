"""The session's providers: which are in use, what they report, and how many failures are borne."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agent_runtime import events as ev
from agent_runtime.llm.realtime import RealtimeModelError
from agent_runtime.metrics import ModelUsageCollector
from agent_runtime.voice.circuits import Circuits, Kind

if TYPE_CHECKING:
    from agent_runtime.voice.engine import Engine

RESTART_DELAY = 0.1
"""Seconds until a recogniser or detector that failed is begun again, twice as long after each failure in a row."""
RESTART_DELAY_MAX = 5.0


class Providers:
    """See the module. One per session."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._current: dict[Kind, Any] = {}
        self._unsubscribe: dict[Kind, Callable[[], None]] = {}
        self._failures: dict[Kind, int] = {"stt": 0, "llm": 0, "tts": 0, "vad": 0}
        self._reported: BaseException | None = None
        self._circuits = Circuits(engine.report)
        self.usage = ModelUsageCollector()

    def use(self, kind: Kind, provider: Any) -> None:
        """Listen to what `provider` reports, and no longer to the one before it."""
        if self._current.get(kind) is provider:
            return
        if (unsubscribe := self._unsubscribe.pop(kind, None)) is not None:
            unsubscribe()
        self._current[kind] = provider
        self._circuits.follow(kind, provider)
        if provider is None or not hasattr(provider, "on"):
            return

        def on_error(error: Any) -> None:
            self._on_error(kind, error)

        provider.on("metrics_collected", self.collect)
        provider.on("error", on_error)

        def unsubscribe_both() -> None:
            provider.off("metrics_collected", self.collect)
            provider.off("error", on_error)

        self._unsubscribe[kind] = unsubscribe_both

    def close(self) -> None:
        """Listen to none any more."""
        for kind in tuple(self._unsubscribe):
            self._unsubscribe.pop(kind)()
        self._current.clear()
        self._circuits.close()

    def collect(self, metrics: Any) -> None:
        """Count and tell what a provider, or a judge of interruptions, measured."""
        report = self._engine.report
        if metrics.type in ("llm_metrics", "tts_metrics") and metrics.speech_id is None:
            current = self._engine.scheduler.current
            metrics.speech_id = current.id if current is not None else None
        if metrics.type == "stt_metrics" and metrics.audio_duration:
            model = metrics.metadata.model_name if metrics.metadata is not None else None
            report.emit(ev.SpeechRecognized(model or "", metrics.audio_duration))
        self.usage.collect(metrics)
        report.metrics(metrics)
        report.call("session_usage_updated", self._usage_payload)

    def _usage_payload(self) -> Any:
        from agent_runtime.metrics import AgentSessionUsage
        from agent_runtime.voice.events import SessionUsageUpdatedEvent

        usage = AgentSessionUsage(self.usage.flatten())
        return SessionUsageUpdatedEvent(usage=usage, created_at=self._engine.report.wall())

    def _on_error(self, kind: Kind, error: Any) -> None:
        self._reported = error.error
        self._engine.report.failed(
            kind,
            error.error,
            recoverable=error.recoverable,
            payload=error,
            origin=self._current.get(kind),
        )
        if not error.recoverable:
            self._count(kind, error)

    def failed(self, name: Kind, error: BaseException) -> None:
        """A part that uses a provider ended with `error`; it is begun again, later after each failure in a row."""
        if not self.was_reported(error):
            self._engine.report.failed(name, error)
            self._count(name, error)
        failures = self._failures[name]
        delay = min(RESTART_DELAY * 2 ** max(0, failures - 1), RESTART_DELAY_MAX)
        self._engine.report.emit(ev.PartRestarting(name, delay, failures))
        self._engine.restart_part(name, delay)

    def was_reported(self, error: BaseException) -> bool:
        """Whether the provider itself told about it."""
        return self._reported is not None and self._reported in (error, error.__cause__, error.__context__)

    def _count(self, kind: Kind, error: Any) -> None:
        self._failures[kind] += 1
        # A realtime model is one connection: when that is lost for good there is nothing to try again.
        lost = isinstance(error, RealtimeModelError)
        if lost or self._failures[kind] > self._engine.options.conn_options.max_unrecoverable_errors:
            self._engine.close_soon("error", error)

    def stt_works(self) -> None:
        """A transcript came."""
        self._failures["stt"] = 0

    def speech_works(self) -> None:
        """The agent was heard."""
        self._failures["llm"] = self._failures["tts"] = 0
