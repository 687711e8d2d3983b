"""Speech recognition: the interface and its adapters, with the names of `livekit.agents.stt`."""

from agent_runtime.stt.stream import RecognizeStream, SpeechStream
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
    "RecognitionUsage",
    "RecognizeStream",
    "STTCapabilities",
    "STTError",
    "SpeechData",
    "SpeechEvent",
    "SpeechEventType",
    "SpeechStream",
]
