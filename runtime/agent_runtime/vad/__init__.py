"""Voice activity detection: the interface, with the names of `livekit.agents.vad`."""

from agent_runtime.vad.vad import VAD, VADCapabilities, VADEvent, VADEventType, VADStream

__all__ = ["VAD", "VADCapabilities", "VADEvent", "VADEventType", "VADStream"]
