"""Speech recognition: the interface and its adapters, with the names of `livekit.agents.stt`."""

from agent_runtime.stt.fallback_adapter import AvailabilityChangedEvent, FallbackAdapter
from agent_runtime.stt.stream import RecognizeStream, SpeechStream
from agent_runtime.stt.stream_adapter import StreamAdapter, StreamAdapterWrapper
from agent_runtime.stt.stt import STT
from agent_runtime.stt.types import (
    AudioBuffer,
    RecognitionUsage,
    SpeechData,
    SpeechEvent,
    SpeechEventType,
    STTCapabilities,
    STTError,
)

__all__ = [
    "STT",
    "AudioBuffer",
    "AvailabilityChangedEvent",
    "FallbackAdapter",
    "RecognitionUsage",
    "RecognizeStream",
    "STTCapabilities",
    "STTError",
    "SpeechData",
    "SpeechEvent",
    "SpeechEventType",
    "SpeechStream",
    "StreamAdapter",
    "StreamAdapterWrapper",
]
