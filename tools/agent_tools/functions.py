"""Function tools: a function that a model may call, and the decorator that makes it one."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from agent_tools.call_context import CallContext
from agent_tools.definition import Definition, RawDefinition, SignatureDefinition
from agent_tools.json_schema import JsonSchema
from agent_tools.outcome import ToolOutcome, outcome_of, outcome_of_exception
from agent_tools.signature import Scope, Signature
from agent_tools.tool import (
    CONFIRM_DUPLICATE_PARAM,
    DuplicateMode,
    DuplicateScope,
    FunctionToolInfo,
    RawFunctionToolInfo,
    Tool,
    ToolFlag,
)

P = ParamSpec("P")
R = TypeVar("R")
InfoT = TypeVar("InfoT", FunctionToolInfo, RawFunctionToolInfo)
ToolT = TypeVar("ToolT", bound="_FunctionToolBase[Any, ..., Any]")


class _FunctionToolBase(Tool, Generic[InfoT, P, R]):
    """A function as a tool. It is still callable as the function, and binds like a method."""

    def __init__(self, func: Callable[P, R], info: InfoT, definition: Definition, instance: Any = None) -> None:
        functools.update_wrapper(self, func)
        self._func = func
        self._info: InfoT = info
        self._definition = definition
        self._instance = instance

    @property
    def id(self) -> str:
        """The name that the model calls it by."""
        return self._info.name

    @property
    def info(self) -> InfoT:
        """Name, description and flags."""
        return self._info

    @property
    def description(self) -> str:
        """What the model is told that it does."""
        if isinstance(self._info, FunctionToolInfo):
            return self._info.description or ""
        return str(self._info.raw_schema.get("description") or "")

    def parameters_schema(self) -> JsonSchema:
        """Give the JSON schema of the parameters that the model fills in. It is shared: don't change it.

        Raises:
            TypeError: a parameter's type can't be described.
            NameError: an annotation uses a name that doesn't exist.
        """
        return self._definition.schema()

    def to_openai(self, *, strict: bool = True) -> dict[str, Any]:
        """Describe the tool as OpenAI's chat completions take it.

        Args:
            strict: ask for arguments that keep to the schema exactly. A schema that has no strict form, and one that
                the author wrote, goes out as it is.
        """
        return {"type": "function", "function": self._definition.describe(self.id, self.description, strict=strict)}

    def validate_arguments(self, arguments: str | Mapping[str, Any]) -> dict[str, Any]:
        """Give the keyword arguments that a model's arguments stand for, as their annotated types.

        Contexts are not among them.

        Raises:
            InvalidArgumentsError: they don't fit.
        """
        validated = self._definition.validate(self.id, arguments)
        validated.pop(CONFIRM_DUPLICATE_PARAM, None)
        return validated

    def identify_arguments(self, arguments: str | Mapping[str, Any]) -> dict[str, Any]:
        """Give the validated arguments with the defaults of those left out: equal, if two calls mean the same.

        Raises:
            InvalidArgumentsError: they don't fit.
        """
        return {**self._definition.defaults(), **self.validate_arguments(arguments)}

    def confirms_duplicate(self, arguments: str | Mapping[str, Any]) -> bool:
        """Whether the model confirms with these arguments that a duplicate of a running call is wanted.

        Raises:
            InvalidArgumentsError: they don't fit.
        """
        return bool(self._definition.validate(self.id, arguments).get(CONFIRM_DUPLICATE_PARAM))

    async def execute(self, arguments: str | Mapping[str, Any] = "", context: CallContext | None = None) -> ToolOutcome:
        """Call the function with a model's arguments and describe what came of it.

        Nothing that the arguments or the function do is raised; only cancellation passes. A function that isn't async
        runs where this is called, and holds it up for as long as it takes.

        Args:
            arguments: the JSON text that the model wrote, or the same already parsed.
            context: given to the parameters that ask for one.
        """
        try:
            kwargs = self._definition.validate(self.id, arguments)
            kwargs.pop(CONFIRM_DUPLICATE_PARAM, None)
            self._definition.add_contexts(self.id, kwargs, context)
            func: Callable[..., Any] = self._func
            value = func(**kwargs) if self._instance is None else func(self._instance, **kwargs)
            if inspect.isawaitable(value):
                value = await value
        except Exception as error:
            return outcome_of_exception(error)
        return outcome_of(self.id, value)

    def renamed(self: ToolT, name: str) -> ToolT:
        """Give the same tool under another name."""
        info = type(self._info)(**{**vars(self._info), "name": name})
        return self._copied(info, self._instance)

    def with_function(self: ToolT, func: Callable[..., Any]) -> ToolT:
        """Give a tool that shows the model the same name and schema but calls `func`: a stand-in for tests."""
        copied = self._copied(self._info, None)
        copied._func = func
        return copied

    def _copied(self: ToolT, info: Any, instance: Any) -> ToolT:
        return type(self)(self._func, info, self._definition, instance)

    @overload
    def __get__(self: ToolT, obj: None, objtype: type | None = None) -> ToolT: ...

    @overload
    def __get__(self, obj: object, objtype: type | None = None) -> Any: ...

    def __get__(self, obj: object | None, objtype: type | None = None) -> Any:
        """Bind to an instance, as a method does; a function without a `self` stays as it is."""
        if obj is None or not self._definition.takes_instance or self._instance is not None:
            return self
        bound = self._copied(self._info, obj)
        vars(bound)["__wrapped__"] = types.MethodType(self._func, obj)  # so that its signature has no `self`
        return bound

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself."""
        if self._instance is not None:
            return cast("Callable[..., R]", self._func)(self._instance, *args, **kwargs)
        return self._func(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same function on the same instance: each look at a method makes a new tool."""
        if not isinstance(other, _FunctionToolBase):
            return NotImplemented
        return self._func is other._func and self._instance is other._instance and self._info == other._info

    def __hash__(self) -> int:
        return hash((id(self._func), id(self._instance)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"


class FunctionTool(_FunctionToolBase[FunctionToolInfo, P, R]):
    """A function that a model may call, described by its signature and docstring."""


class RawFunctionTool(_FunctionToolBase[RawFunctionToolInfo, P, R]):
    """A function that a model may call, described by a schema that its author wrote.

    It is called with `raw_arguments`, the model's arguments as a dict that nobody checked against the schema.
    """


@overload
def function_tool(
    f: Callable[P, R],
    *,
    raw_schema: Mapping[str, Any],
    flags: ToolFlag = ToolFlag.NONE,
    on_duplicate: DuplicateMode = "allow",
    duplicate_scope: DuplicateScope = "name",
) -> RawFunctionTool[P, R]: ...


@overload
def function_tool(
    f: None = None,
    *,
    raw_schema: Mapping[str, Any],
    flags: ToolFlag = ToolFlag.NONE,
    on_duplicate: DuplicateMode = "allow",
    duplicate_scope: DuplicateScope = "name",
) -> Callable[[Callable[P, R]], RawFunctionTool[P, R]]: ...


@overload
def function_tool(
    f: Callable[P, R],
    *,
    name: str | None = None,
    description: str | None = None,
    flags: ToolFlag = ToolFlag.NONE,
    on_duplicate: DuplicateMode = "allow",
    duplicate_scope: DuplicateScope = "name",
) -> FunctionTool[P, R]: ...


@overload
def function_tool(
    f: None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    flags: ToolFlag = ToolFlag.NONE,
    on_duplicate: DuplicateMode = "allow",
    duplicate_scope: DuplicateScope = "name",
) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...


def function_tool(
    f: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    raw_schema: Mapping[str, Any] | None = None,
    flags: ToolFlag = ToolFlag.NONE,
    on_duplicate: DuplicateMode = "allow",
    duplicate_scope: DuplicateScope = "name",
) -> Any:
    """Make a function a tool that a model may call. Use it bare, with arguments, or as a plain call.

    Args:
        f: the function, sync or async; None when used with arguments.
        name: what the model calls it; the function's name if left out.
        description: what the model is told that it does; the docstring's if left out.
        raw_schema: `name`, `description` and `parameters` (a JSON schema) as the model is to see them; the function is
            then called with `raw_arguments: dict`.
        flags: how the engine treats it.
        on_duplicate: what becomes of a call while another one runs. The runtime's engine allows all of them yet.
        duplicate_scope: what makes two calls the same.

    Raises:
        TypeError: the function can't be a tool; the message names it and the parameter.
        ValueError: the raw schema lacks its name or its parameters.
    """

    def decorate(func: Callable[..., Any], frame: types.FrameType | None) -> Any:
        static = isinstance(func, staticmethod)
        plain = func.__func__ if isinstance(func, staticmethod | classmethod) else func
        signature = Signature(plain, static=static)
        duplicates = (flags, on_duplicate, duplicate_scope)
        if raw_schema is not None:
            raw = RawDefinition(signature, raw_schema, Scope(frame), confirm=on_duplicate == "confirm")
            return RawFunctionTool(plain, RawFunctionToolInfo(raw.name, raw.raw_schema, *duplicates), raw)
        definition = SignatureDefinition(signature, Scope(frame), confirm=on_duplicate == "confirm")
        info = FunctionToolInfo(name or signature.name, description or signature.doc.description or None, *duplicates)
        return FunctionTool(plain, info, definition)

    if f is not None:
        return decorate(f, sys._getframe(1))
    return lambda func: decorate(func, sys._getframe(1))


def is_function_tool(f: object) -> bool:
    """Whether it is a tool that was made from a function's signature."""
    return isinstance(f, FunctionTool)


def is_raw_function_tool(f: object) -> bool:
    """Whether it is a tool whose author wrote its schema."""
    return isinstance(f, RawFunctionTool)
