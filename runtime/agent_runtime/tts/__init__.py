"""Speech synthesis: the interface and its adapters, with the names of `livekit.agents.tts`."""

from agent_runtime.tts.emitter import AudioEmitter
from agent_runtime.tts.fallback_adapter import (
    AvailabilityChangedEvent,
    FallbackAdapter,
    FallbackChunkedStream,
    FallbackSynthesizeStream,
)
from agent_runtime.tts.stream_adapter import StreamAdapter, StreamAdapterWrapper
from agent_runtime.tts.stream_pacer import SentenceStreamPacer
from agent_runtime.tts.streams import ChunkedStream, SynthesizeStream
from agent_runtime.tts.tts import TTS
from agent_runtime.tts.types import MarkupInfo, SynthesizedAudio, TTSCapabilities, TTSError

__all__ = [
    "TTS",
    "AudioEmitter",
    "AvailabilityChangedEvent",
    "ChunkedStream",
    "FallbackAdapter",
    "FallbackChunkedStream",
    "FallbackSynthesizeStream",
    "MarkupInfo",
    "SentenceStreamPacer",
    "StreamAdapter",
    "StreamAdapterWrapper",
    "SynthesizeStream",
    "SynthesizedAudio",
    "TTSCapabilities",
    "TTSError",
]
