"""Speech synthesis: the interface and its adapters, with the names of `livekit.agents.tts`."""

from agent_runtime.tts.emitter import AudioEmitter
from agent_runtime.tts.streams import ChunkedStream, SynthesizeStream
from agent_runtime.tts.tts import TTS
from agent_runtime.tts.types import MarkupInfo, SynthesizedAudio, TTSCapabilities, TTSError

__all__ = [
    "TTS",
    "AudioEmitter",
    "ChunkedStream",
    "MarkupInfo",
    "SynthesizeStream",
    "SynthesizedAudio",
    "TTSCapabilities",
    "TTSError",
]
