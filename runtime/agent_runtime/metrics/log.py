"""Metrics as log lines."""

from __future__ import annotations

import logging

from agent_runtime.metrics.base import AgentMetrics

_default_logger = logging.getLogger("agent_runtime.metrics")

_TITLES = {
    "llm_metrics": "LLM metrics",
    "stt_metrics": "STT metrics",
    "tts_metrics": "TTS metrics",
    "vad_metrics": "VAD metrics",
    "eou_metrics": "EOU metrics",
    "eot_inference_metrics": "EOT metrics",
    "realtime_model_metrics": "RealtimeModel metrics",
    "interruption_metrics": "Interruption metrics",
    "avatar_metrics": "Avatar metrics",
    "decision_metrics": "Decision metrics",
}

_NOT_FIGURES = {"type", "label", "request_id", "timestamp", "speech_id", "segment_id", "metadata"}


def log_metrics(metrics: AgentMetrics, *, logger: logging.Logger | None = None) -> None:
    """Log them at level INFO, every figure as a field of the record (`extra`), durations to the millisecond."""
    figures: dict[str, object] = {}
    if metrics.metadata is not None:
        figures["model_name"] = metrics.metadata.model_name or "unknown"
        figures["model_provider"] = metrics.metadata.model_provider or "unknown"
    for name, value in metrics.model_dump(exclude=_NOT_FIGURES).items():
        figures[name] = round(value, 3) if isinstance(value, float) else value
    (logger or _default_logger).info(_TITLES[metrics.type], extra=figures)
