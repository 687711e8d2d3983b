"""What one request to a model, or one decision of the engine, took. Durations are in seconds."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import model_validator

from agent_runtime.lazy_model import LazyModel


class Metadata(LazyModel):
    """Which model it was."""

    model_name: str | None = None
    model_provider: str | None = None


class _Metrics(LazyModel):
    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.model_dump(exclude_defaults=True).items())
        return f"{type(self).__name__}({fields})"


class LLMMetrics(_Metrics):
    """One request to a language model."""

    type: Literal["llm_metrics"] = "llm_metrics"
    label: str
    request_id: str
    timestamp: float
    """Seconds since the epoch when the answer was complete."""
    duration: float
    ttft: float
    """To the first token of text or of a tool call; -1 if there was none."""
    cancelled: bool
    completion_tokens: int
    prompt_tokens: int
    prompt_cached_tokens: int
    """Prompt tokens that were read from the provider's cache."""
    cache_creation_tokens: int = 0
    """Prompt tokens that were written to the provider's cache."""
    reasoning_tokens: int = 0
    """Part of `completion_tokens`: what the model thought without saying."""
    total_tokens: int
    tokens_per_second: float
    speech_id: str | None = None
    metadata: Metadata | None = None


class DecisionMetrics(_Metrics):
    """One request to a model that decides. None: it told of no tokens."""

    type: Literal["decision_metrics"] = "decision_metrics"
    label: str
    request_id: str
    timestamp: float
    """Seconds since the epoch when the answer was there."""
    duration: float
    """Retries included."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    metadata: Metadata | None = None


class STTMetrics(_Metrics):
    """Audio that went to a recogniser."""

    type: Literal["stt_metrics"] = "stt_metrics"
    label: str
    request_id: str
    timestamp: float
    duration: float
    """Of the request; 0 when streaming."""
    audio_duration: float
    streamed: bool
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    """Input and output tokens, unless it is given."""
    input_audio_tokens: int = 0
    """Part of `input_tokens`."""
    acquire_time: float = 0.0
    """To get a connection."""
    connection_reused: bool = False
    metadata: Metadata | None = None

    @model_validator(mode="after")
    def _sum_tokens(self) -> STTMetrics:
        if "total_tokens" not in self.model_fields_set:
            self.total_tokens = self.input_tokens + self.output_tokens
        return self


class TTSMetrics(_Metrics):
    """Text that went to a synthesizer."""

    type: Literal["tts_metrics"] = "tts_metrics"
    label: str
    request_id: str
    timestamp: float
    ttfb: float
    """To the first audio; -1 if there was none."""
    duration: float
    audio_duration: float
    cancelled: bool
    characters_count: int
    input_tokens: int = 0
    output_tokens: int = 0
    streamed: bool
    acquire_time: float = 0.0
    """To get a connection."""
    connection_reused: bool = False
    segment_id: str | None = None
    speech_id: str | None = None
    metadata: Metadata | None = None


class VADMetrics(_Metrics):
    """Work of a voice activity detector since its last report."""

    type: Literal["vad_metrics"] = "vad_metrics"
    label: str
    timestamp: float
    idle_time: float
    """Without speech."""
    inference_duration_total: float
    inference_count: int
    metadata: Metadata | None = None


class EOUMetrics(_Metrics):
    """How it was found that the user is done (end of utterance). A delay is 0 when no end of speech was detected."""

    type: Literal["eou_metrics"] = "eou_metrics"
    timestamp: float
    end_of_utterance_delay: float
    """From the end of speech to the decision."""
    transcription_delay: float
    """From the end of speech to its transcript."""
    on_user_turn_completed_delay: float
    """What the agent's hook of that name took."""
    speech_id: str | None = None
    metadata: Metadata | None = None


class EOTInferenceMetrics(_Metrics):
    """One prediction of a turn detector that listens (end of turn)."""

    type: Literal["eot_inference_metrics"] = "eot_inference_metrics"
    timestamp: float
    total_duration: float
    """From the oldest audio that it used to its answer."""
    detection_delay: float
    """From the newest audio that it used to its answer."""
    prediction_duration: float
    """Of the model alone."""
    num_requests: int = 1
    metadata: Metadata | None = None


class RealtimeModelMetrics(_Metrics):
    """One response of a model that hears and speaks by itself."""

    class CachedTokenDetails(LazyModel):
        """Cached tokens by kind."""

        audio_tokens: int = 0
        text_tokens: int = 0
        image_tokens: int = 0

    class InputTokenDetails(LazyModel):
        """Input tokens by kind."""

        audio_tokens: int = 0
        text_tokens: int = 0
        image_tokens: int = 0
        cached_tokens: int = 0
        cached_tokens_details: RealtimeModelMetrics.CachedTokenDetails | None = None

    class OutputTokenDetails(LazyModel):
        """Output tokens by kind."""

        text_tokens: int = 0
        audio_tokens: int = 0
        image_tokens: int = 0

    type: Literal["realtime_model_metrics"] = "realtime_model_metrics"
    label: str = ""
    request_id: str
    timestamp: float
    """Seconds since the epoch when the response began."""
    duration: float = 0.0
    session_duration: float = 0.0
    """Of the connection, for providers that charge by it."""
    ttft: float = -1
    """To the first audio; -1 if there was none."""
    cancelled: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    tokens_per_second: float = 0.0
    input_token_details: InputTokenDetails
    output_token_details: OutputTokenDetails
    acquire_time: float = 0.0
    """To get a connection."""
    connection_reused: bool = False
    metadata: Metadata | None = None


class InterruptionMetrics(_Metrics):
    """How it was found whether the user wants to interrupt the agent. Counts are of this verdict alone."""

    type: Literal["interruption_metrics"] = "interruption_metrics"
    timestamp: float
    total_duration: float
    """Of the last request, there and back."""
    prediction_duration: float
    """Of the last request, the model alone."""
    detection_delay: float
    """From the onset of speech to the last answer."""
    num_interruptions: int
    num_backchannels: int
    num_requests: int
    metadata: Metadata | None = None


class AvatarMetrics(_Metrics):
    """How an avatar keeps up: one when it has joined, and one each time that it is heard. Seconds since the epoch."""

    type: Literal["avatar_metrics"] = "avatar_metrics"
    timestamp: float
    playback_latency: float = 0
    """Seconds from the first frame that it was sent until it was heard."""
    session_started_time: float | None = None
    """When it began to be waited for."""
    avatar_joined_time: float | None = None
    """When its picture was there."""
    metadata: Metadata | None = None


AgentMetrics: TypeAlias = (
    STTMetrics
    | LLMMetrics
    | TTSMetrics
    | VADMetrics
    | EOUMetrics
    | EOTInferenceMetrics
    | RealtimeModelMetrics
    | InterruptionMetrics
    | AvatarMetrics
    | DecisionMetrics
)
