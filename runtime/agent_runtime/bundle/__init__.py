"""Session bundles: a conversation in a folder, to be heard again, run again, and turned into a test."""

from agent_runtime.bundle.layout import VERSION, CodeCopy, Manifest
from agent_runtime.bundle.reading import Bundle, TurnMark
from agent_runtime.bundle.recorder import Recorder
from agent_runtime.bundle.scrubbing import Scrubber
from agent_runtime.bundle.turns import ModelAnswer, RecordedTurn, ToolUse, recorded_turns

__all__ = [
    "VERSION",
    "Bundle",
    "CodeCopy",
    "Manifest",
    "ModelAnswer",
    "RecordedTurn",
    "Recorder",
    "Scrubber",
    "ToolUse",
    "TurnMark",
    "recorded_turns",
]
