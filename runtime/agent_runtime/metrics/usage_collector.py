"""What a session used in all, whatever the model. `ModelUsageCollector` tells it by model."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent_runtime.metrics.base import AgentMetrics, LLMMetrics, RealtimeModelMetrics, STTMetrics, TTSMetrics


@dataclass
class UsageSummary:
    """Totals over all models. Durations are seconds of audio."""

    llm_prompt_tokens: int = 0
    llm_prompt_cached_tokens: int = 0
    llm_input_audio_tokens: int = 0
    llm_input_cached_audio_tokens: int = 0
    llm_input_text_tokens: int = 0
    llm_input_cached_text_tokens: int = 0
    llm_input_image_tokens: int = 0
    llm_input_cached_image_tokens: int = 0
    llm_completion_tokens: int = 0
    llm_output_audio_tokens: int = 0
    llm_output_image_tokens: int = 0
    llm_output_text_tokens: int = 0
    tts_characters_count: int = 0
    tts_audio_duration: float = 0.0
    stt_audio_duration: float = 0.0
    stt_input_tokens: int = 0
    stt_output_tokens: int = 0
    stt_input_audio_tokens: int = 0

    @property
    def llm_input_tokens(self) -> int:
        """Another name of `llm_prompt_tokens`."""
        return self.llm_prompt_tokens

    @llm_input_tokens.setter
    def llm_input_tokens(self, value: int) -> None:
        self.llm_prompt_tokens = value

    @property
    def llm_output_tokens(self) -> int:
        """Another name of `llm_completion_tokens`."""
        return self.llm_completion_tokens

    @llm_output_tokens.setter
    def llm_output_tokens(self, value: int) -> None:
        self.llm_completion_tokens = value


class UsageCollector:
    """Adds up metrics."""

    def __init__(self) -> None:
        self._summary = UsageSummary()

    def __call__(self, metrics: AgentMetrics) -> None:
        """As `collect`, so that it can be registered as a callback."""
        self.collect(metrics)

    def collect(self, metrics: AgentMetrics) -> None:
        """Add one. Metrics that stand for no usage (VAD, end of utterance) change nothing."""
        summary = self._summary
        if isinstance(metrics, LLMMetrics):
            summary.llm_prompt_tokens += metrics.prompt_tokens
            summary.llm_prompt_cached_tokens += metrics.prompt_cached_tokens
            summary.llm_completion_tokens += metrics.completion_tokens
        elif isinstance(metrics, RealtimeModelMetrics):
            self._add_realtime(metrics)
        elif isinstance(metrics, TTSMetrics):
            summary.tts_characters_count += metrics.characters_count
            summary.tts_audio_duration += metrics.audio_duration
        elif isinstance(metrics, STTMetrics):
            summary.stt_audio_duration += metrics.audio_duration
            summary.stt_input_tokens += metrics.input_tokens
            summary.stt_output_tokens += metrics.output_tokens
            summary.stt_input_audio_tokens += metrics.input_audio_tokens

    def get_summary(self) -> UsageSummary:
        """A copy of the totals so far."""
        return replace(self._summary)

    def _add_realtime(self, metrics: RealtimeModelMetrics) -> None:
        summary, details, output = self._summary, metrics.input_token_details, metrics.output_token_details
        summary.llm_prompt_tokens += metrics.input_tokens
        summary.llm_prompt_cached_tokens += details.cached_tokens
        summary.llm_input_text_tokens += details.text_tokens
        summary.llm_input_image_tokens += details.image_tokens
        summary.llm_input_audio_tokens += details.audio_tokens
        if cached := details.cached_tokens_details:
            summary.llm_input_cached_text_tokens += cached.text_tokens
            summary.llm_input_cached_image_tokens += cached.image_tokens
            summary.llm_input_cached_audio_tokens += cached.audio_tokens
        summary.llm_completion_tokens += metrics.output_tokens
        summary.llm_output_text_tokens += output.text_tokens
        summary.llm_output_image_tokens += output.image_tokens
        summary.llm_output_audio_tokens += output.audio_tokens
