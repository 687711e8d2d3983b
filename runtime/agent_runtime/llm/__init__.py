"""Language models, and the conversations and tools that they are given.

Names are looked up when they are first used: an agent's file needs few of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent_runtime.llm import utils
    from agent_runtime.llm.async_toolset import AsyncToolset
    from agent_runtime.llm.audio_gate import AdaptiveNoiseGate, AudioGate, FixedGate
    from agent_runtime.llm.chat_chunk import (
        ChatChunk,
        ChoiceDelta,
        CollectedResponse,
        CompletionUsage,
        FunctionToolCall,
    )
    from agent_runtime.llm.chat_context import ChatContext, ReadOnlyChatContext
    from agent_runtime.llm.chat_items import (
        AgentConfigUpdate,
        AgentHandoff,
        AudioContent,
        CacheBreakpoint,
        ChatContent,
        ChatItem,
        ChatMessage,
        ChatRole,
        FunctionCall,
        FunctionCallOutput,
        ImageContent,
        MetricsReport,
    )
    from agent_runtime.llm.decisions import (
        Choice,
        ChoiceResult,
        Decision,
        DecisionCapabilities,
        DecisionKind,
        DecisionModel,
        DecisionResponse,
        DecisionResult,
        Probability,
        ProbabilityResult,
        Score,
        ScoreResult,
    )
    from agent_runtime.llm.duplex import (
        DuplexAudioFrame,
        DuplexCapabilities,
        DuplexModel,
        DuplexOutputTranscriptDelta,
        DuplexSession,
    )
    from agent_runtime.llm.duplex_adapter import DuplexRealtimeAdapter
    from agent_runtime.llm.fallback_adapter import AvailabilityChangedEvent, FallbackAdapter
    from agent_runtime.llm.instructions import Instructions
    from agent_runtime.llm.llm import LLM, LLMError, LLMStream
    from agent_runtime.llm.realtime import (
        GenerationCreatedEvent,
        InputSpeechStartedEvent,
        InputSpeechStoppedEvent,
        InputTranscriptionCompleted,
        MessageGeneration,
        RealtimeCapabilities,
        RealtimeError,
        RealtimeModel,
        RealtimeModelError,
        RealtimeSession,
        RealtimeSessionReconnectedEvent,
        RemoteItemAddedEvent,
    )
    from agent_runtime.llm.realtime_fallback import RealtimeAvailabilityChangedEvent, RealtimeModelFallbackAdapter
    from agent_runtime.llm.tool_context import NamedToolChoice, ToolChoice, ToolContext
    from agent_runtime.llm.utils import FunctionCallResult, execute_function_call
    from agent_tools import (
        DuplicateScope,
        FunctionTool,
        ProviderTool,
        RawFunctionTool,
        StopResponse,
        Tool,
        ToolError,
        ToolFlag,
        ToolResult,
        Toolset,
        find_function_tools,
        function_tool,
        is_function_tool,
        is_raw_function_tool,
    )

__all__ = [
    "LLM",
    "AdaptiveNoiseGate",
    "AgentConfigUpdate",
    "AgentHandoff",
    "AsyncToolset",
    "AudioContent",
    "AudioGate",
    "AvailabilityChangedEvent",
    "CacheBreakpoint",
    "ChatChunk",
    "ChatContent",
    "ChatContext",
    "ChatItem",
    "ChatMessage",
    "ChatRole",
    "Choice",
    "ChoiceDelta",
    "ChoiceResult",
    "CollectedResponse",
    "CompletionUsage",
    "Decision",
    "DecisionCapabilities",
    "DecisionKind",
    "DecisionModel",
    "DecisionResponse",
    "DecisionResult",
    "DuplexAudioFrame",
    "DuplexCapabilities",
    "DuplexModel",
    "DuplexOutputTranscriptDelta",
    "DuplexRealtimeAdapter",
    "DuplexSession",
    "DuplicateScope",
    "FallbackAdapter",
    "FixedGate",
    "FunctionCall",
    "FunctionCallOutput",
    "FunctionCallResult",
    "FunctionTool",
    "FunctionToolCall",
    "GenerationCreatedEvent",
    "ImageContent",
    "InputSpeechStartedEvent",
    "InputSpeechStoppedEvent",
    "InputTranscriptionCompleted",
    "Instructions",
    "LLMError",
    "LLMStream",
    "MessageGeneration",
    "MetricsReport",
    "NamedToolChoice",
    "Probability",
    "ProbabilityResult",
    "ProviderTool",
    "RawFunctionTool",
    "ReadOnlyChatContext",
    "RealtimeAvailabilityChangedEvent",
    "RealtimeCapabilities",
    "RealtimeError",
    "RealtimeModel",
    "RealtimeModelError",
    "RealtimeModelFallbackAdapter",
    "RealtimeSession",
    "RealtimeSessionReconnectedEvent",
    "RemoteItemAddedEvent",
    "Score",
    "ScoreResult",
    "StopResponse",
    "Tool",
    "ToolChoice",
    "ToolContext",
    "ToolError",
    "ToolFlag",
    "ToolResult",
    "Toolset",
    "execute_function_call",
    "find_function_tools",
    "function_tool",
    "is_function_tool",
    "is_raw_function_tool",
    "utils",
]

_MODULES: dict[str, tuple[str, ...]] = {
    "agent_runtime.llm.async_toolset": ("AsyncToolset",),
    "agent_runtime.llm.audio_gate": ("AdaptiveNoiseGate", "AudioGate", "FixedGate"),
    "agent_runtime.llm.chat_chunk": (
        "ChatChunk",
        "ChoiceDelta",
        "CollectedResponse",
        "CompletionUsage",
        "FunctionToolCall",
    ),
    "agent_runtime.llm.chat_context": (
        "ChatContext",
        "ReadOnlyChatContext",
    ),
    "agent_runtime.llm.chat_items": (
        "AgentConfigUpdate",
        "AgentHandoff",
        "AudioContent",
        "CacheBreakpoint",
        "ChatContent",
        "ChatItem",
        "ChatMessage",
        "ChatRole",
        "FunctionCall",
        "FunctionCallOutput",
        "ImageContent",
        "MetricsReport",
    ),
    "agent_runtime.llm.decisions": (
        "Choice",
        "ChoiceResult",
        "Decision",
        "DecisionCapabilities",
        "DecisionKind",
        "DecisionModel",
        "DecisionResponse",
        "DecisionResult",
        "Probability",
        "ProbabilityResult",
        "Score",
        "ScoreResult",
    ),
    "agent_runtime.llm.duplex": (
        "DuplexAudioFrame",
        "DuplexCapabilities",
        "DuplexModel",
        "DuplexOutputTranscriptDelta",
        "DuplexSession",
    ),
    "agent_runtime.llm.duplex_adapter": ("DuplexRealtimeAdapter",),
    "agent_runtime.llm.fallback_adapter": (
        "AvailabilityChangedEvent",
        "FallbackAdapter",
    ),
    "agent_runtime.llm.instructions": ("Instructions",),
    "agent_runtime.llm.llm": (
        "LLM",
        "LLMError",
        "LLMStream",
    ),
    "agent_runtime.llm.realtime": (
        "GenerationCreatedEvent",
        "InputSpeechStartedEvent",
        "InputSpeechStoppedEvent",
        "InputTranscriptionCompleted",
        "MessageGeneration",
        "RealtimeCapabilities",
        "RealtimeError",
        "RealtimeModel",
        "RealtimeModelError",
        "RealtimeSession",
        "RealtimeSessionReconnectedEvent",
        "RemoteItemAddedEvent",
    ),
    "agent_runtime.llm.realtime_fallback": (
        "RealtimeAvailabilityChangedEvent",
        "RealtimeModelFallbackAdapter",
    ),
    "agent_runtime.llm.tool_context": (
        "NamedToolChoice",
        "ToolChoice",
        "ToolContext",
    ),
    "agent_runtime.llm.utils": (
        "FunctionCallResult",
        "execute_function_call",
    ),
    "agent_tools": (
        "DuplicateScope",
        "FunctionTool",
        "ProviderTool",
        "RawFunctionTool",
        "StopResponse",
        "Tool",
        "ToolError",
        "ToolFlag",
        "ToolResult",
        "Toolset",
        "find_function_tools",
        "function_tool",
        "is_function_tool",
        "is_raw_function_tool",
    ),
}
_NAMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name == "utils":
        return importlib.import_module("agent_runtime.llm.utils")
    if name not in _NAMES:
        raise AttributeError(f"module 'agent_runtime.llm' has no attribute {name!r}")
    value = getattr(importlib.import_module(_NAMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
