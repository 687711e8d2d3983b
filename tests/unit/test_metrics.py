import logging
from typing import get_args

from agent_runtime.metrics import (
    AgentMetrics,
    EOTInferenceMetrics,
    EOUMetrics,
    InterruptionMetrics,
    LLMMetrics,
    Metadata,
    ModelUsageCollector,
    RealtimeModelMetrics,
    STTMetrics,
    TTSMetrics,
    UsageCollector,
    VADMetrics,
    log_metrics,
)

GPT = Metadata(model_name="gpt", model_provider="openai")


def llm(metadata=GPT, **fields):
    return LLMMetrics(
        **{
            "label": "l",
            "request_id": "r",
            "timestamp": 1.0,
            "duration": 2.0,
            "ttft": 0.12345,
            "cancelled": False,
            "completion_tokens": 5,
            "prompt_tokens": 10,
            "prompt_cached_tokens": 4,
            "cache_creation_tokens": 2,
            "reasoning_tokens": 1,
            "total_tokens": 15,
            "tokens_per_second": 2.5,
            "metadata": metadata,
            **fields,
        }
    )


def stt(**fields):
    base = {"label": "s", "request_id": "", "timestamp": 1.0, "duration": 0.0, "audio_duration": 3.0, "streamed": True}
    return STTMetrics(**{**base, **fields})


TTS = TTSMetrics(
    label="t",
    request_id="",
    timestamp=1.0,
    ttfb=0.1,
    duration=1.0,
    audio_duration=4.0,
    cancelled=False,
    characters_count=50,
    input_tokens=6,
    output_tokens=7,
    streamed=True,
)
REALTIME = RealtimeModelMetrics(
    request_id="r",
    timestamp=1.0,
    input_tokens=30,
    output_tokens=20,
    session_duration=9.0,
    input_token_details=RealtimeModelMetrics.InputTokenDetails(
        audio_tokens=20,
        text_tokens=8,
        image_tokens=2,
        cached_tokens=3,
        cached_tokens_details=RealtimeModelMetrics.CachedTokenDetails(audio_tokens=2, text_tokens=1),
    ),
    output_token_details=RealtimeModelMetrics.OutputTokenDetails(text_tokens=5, audio_tokens=15),
    metadata=GPT,
)
INTERRUPTION = InterruptionMetrics(
    timestamp=1.0,
    total_duration=0.1,
    prediction_duration=0.1,
    detection_delay=0.2,
    num_interruptions=1,
    num_backchannels=0,
    num_requests=4,
)
EOT = EOTInferenceMetrics(timestamp=1.0, total_duration=1.0, detection_delay=0.1, prediction_duration=0.05)
VAD = VADMetrics(label="v", timestamp=1.0, idle_time=0.0, inference_duration_total=0.1, inference_count=30)
EOU = EOUMetrics(timestamp=1.0, end_of_utterance_delay=0.5, transcription_delay=0.2, on_user_turn_completed_delay=0.0)
ALL = [llm(), stt(), TTS, REALTIME, INTERRUPTION, EOT, VAD, EOU]


def test_stt_tokens_add_up_unless_the_provider_says_otherwise():
    assert stt(input_tokens=2, output_tokens=3).total_tokens == 5
    assert stt(input_tokens=2, output_tokens=3, total_tokens=9).total_tokens == 9


