"""The headless engine of voice agents, with LiveKit Agents' names.

Names are looked up when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

_NAMES: dict[str, str] = {
    # agents and sessions
    "Agent": "agent_runtime.voice.agent",
    "AgentSession": "agent_runtime.voice.session",
    "AgentTask": "agent_runtime.voice.agent_task",
    "TaskCompletedEvent": "agent_runtime.voice.task_group",
    "TaskGroup": "agent_runtime.voice.task_group",
    "TaskGroupResult": "agent_runtime.voice.task_group",
    "AgentSessionOptions": "agent_runtime.voice.options",
    "SessionConnectOptions": "agent_runtime.voice.options",
    "ModelSettings": "agent_runtime.voice.agent",
    "SpeechHandle": "agent_runtime.voice.speech_handle",
    "InputDetails": "agent_runtime.voice.speech_handle",
    "RunContext": "agent_runtime.voice.run_context",
    "TurnHandlingOptions": "agent_runtime.voice.turn",
    "ToolHandlingOptions": "agent_runtime.voice.tool_handling",
    "AsyncToolOptions": "agent_runtime.voice.tool_handling",
    "EndpointingOptions": "agent_runtime.voice.turn",
    "InterruptionOptions": "agent_runtime.voice.turn",
    "PreemptiveGenerationOptions": "agent_runtime.voice.turn",
    "UserTurnLimitOptions": "agent_runtime.voice.turn",
    "TurnDetector": "agent_runtime.voice.turn",
    "AudioConfig": "agent_runtime.voice.background_audio",
    "BackgroundAudioPlayer": "agent_runtime.voice.background_audio",
    "BuiltinAudioClip": "agent_runtime.voice.background_audio",
    "PlayHandle": "agent_runtime.voice.background_audio",
    # a session's events
    "AgentEvent": "agent_runtime.voice.events",
    "AgentFalseInterruptionEvent": "agent_runtime.voice.events",
    "AgentStateChangedEvent": "agent_runtime.voice.events",
    "CloseEvent": "agent_runtime.voice.events",
    "CloseReason": "agent_runtime.voice.events",
    "ConversationItemAddedEvent": "agent_runtime.voice.events",
    "ErrorEvent": "agent_runtime.voice.events",
    "FunctionToolsExecutedEvent": "agent_runtime.voice.events",
    "MetricsCollectedEvent": "agent_runtime.voice.events",
    "OverlappingSpeechEvent": "agent_runtime.voice.events",
    "SessionUsageUpdatedEvent": "agent_runtime.voice.events",
    "SpeechCreatedEvent": "agent_runtime.voice.events",
    "ToolCallEnded": "agent_runtime.voice.events",
    "ToolCallStarted": "agent_runtime.voice.events",
    "ToolCallUpdated": "agent_runtime.voice.events",
    "ToolExecutionUpdatedEvent": "agent_runtime.voice.events",
    "ToolReplyUpdated": "agent_runtime.voice.events",
    "UserInputTranscribedEvent": "agent_runtime.voice.events",
    "UserStateChangedEvent": "agent_runtime.voice.events",
    "UserTranscriptionTimeoutEvent": "agent_runtime.voice.events",
    "UserTurnExceededEvent": "agent_runtime.voice.events",
    # testing agents
    "AgentHandoffEvent": "agent_runtime.voice.run_result",
    "ChatMessageEvent": "agent_runtime.voice.run_result",
    "EventAssert": "agent_runtime.voice.run_result",
    "EventRangeAssert": "agent_runtime.voice.run_result",
    "FunctionCallEvent": "agent_runtime.voice.run_result",
    "FunctionCallOutputEvent": "agent_runtime.voice.run_result",
    "RunAssert": "agent_runtime.voice.run_result",
    "RunEvent": "agent_runtime.voice.run_result",
    "RunOutputOptions": "agent_runtime.voice.run_result",
    "RunResult": "agent_runtime.voice.run_result",
    "mock_tools": "agent_runtime.voice.run_result",
    "UnexpectedModelBehavior": "agent_runtime.errors",
    # tools
    "CallContext": "agent_tools",
    "FunctionTool": "agent_tools",
    "ProviderTool": "agent_tools",
    "RawFunctionTool": "agent_tools",
    "StopResponse": "agent_tools",
    "Tool": "agent_tools",
    "ToolError": "agent_tools",
    "ToolFlag": "agent_tools",
    "ToolRegistry": "agent_tools",
    "ToolResult": "agent_tools",
    "Toolset": "agent_tools",
    "AsyncToolset": "agent_runtime.llm.async_toolset",
    "function_tool": "agent_tools",
    # conversations
    "AgentConfigUpdate": "agent_runtime.llm",
    "AgentHandoff": "agent_runtime.llm",
    "ChatContent": "agent_runtime.llm",
    "ChatContext": "agent_runtime.llm",
    "ChatItem": "agent_runtime.llm",
    "ChatMessage": "agent_runtime.llm",
    "ChatRole": "agent_runtime.llm",
    "FunctionCall": "agent_runtime.llm",
    "FunctionCallOutput": "agent_runtime.llm",
    "LLMStream": "agent_runtime.llm",
    "ToolContext": "agent_runtime.llm",
    # code that changes while it runs
    "keep": "agent_runtime.reload.kept",
    # small types and errors
    "NOT_GIVEN": "agent_runtime.types",
    "APIConnectOptions": "agent_runtime.types",
    "DEFAULT_API_CONNECT_OPTIONS": "agent_runtime.types",
    "FlushSentinel": "agent_runtime.types",
    "LanguageCode": "agent_runtime.language",
    "NotGiven": "agent_runtime.types",
    "NotGivenOr": "agent_runtime.types",
    "TimedString": "agent_runtime.types",
    "APIConnectionError": "agent_runtime.errors",
    "APIError": "agent_runtime.errors",
    "APIStatusError": "agent_runtime.errors",
    "APITimeoutError": "agent_runtime.errors",
}
_MODULES = frozenset({"events", "io", "llm", "metrics", "stt", "testing", "tokenize", "tts", "utils", "vad", "voice"})

__all__ = [
    "DEFAULT_API_CONNECT_OPTIONS",
    "NOT_GIVEN",
    "APIConnectOptions",
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "Agent",
    "AgentConfigUpdate",
    "AgentEvent",
    "AgentFalseInterruptionEvent",
    "AgentHandoff",
    "AgentHandoffEvent",
    "AgentSession",
    "AgentSessionOptions",
    "AgentStateChangedEvent",
    "AgentTask",
    "AsyncToolOptions",
    "AsyncToolset",
    "AudioConfig",
    "BackgroundAudioPlayer",
    "BuiltinAudioClip",
    "CallContext",
    "ChatContent",
    "ChatContext",
    "ChatItem",
    "ChatMessage",
    "ChatMessageEvent",
    "ChatRole",
    "CloseEvent",
    "CloseReason",
    "ConversationItemAddedEvent",
    "EndpointingOptions",
    "ErrorEvent",
    "EventAssert",
    "EventRangeAssert",
    "FlushSentinel",
    "FunctionCall",
    "FunctionCallEvent",
    "FunctionCallOutput",
    "FunctionCallOutputEvent",
    "FunctionTool",
    "FunctionToolsExecutedEvent",
    "InputDetails",
    "InterruptionOptions",
    "LLMStream",
    "LanguageCode",
    "MetricsCollectedEvent",
    "ModelSettings",
    "NotGiven",
    "NotGivenOr",
    "OverlappingSpeechEvent",
    "PlayHandle",
    "PreemptiveGenerationOptions",
    "ProviderTool",
    "RawFunctionTool",
    "RunAssert",
    "RunContext",
    "RunEvent",
    "RunOutputOptions",
    "RunResult",
    "SessionConnectOptions",
    "SessionUsageUpdatedEvent",
    "SpeechCreatedEvent",
    "SpeechHandle",
    "StopResponse",
    "TaskCompletedEvent",
    "TaskGroup",
    "TaskGroupResult",
    "TimedString",
    "Tool",
    "ToolCallEnded",
    "ToolCallStarted",
    "ToolCallUpdated",
    "ToolContext",
    "ToolError",
    "ToolExecutionUpdatedEvent",
    "ToolFlag",
    "ToolHandlingOptions",
    "ToolRegistry",
    "ToolReplyUpdated",
    "ToolResult",
    "Toolset",
    "TurnDetector",
    "TurnHandlingOptions",
    "UnexpectedModelBehavior",
    "UserInputTranscribedEvent",
    "UserStateChangedEvent",
    "UserTranscriptionTimeoutEvent",
    "UserTurnExceededEvent",
    "UserTurnLimitOptions",
    "events",
    "function_tool",
    "io",
    "keep",
    "llm",
    "metrics",
    "mock_tools",
    "stt",
    "testing",
    "tokenize",
    "tts",
    "utils",
    "vad",
    "voice",
]


def __getattr__(name: str) -> object:
    if name in _NAMES:
        value = getattr(importlib.import_module(_NAMES[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(f"agent_runtime.{name}")
    raise AttributeError(f"module 'agent_runtime' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)


if TYPE_CHECKING:
    from agent_runtime import events, io, llm, metrics, stt, testing, tokenize, tts, utils, vad, voice
    from agent_runtime.errors import (
        APIConnectionError,
        APIError,
        APIStatusError,
        APITimeoutError,
        UnexpectedModelBehavior,
    )
    from agent_runtime.language import LanguageCode
    from agent_runtime.llm import (
        AgentConfigUpdate,
        AgentHandoff,
        ChatContent,
        ChatContext,
        ChatItem,
        ChatMessage,
        ChatRole,
        FunctionCall,
        FunctionCallOutput,
        LLMStream,
        ToolContext,
    )
    from agent_runtime.llm.async_toolset import AsyncToolset
    from agent_runtime.reload.kept import keep
    from agent_runtime.types import (
        DEFAULT_API_CONNECT_OPTIONS,
        NOT_GIVEN,
        APIConnectOptions,
        FlushSentinel,
        NotGiven,
        NotGivenOr,
        TimedString,
    )
    from agent_runtime.voice.agent import Agent, ModelSettings
    from agent_runtime.voice.agent_task import AgentTask
    from agent_runtime.voice.background_audio import AudioConfig, BackgroundAudioPlayer, BuiltinAudioClip, PlayHandle
    from agent_runtime.voice.events import (
        AgentEvent,
        AgentFalseInterruptionEvent,
        AgentStateChangedEvent,
        CloseEvent,
        CloseReason,
        ConversationItemAddedEvent,
        ErrorEvent,
        FunctionToolsExecutedEvent,
        MetricsCollectedEvent,
        OverlappingSpeechEvent,
        SessionUsageUpdatedEvent,
        SpeechCreatedEvent,
        ToolCallEnded,
        ToolCallStarted,
        ToolCallUpdated,
        ToolExecutionUpdatedEvent,
        ToolReplyUpdated,
        UserInputTranscribedEvent,
        UserStateChangedEvent,
        UserTranscriptionTimeoutEvent,
        UserTurnExceededEvent,
    )
    from agent_runtime.voice.options import AgentSessionOptions, SessionConnectOptions
    from agent_runtime.voice.run_context import RunContext
    from agent_runtime.voice.run_result import (
        AgentHandoffEvent,
        ChatMessageEvent,
        EventAssert,
        EventRangeAssert,
        FunctionCallEvent,
        FunctionCallOutputEvent,
        RunAssert,
        RunEvent,
        RunOutputOptions,
        RunResult,
        mock_tools,
    )
    from agent_runtime.voice.session import AgentSession
    from agent_runtime.voice.speech_handle import InputDetails, SpeechHandle
    from agent_runtime.voice.task_group import TaskCompletedEvent, TaskGroup, TaskGroupResult
    from agent_runtime.voice.tool_handling import AsyncToolOptions, ToolHandlingOptions
    from agent_runtime.voice.turn import (
        EndpointingOptions,
        InterruptionOptions,
        PreemptiveGenerationOptions,
        TurnDetector,
        TurnHandlingOptions,
        UserTurnLimitOptions,
    )
    from agent_tools import (
        CallContext,
        FunctionTool,
        ProviderTool,
        RawFunctionTool,
        StopResponse,
        Tool,
        ToolError,
        ToolFlag,
        ToolRegistry,
        ToolResult,
        Toolset,
        function_tool,
    )
