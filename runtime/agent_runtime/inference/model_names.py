"""Names of hosted models, as `provider/model`. Others are sent as they are: the gateway knows what it has."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

STTModels: TypeAlias = Literal[
    "auto",
    "assemblyai/u3-rt-pro",
    "assemblyai/universal-3-5-pro",
    "assemblyai/universal-3-6-pro",
    "assemblyai/universal-streaming",
    "assemblyai/universal-streaming-multilingual",
    "cartesia/ink-2",
    "cartesia/ink-whisper",
    "deepgram/flux-general",
    "deepgram/flux-general-en",
    "deepgram/flux-general-multi",
    "deepgram/nova-2",
    "deepgram/nova-2-conversationalai",
    "deepgram/nova-2-medical",
    "deepgram/nova-2-phonecall",
    "deepgram/nova-3",
    "deepgram/nova-3-medical",
    "google/gemini-3.5-transcribe-live",
    "inworld/inworld-stt-1",
    "openai/gpt-live-transcribe",
    "speechmatics/enhanced",
    "speechmatics/linden-1",
    "speechmatics/standard",
    "xai/stt-1",
]
"""`auto`: the gateway chooses by the language."""

TTSModels: TypeAlias = Literal[
    "cartesia",
    "cartesia/sonic",
    "cartesia/sonic-2",
    "cartesia/sonic-3",
    "cartesia/sonic-3-latest",
    "cartesia/sonic-3.5",
    "cartesia/sonic-latest",
    "cartesia/sonic-turbo",
    "deepgram",
    "deepgram/aura",
    "deepgram/aura-2",
    "fishaudio",
    "fishaudio/drama-3",
    "fishaudio/s2-pro",
    "fishaudio/s2.1-pro",
    "fishaudio/s2.1-pro-free",
    "inworld",
    "inworld/inworld-tts-1",
    "inworld/inworld-tts-1-max",
    "inworld/inworld-tts-1.5",
    "inworld/inworld-tts-1.5-max",
    "inworld/inworld-tts-1.5-mini",
    "inworld/inworld-tts-2",
    "rime",
    "rime/coda",
    "rime/mist",
    "rime/mistv2",
    "rime/mistv3",
    "xai/tts-1",
]
"""A provider alone stands for its default model."""

LLMModels: TypeAlias = Literal[
    "deepseek-ai/deepseek-v3",
    "deepseek-ai/deepseek-v3.2",
    "google/gemini-2.5-flash",
    "google/gemini-2.5-flash-lite",
    "google/gemini-2.5-pro",
    "google/gemini-3-flash",
    "google/gemini-3.1-flash-lite",
    "google/gemini-3.1-pro",
    "google/gemini-3.5-flash",
    "google/gemini-4-argon",
    "moonshotai/kimi-k2.5",
    "moonshotai/kimi-k2.6",
    "openai/chat-latest",
    "openai/gpt-4.1",
    "openai/gpt-4.1-mini",
    "openai/gpt-4.1-nano",
    "openai/gpt-4o",
    "openai/gpt-4o-mini",
    "openai/gpt-5",
    "openai/gpt-5-mini",
    "openai/gpt-5-nano",
    "openai/gpt-5.1",
    "openai/gpt-5.1-chat-latest",
    "openai/gpt-5.2",
    "openai/gpt-5.2-chat-latest",
    "openai/gpt-5.3-chat-latest",
    "openai/gpt-5.4",
    "openai/gpt-5.4-mini",
    "openai/gpt-5.4-nano",
    "openai/gpt-5.5",
    "openai/gpt-5.6-luna",
    "openai/gpt-5.6-sol",
    "openai/gpt-5.6-terra",
    "openai/gpt-6-luna",
    "openai/gpt-6-sol",
    "openai/gpt-6.1-sol",
    "openai/gpt-oss-120b",
    "xai/grok-4-1-fast-non-reasoning",
    "xai/grok-4-1-fast-reasoning",
    "xai/grok-4.20-0309-non-reasoning",
    "xai/grok-4.20-0309-reasoning",
    "xai/grok-4.20-multi-agent-0309",
    "xai/grok-4.3",
    "xai/grok-4.5",
    "zai/glm-5.1",
]

VADModels: TypeAlias = Literal["silero"]
TurnDetectorModels: TypeAlias = Literal["turn-detector-v1", "turn-detector-v1-mini"]
TurnDetectorVersions: TypeAlias = Literal["v1", "v1-mini"]

OpenAIRealtimeModels: TypeAlias = Literal[
    "openai/gpt-realtime",
    "openai/gpt-realtime-2.1",
    "openai/gpt-realtime-2.1-mini",
    "openai/gpt-realtime-mini",
]
XAIRealtimeModels: TypeAlias = Literal["xai/grok-voice", "xai/grok-voice-3.0", "xai/grok-voice-latest"]
_GoogleRealtimeModels: TypeAlias = Literal[
    "google/gemini-3.8-live", "google/gemini-3.8-live-extended-thinking", "google/gemini-live"
]
RealtimeModels: TypeAlias = OpenAIRealtimeModels | _GoogleRealtimeModels | XAIRealtimeModels
DuplexModels: TypeAlias = Literal["openai/gpt-live-1"]

_OLD_REALTIME: Final = {"openai/gpt-realtime-1.5", "openai/gpt-realtime-2", "xai/grok-voice-think-fast-2.0"}
_REALTIME: Final = {name for models in get_args(RealtimeModels) for name in get_args(models)} | _OLD_REALTIME
_DUPLEX: Final = set(get_args(DuplexModels))


def is_realtime_model(model: str) -> bool:
    """Whether a name is that of a model which hears and speaks."""
    return model in _REALTIME


def is_duplex_model(model: str) -> bool:
    """Whether a name is that of a model which hears while it speaks."""
    return model in _DUPLEX


def provider_of(model: str | None) -> str:
    """What comes before the slash; empty for no model."""
    return (model or "").partition("/")[0]


def split_model(text: str) -> tuple[str, str | None]:
    """A model's name, and what follows its last colon: a recogniser's language, a synthesizer's voice."""
    model, colon, rest = text.rpartition(":")
    return (model, rest) if colon else (text, None)
