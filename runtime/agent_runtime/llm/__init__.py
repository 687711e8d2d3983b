"""Language models, and the conversations and tools that they are given."""

from agent_runtime.llm import utils
from agent_runtime.llm.async_toolset import AsyncToolset
from agent_runtime.llm.chat_chunk import ChatChunk, ChoiceDelta, CollectedResponse, CompletionUsage, FunctionToolCall
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
from agent_runtime.llm.fallback_adapter import AvailabilityChangedEvent, FallbackAdapter
from agent_runtime.llm.instructions import Instructions
from agent_runtime.llm.llm import LLM, LLMError, LLMStream
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
    "AgentConfigUpdate",
    "AgentHandoff",
    "AsyncToolset",
    "AudioContent",
    "AvailabilityChangedEvent",
    "CacheBreakpoint",
    "ChatChunk",
    "ChatContent",
    "ChatContext",
    "ChatItem",
    "ChatMessage",
    "ChatRole",
    "ChoiceDelta",
    "CollectedResponse",
    "CompletionUsage",
    "DuplicateScope",
    "FallbackAdapter",
    "FunctionCall",
    "FunctionCallOutput",
    "FunctionCallResult",
    "FunctionTool",
    "FunctionToolCall",
    "ImageContent",
    "Instructions",
    "LLMError",
    "LLMStream",
    "MetricsReport",
    "NamedToolChoice",
    "ProviderTool",
    "RawFunctionTool",
    "ReadOnlyChatContext",
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
