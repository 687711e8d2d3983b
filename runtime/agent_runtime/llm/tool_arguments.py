"""A model's arguments, made ready to call a tool by hand; and a type, made ready to ask a model for one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints, is_typeddict

from pydantic import BaseModel, TypeAdapter, create_model
from pydantic.fields import FieldInfo

from agent_runtime.llm.chat_items import FunctionCall
from agent_tools import CallContext, FunctionTool, RawFunctionTool, ToolError, json_schema
from agent_tools.arguments import parse_arguments
from agent_tools.call_context import context_class
from agent_tools.signature import Signature


def parse_function_arguments(json_arguments: str) -> dict[str, Any]:
    """The arguments that a model wrote as JSON text; none for an empty text or null.

    Raises:
        ValueError: the text isn't a JSON object. It isn't guessed what was meant: the model is told, and calls again.
    """
    try:
        return parse_arguments("the function", json_arguments)
    except ToolError as error:
        raise ValueError(error.message) from None


def prepare_function_arguments(
    *,
    fnc: FunctionTool[..., Any] | RawFunctionTool[..., Any],
    json_arguments: str | dict[str, Any],
    call_ctx: CallContext | None = None,
    fnc_call: FunctionCall | None = None,
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The positional and the keyword arguments to call a tool with, as a model's arguments say.

    Args:
        fnc: the tool.
        json_arguments: what the model wrote, or the same already parsed.
        call_ctx: given to the parameters that ask for a context of its class.
        fnc_call: stays as the model made it, since its arguments are never repaired.

    Raises:
        ToolError: they don't fit; the text tells the model how to call again.
    """
    fit = fnc.validate_arguments(json_arguments)
    signature = inspect.signature(fnc)
    for name, hint in get_type_hints(fnc, include_extras=True).items():
        kind = context_class(hint)
        if kind is not None and isinstance(call_ctx, kind) and name in signature.parameters:
            fit[name] = call_ctx
    try:
        bound = signature.bind(**fit)
    except TypeError as error:
        raise ToolError(f"{fnc.id} can't be called: {error}") from None
    bound.apply_defaults()
    return bound.args, bound.kwargs


def function_arguments_to_pydantic_model(func: Callable[..., Any]) -> type[BaseModel]:
    """A model of what a function takes, with what its docstring says of each; contexts are left out.

    Args:
        func: a tool, or a function of the kind that can be one: with type annotations.
    """
    signature = Signature(getattr(func, "__wrapped__", func))
    filled, _ = signature.resolve({})
    fields: dict[str, Any] = {}
    for parameter in filled:
        info = FieldInfo.from_annotation(parameter.hint)
        if parameter.default is not inspect.Parameter.empty and info.is_required():
            info.default = parameter.default
        info.description = info.description or parameter.description or None
        fields[parameter.name] = (info.annotation, info)
    return create_model(f"{signature.name.title().replace('_', '')}Args", **fields)


def to_response_format_param(response_format: type | dict[str, Any]) -> tuple[str, type[BaseModel] | TypeAdapter[Any]]:
    """A type's name, and what validates an answer of that type.

    Args:
        response_format: a pydantic model, a pydantic dataclass or a TypedDict.

    Raises:
        TypeError: it is none of these.
    """
    if not (isinstance(response_format, type) and _has_schema(response_format)):
        raise TypeError(f"{response_format!r} can't be a response format: give a pydantic model or a TypedDict")
    name = response_format.__name__
    if is_typeddict(response_format):  # before Python 3.12, pydantic refuses those of `typing`
        hints = get_type_hints(response_format, include_extras=True)
        fields: dict[str, Any] = {key: (hint, ...) for key, hint in hints.items()}
        return name, create_model(name, **fields)
    return name, response_format if issubclass(response_format, BaseModel) else TypeAdapter(response_format)


def to_openai_response_format(response_format: type | dict[str, Any]) -> dict[str, Any]:
    """A type as the `response_format` by which OpenAI's API answers with JSON of that type.

    Args:
        response_format: a pydantic model, a pydantic dataclass or a TypedDict.

    Raises:
        TypeError: it is none of these, or has no form in strict mode.
    """
    name, kind = to_response_format_param(response_format)
    adapter = kind if isinstance(kind, TypeAdapter) else TypeAdapter(kind)
    schema = json_schema.strict(json_schema.tidy(adapter.json_schema()))
    if schema is None:
        raise TypeError(f"{name} can't be a response format: its schema has no strict form")
    return {"type": "json_schema", "json_schema": {"schema": schema, "name": name, "strict": True}}


def _has_schema(kind: type) -> bool:
    return issubclass(kind, BaseModel) or is_typeddict(kind) or hasattr(kind, "__pydantic_config__")
