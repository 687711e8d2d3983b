"""Function tools: the decorator, schemas, registry and toolsets. Imports nothing of the other rooms."""

from agent_tools.call_context import CallContext
from agent_tools.discovery import AnyFunctionTool, find_function_tools
from agent_tools.errors import InvalidArgumentsError, StopResponse, ToolConflictError, ToolError
from agent_tools.functions import (
    FunctionTool,
    RawFunctionTool,
    function_tool,
    is_function_tool,
    is_raw_function_tool,
)
from agent_tools.outcome import HandoffTarget, ToolOutcome, ToolResult
from agent_tools.registry import ConflictRule, ToolRegistry
from agent_tools.tool import (
    CONFIRM_DUPLICATE_PARAM,
    DuplicateMode,
    DuplicateScope,
    FunctionToolInfo,
    ProviderTool,
    RawFunctionToolInfo,
    Tool,
    ToolFlag,
)
from agent_tools.toolset import Toolset

__all__ = [
    "CONFIRM_DUPLICATE_PARAM",
    "AnyFunctionTool",
    "CallContext",
    "ConflictRule",
    "DuplicateMode",
    "DuplicateScope",
    "FunctionTool",
    "FunctionToolInfo",
    "HandoffTarget",
    "InvalidArgumentsError",
    "ProviderTool",
    "RawFunctionTool",
    "RawFunctionToolInfo",
    "StopResponse",
    "Tool",
    "ToolConflictError",
    "ToolError",
    "ToolFlag",
    "ToolOutcome",
    "ToolRegistry",
    "ToolResult",
    "Toolset",
    "find_function_tools",
    "function_tool",
    "is_function_tool",
    "is_raw_function_tool",
]
