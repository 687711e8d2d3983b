"""What is accepted, since files written for LiveKit Agents say it, but does nothing here yet: people are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent_runtime.voice.options import AgentSessionOptions
from agent_tools import FunctionTool, RawFunctionTool, Tool, Toolset


def without_effect(options: AgentSessionOptions, tools: Iterable[Tool | Toolset]) -> Iterator[str]:
    """Name each setting that was given a value and changes nothing, with what happens instead."""
    handling = options.turn_handling
    if handling["endpointing"]["mode"] == "dynamic":
        yield 'endpointing.mode "dynamic" (delays stay fixed)'
    if handling["interruption"].get("mode") == "adaptive":
        yield 'interruption.mode "adaptive" (a backchannel interrupts as any speech does)'
    for name, value in handling["user_turn_limit"].items():
        if value is not None:
            yield f"user_turn_limit.{name} (the user may talk without end)"
    if options.transcription_timeout is not None:
        yield "transcription_timeout (nothing is told when speech brings no transcript)"
    if options.use_tts_aligned_transcript is False:
        yield "use_tts_aligned_transcript=False (word times are used where the TTS has them)"
    for tool in tools:
        if isinstance(tool, FunctionTool | RawFunctionTool) and tool.info.on_duplicate != "allow":
            yield f'on_duplicate="{tool.info.on_duplicate}" of {tool.id} (duplicates are allowed)'