def test_usage_by_model():
    collector = ModelUsageCollector()
    other = Metadata(model_name="llama", model_provider="ollama")
    for metrics in [llm(), llm(), llm(other), *ALL[1:]]:
        collector(metrics)
    usage = {(u.type, u.provider, u.model): u for u in collector.flatten()}
    gpt = usage["llm_usage", "openai", "gpt"]
    assert (gpt.input_tokens, gpt.output_tokens) == (10 + 10 + 30, 5 + 5 + 20)
    assert (gpt.input_cached_tokens, gpt.input_cache_creation_tokens) == (4 + 4 + 3, 4)
    assert (gpt.input_audio_tokens, gpt.input_text_tokens, gpt.input_image_tokens) == (20, 8, 2)
    assert (gpt.input_cached_audio_tokens, gpt.input_cached_text_tokens, gpt.input_cached_image_tokens) == (2, 1, 0)
    assert (gpt.output_audio_tokens, gpt.output_text_tokens, gpt.output_reasoning_tokens) == (15, 5, 2)
    assert gpt.session_duration == 9.0
    assert usage["llm_usage", "ollama", "llama"].input_tokens == 10
    assert usage["stt_usage", "", ""].audio_duration == 3.0
    tts = usage["tts_usage", "", ""]
    assert (tts.characters_count, tts.audio_duration, tts.input_tokens, tts.output_tokens) == (50, 4.0, 6, 7)
    assert usage["interruption_usage", "", ""].total_requests == 4
    assert usage["eot_usage", "", ""].total_requests == 1
    assert len(usage) == 6


def test_what_was_collected_is_given_as_a_copy():
    collector = ModelUsageCollector()
    collector(llm())
    collector.flatten()[0].input_tokens = 0
    assert collector.flatten()[0].input_tokens == 10
    assert repr(collector.flatten()[0]).startswith(
        "LLMModelUsage(provider='openai', model='gpt', type='llm_usage', input_tokens=10,"
    )


def test_usage_in_all():
    collector = UsageCollector()
    for metrics in ALL:
        collector(metrics)
    summary = collector.get_summary()
    assert (summary.llm_prompt_tokens, summary.llm_completion_tokens) == (40, 25)
    assert (summary.llm_input_tokens, summary.llm_output_tokens) == (40, 25)
    assert (summary.llm_prompt_cached_tokens, summary.llm_input_audio_tokens) == (7, 20)
    assert (summary.llm_input_cached_audio_tokens, summary.llm_input_cached_text_tokens) == (2, 1)
    assert (summary.llm_input_text_tokens, summary.llm_input_image_tokens) == (8, 2)
    assert (summary.llm_output_audio_tokens, summary.llm_output_text_tokens) == (15, 5)
    assert (summary.tts_characters_count, summary.tts_audio_duration, summary.stt_audio_duration) == (50, 4.0, 3.0)
    summary.llm_input_tokens = summary.llm_output_tokens = 0
    assert (summary.llm_prompt_tokens, summary.llm_completion_tokens) == (0, 0)
    assert collector.get_summary().llm_prompt_tokens == 40


def test_log_lines(caplog):
    caplog.set_level(logging.INFO)
    for metrics in ALL:
        log_metrics(metrics)
    assert [record.message for record in caplog.records] == [
        "LLM metrics",
        "STT metrics",
        "TTS metrics",
        "RealtimeModel metrics",
        "Interruption metrics",
        "EOT metrics",
        "VAD metrics",
        "EOU metrics",
    ]
    record = caplog.records[0]
    assert (record.ttft, record.prompt_tokens, record.model_name, record.model_provider) == (0.123, 10, "gpt", "openai")
    assert not hasattr(record, "request_id")


def test_a_session_may_log_whatever_is_measured(caplog):
    caplog.set_level(logging.INFO)
    kinds = get_args(AgentMetrics)
    for kind in kinds:
        log_metrics(kind.model_construct(**{"metadata": None}))
    assert len(caplog.records) == len(kinds) == 10


def test_log_lines_of_ones_own_logger(caplog):
    caplog.set_level(logging.INFO)
    log_metrics(llm(Metadata()), logger=logging.getLogger("mine"))
    assert (caplog.records[0].name, caplog.records[0].model_name) == ("mine", "unknown")


def test_repr_leaves_defaults_out():
    assert repr(VAD) == (
        "VADMetrics(label='v', timestamp=1.0, idle_time=0.0, inference_duration_total=0.1, inference_count=30)"
    )
