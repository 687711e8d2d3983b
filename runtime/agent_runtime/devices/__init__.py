"""Local audio: microphone and speaker with echo cancellation between them, files in their place, and nothing at all.

Importing it is cheap; PortAudio is loaded when a device is opened or listed.
"""

from agent_runtime.devices.null_output import NullOutput
from agent_runtime.devices.wav_io import WavInput, WavOutput

__all__ = ["NullOutput", "WavInput", "WavOutput"]
