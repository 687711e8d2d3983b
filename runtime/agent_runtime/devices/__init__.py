"""Local audio: microphone and speaker with echo cancellation between them, files in their place, and nothing at all.

Importing it is cheap; PortAudio is loaded when a device is opened or listed.
"""

from agent_runtime.devices.backend import DEFAULT, DeviceInfo
from agent_runtime.devices.discovery import list_devices
from agent_runtime.devices.input import LocalInput
from agent_runtime.devices.local import LocalAudio
from agent_runtime.devices.null_output import NullOutput
from agent_runtime.devices.wav_io import WavInput, WavOutput

__all__ = [
    "DEFAULT",
    "DeviceInfo",
    "LocalAudio",
    "LocalInput",
    "NullOutput",
    "WavInput",
    "WavOutput",
    "list_devices",
]
