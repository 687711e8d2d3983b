"""Models that LiveKit hosts, asked with a LiveKit key and secret.

`STT`, `LLM` and `TTS` speak to the gateway; `VAD` and `TurnDetector` are the bundled ones under the names of LiveKit's.
A session makes them of names: `AgentSession(stt="deepgram/nova-3", llm="openai/gpt-4.1-mini", tts="cartesia/sonic-3")`.
"""

from __future__ import annotations

from agent_runtime.inference.gateway import InferenceClass
from agent_runtime.inference.llm import LLM, LLMStream, llm_from_model_string
from agent_runtime.inference.local import VAD, TurnDetector
from agent_runtime.inference.model_names import (
    DuplexModels,
    LLMModels,
    OpenAIRealtimeModels,
    RealtimeModels,
    STTModels,
    TTSModels,
    TurnDetectorModels,
    TurnDetectorVersions,
    VADModels,
    XAIRealtimeModels,
    is_duplex_model,
    is_realtime_model,
)
from agent_runtime.inference.stt import STT
from agent_runtime.inference.tts import TTS

__all__ = [
    "LLM",
    "STT",
    "TTS",
    "VAD",
    "DuplexModels",
    "InferenceClass",
    "LLMModels",
    "LLMStream",
    "OpenAIRealtimeModels",
    "RealtimeModels",
    "STTModels",
    "TTSModels",
    "TurnDetector",
    "TurnDetectorModels",
    "TurnDetectorVersions",
    "VADModels",
    "XAIRealtimeModels",
    "is_duplex_model",
    "is_realtime_model",
    "llm_from_model_string",
]
