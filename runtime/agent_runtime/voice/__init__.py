"""The turn engine: sessions, agents, speeches, turns."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

_NAMES = {
    "Agent": "agent",
    "AgentSession": "session",
    "AgentSessionOptions": "options",
    "AgentTask": "agent_task",
    "AudioConfig": "background_audio",
    "BackgroundAudioPlayer": "background_audio",
    "BuiltinAudioClip": "background_audio",
    "CloseEvent": "events",
    "CloseReason": "events",
    "ModelSettings": "agent",
    "PlayHandle": "background_audio",
    "RunContext": "run_context",
    "SessionConnectOptions": "options",
    "SpeechHandle": "speech_handle",
    "TranscriptSynchronizer": "synchronizer",
    "TurnDetector": "turn",
    "TurnHandlingOptions": "turn",
    "VoiceActivityVideoSampler": "video",
}

__all__ = [
    "Agent",
    "AgentSession",
    "AgentSessionOptions",
    "AgentTask",
    "AudioConfig",
    "BackgroundAudioPlayer",
    "BuiltinAudioClip",
    "CloseEvent",
    "CloseReason",
    "ModelSettings",
    "PlayHandle",
    "RunContext",
    "SessionConnectOptions",
    "SpeechHandle",
    "TranscriptSynchronizer",
    "TurnDetector",
    "TurnHandlingOptions",
    "VoiceActivityVideoSampler",
]


def __getattr__(name: str) -> object:
    # Looked up when used: the pure parts (the turn machine) are imported without the session.
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent, ModelSettings
    from agent_runtime.voice.agent_task import AgentTask
    from agent_runtime.voice.background_audio import AudioConfig, BackgroundAudioPlayer, BuiltinAudioClip, PlayHandle
    from agent_runtime.voice.events import CloseEvent, CloseReason
    from agent_runtime.voice.options import AgentSessionOptions, SessionConnectOptions
    from agent_runtime.voice.run_context import RunContext
    from agent_runtime.voice.session import AgentSession
    from agent_runtime.voice.speech_handle import SpeechHandle
    from agent_runtime.voice.synchronizer import TranscriptSynchronizer
    from agent_runtime.voice.turn import TurnDetector, TurnHandlingOptions
    from agent_runtime.voice.video import VoiceActivityVideoSampler
