"""Sessions in LiveKit rooms, with the names of LiveKit Agents' `room_io`."""

from agent_runtime.room.options import (
    AudioInputOptions,
    AudioOutputOptions,
    NoiseCancellationParams,
    RoomInputOptions,
    RoomOptions,
    RoomOutputOptions,
    TextInputEvent,
    TextInputOptions,
    TextOutputOptions,
    VideoInputOptions,
)
from agent_runtime.room.room_io import ATTRIBUTE_PUBLISH_ON_BEHALF, RoomIO

__all__ = [
    "ATTRIBUTE_PUBLISH_ON_BEHALF",
    "AudioInputOptions",
    "AudioOutputOptions",
    "NoiseCancellationParams",
    "RoomIO",
    "RoomInputOptions",
    "RoomOptions",
    "RoomOutputOptions",
    "TextInputEvent",
    "TextInputOptions",
    "TextOutputOptions",
    "VideoInputOptions",
]
