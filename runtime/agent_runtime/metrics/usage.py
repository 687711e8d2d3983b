"""What a session used of each model, as its provider counts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

from agent_runtime.lazy_model import LazyModel
from agent_runtime.metrics.base import (
    AgentMetrics,
    EOTInferenceMetrics,
    InterruptionMetrics,
    LLMMetrics,
    Metadata,
    RealtimeModelMetrics,
    STTMetrics,
    TTSMetrics,
)


class _Usage(LazyModel):
    provider: str
    model: str

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.model_dump().items() if value)
        return f"{type(self).__name__}({fields})"


class LLMModelUsage(_Usage):
    """Tokens of a language model or a realtime model."""

    type: Literal["llm_usage"] = "llm_usage"
    input_tokens: int = 0
    input_cached_tokens: int = 0
    input_cache_creation_tokens: int = 0
    input_audio_tokens: int = 0
    input_cached_audio_tokens: int = 0
    input_text_tokens: int = 0
    input_cached_text_tokens: int = 0
    input_image_tokens: int = 0
    input_cached_image_tokens: int = 0
    output_tokens: int = 0
    output_audio_tokens: int = 0
    output_text_tokens: int = 0
    output_reasoning_tokens: int = 0
    """Part of `output_tokens`."""
    session_duration: float = 0.0
    """Seconds connected."""


class TTSModelUsage(_Usage):
    """Text that was synthesized."""

    type: Literal["tts_usage"] = "tts_usage"
    input_tokens: int = 0
    output_tokens: int = 0
    characters_count: int = 0
    audio_duration: float = 0.0
    """Seconds of audio made."""


class STTModelUsage(_Usage):
    """Audio that was recognised."""

    type: Literal["stt_usage"] = "stt_usage"
    input_tokens: int = 0
    input_audio_tokens: int = 0
    output_tokens: int = 0
    audio_duration: float = 0.0
    """Seconds of audio heard."""


class InterruptionModelUsage(_Usage):
    """Requests to a model that tells interruptions from backchannels."""

    type: Literal["interruption_usage"] = "interruption_usage"
    total_requests: int = 0


class EOTModelUsage(_Usage):
    """Requests to a turn detector."""

    type: Literal["eot_usage"] = "eot_usage"
    total_requests: int = 0


ModelUsage: TypeAlias = LLMModelUsage | TTSModelUsage | STTModelUsage | InterruptionModelUsage | EOTModelUsage
U = TypeVar("U", LLMModelUsage, TTSModelUsage, STTModelUsage, InterruptionModelUsage, EOTModelUsage)


@dataclass
class AgentSessionUsage:
    """What a session used, one entry for each model."""

    model_usage: list[ModelUsage]


class ModelUsageCollector:
    """Adds up metrics by kind, provider and model."""

    def __init__(self) -> None:
        self._usage: dict[tuple[type[ModelUsage], str, str], ModelUsage] = {}

    def __call__(self, metrics: AgentMetrics) -> None:
        """As `collect`, so that it can be registered as a callback."""
        self.collect(metrics)

    def collect(self, metrics: AgentMetrics) -> None:
        """Add one. Metrics that stand for no usage (VAD, end of utterance) change nothing."""
        if isinstance(metrics, LLMMetrics):
            _add_llm(self._entry(LLMModelUsage, metrics.metadata), metrics)
        elif isinstance(metrics, RealtimeModelMetrics):
            _add_realtime(self._entry(LLMModelUsage, metrics.metadata), metrics)
        elif isinstance(metrics, TTSMetrics):
            tts = self._entry(TTSModelUsage, metrics.metadata)
            tts.input_tokens += metrics.input_tokens
            tts.output_tokens += metrics.output_tokens
            tts.characters_count += metrics.characters_count
            tts.audio_duration += metrics.audio_duration
        elif isinstance(metrics, STTMetrics):
            stt = self._entry(STTModelUsage, metrics.metadata)
            stt.input_tokens += metrics.input_tokens
            stt.input_audio_tokens += metrics.input_audio_tokens
            stt.output_tokens += metrics.output_tokens
            stt.audio_duration += metrics.audio_duration
        elif isinstance(metrics, InterruptionMetrics):
            self._entry(InterruptionModelUsage, metrics.metadata).total_requests += metrics.num_requests
        elif isinstance(metrics, EOTInferenceMetrics):
            self._entry(EOTModelUsage, metrics.metadata).total_requests += metrics.num_requests

    def flatten(self) -> list[ModelUsage]:
        """A copy of what was collected, one entry for each kind, provider and model, in order of first use."""
        return [usage.model_copy() for usage in self._usage.values()]

    def _entry(self, kind: type[U], metadata: Metadata | None) -> U:
        provider = (metadata and metadata.model_provider) or ""
        model = (metadata and metadata.model_name) or ""
        usage = self._usage.setdefault((kind, provider, model), kind(provider=provider, model=model))
        assert isinstance(usage, kind)  # the key holds the kind
        return usage


def _add_llm(usage: LLMModelUsage, metrics: LLMMetrics) -> None:
    usage.input_tokens += metrics.prompt_tokens
    usage.input_cached_tokens += metrics.prompt_cached_tokens
    usage.input_cache_creation_tokens += metrics.cache_creation_tokens
    usage.output_tokens += metrics.completion_tokens
    usage.output_reasoning_tokens += metrics.reasoning_tokens


def _add_realtime(usage: LLMModelUsage, metrics: RealtimeModelMetrics) -> None:
    details = metrics.input_token_details
    usage.input_tokens += metrics.input_tokens
    usage.input_cached_tokens += details.cached_tokens
    usage.input_text_tokens += details.text_tokens
    usage.input_image_tokens += details.image_tokens
    usage.input_audio_tokens += details.audio_tokens
    if cached := details.cached_tokens_details:
        usage.input_cached_text_tokens += cached.text_tokens
        usage.input_cached_image_tokens += cached.image_tokens
        usage.input_cached_audio_tokens += cached.audio_tokens
    usage.output_tokens += metrics.output_tokens
    usage.output_text_tokens += metrics.output_token_details.text_tokens
    usage.output_audio_tokens += metrics.output_token_details.audio_tokens
    usage.session_duration += metrics.session_duration
