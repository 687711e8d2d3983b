"""Finding the function tools of an object or a class."""

from __future__ import annotations

import types
from typing import Any, TypeAlias

from agent_tools.functions import FunctionTool, RawFunctionTool

AnyFunctionTool: TypeAlias = FunctionTool[..., Any] | RawFunctionTool[..., Any]


def find_function_tools(cls_or_obj: Any) -> list[AnyFunctionTool]:
    """Give the tools among an object's or a class's members, those of base classes first, in the order of definition.

    A member that a subclass overrides is taken from the subclass, and isn't a tool if that one isn't decorated.
    Properties are not evaluated.
    """
    cls = cls_or_obj if isinstance(cls_or_obj, type) else type(cls_or_obj)
    members: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        members.update(vars(base))
    if cls is not cls_or_obj:
        members.update(getattr(cls_or_obj, "__dict__", {}))
    tools: list[AnyFunctionTool] = []
    for name, member in members.items():
        if _may_hold_tool(member) and (tool := as_function_tool(getattr(cls_or_obj, name))) is not None:
            tools.append(tool)
    return tools


def as_function_tool(member: Any) -> AnyFunctionTool | None:
    """Give a member as the tool that it is or wraps, None if there is none.

    A function that was wrapped around a tool with `functools.wraps` is the same tool, calling the wrapper.
    """
    if isinstance(member, FunctionTool | RawFunctionTool):
        return member
    if isinstance(member, types.MethodType):
        owner, inner = member.__self__, as_function_tool(member.__func__)
        return None if inner is None else inner._copied(inner.info, owner)
    wrapped = getattr(member, "__wrapped__", None)
    if callable(member) and isinstance(wrapped, FunctionTool | RawFunctionTool):
        return wrapped.with_function(member)
    return None


def _may_hold_tool(static: Any) -> bool:
    inner = static.__func__ if isinstance(static, staticmethod | classmethod) else static
    wrapped = getattr(inner, "__wrapped__", None) if isinstance(inner, types.FunctionType) else None
    return isinstance(inner, FunctionTool | RawFunctionTool) or isinstance(wrapped, FunctionTool | RawFunctionTool)
