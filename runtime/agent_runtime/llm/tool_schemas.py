"""Tools as each vendor's API takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from agent_runtime.llm.gemini_schema import gemini_schema
from agent_tools import AnyFunctionTool, FunctionTool, ProviderTool, RawFunctionTool, Tool


def function_schemas(tools: Iterable[Tool], format: str, **options: Any) -> list[dict[str, Any]]:
    """The function tools among `tools`; a provider's own are for the provider to put in, or to name.

    Those of the class `provider_tool_type` describe themselves by their `to_dict`.

    Raises ValueError for a format that isn't known.
    """
    try:
        describe = _FORMATS[format]
    except KeyError:
        raise ValueError(f"{format!r} is no provider format: use {', '.join(_FORMATS)}") from None
    own: type[ProviderTool] | None = options.pop("provider_tool_type", None)
    described = []
    for tool in tools:
        if isinstance(tool, FunctionTool | RawFunctionTool):
            described.append(describe(tool, **options))
        elif own is not None and isinstance(tool, own):
            described.append(cast("Any", tool).to_dict())
    return described


def _openai(tool: AnyFunctionTool, *, strict: bool = True) -> dict[str, Any]:
    return tool.to_openai(strict=strict)


def _openai_responses(tool: AnyFunctionTool, *, strict: bool = True) -> dict[str, Any]:
    # The Responses API takes a schema as strict unless it is told otherwise.
    return {"strict": False, **tool.to_openai(strict=strict)["function"], "type": "function"}


def _anthropic(tool: AnyFunctionTool, *, strict: bool = True) -> dict[str, Any]:
    function = tool.to_openai(strict=strict)["function"]
    schema = {
        "name": function["name"],
        "description": function.get("description") or "",
        "input_schema": function.get("parameters") or {"type": "object", "properties": {}},
    }
    return {**schema, "strict": True} if function.get("strict") else schema


def _google(
    tool: AnyFunctionTool, *, tool_behavior: str | None = None, use_parameters_json_schema: bool = True
) -> dict[str, Any]:
    function = tool.to_openai(strict=False)["function"]
    parameters = function.get("parameters") or {}
    schema = {"name": function["name"], "description": function.get("description") or ""}
    given = parameters if parameters.get("properties") else None  # Google takes an object without any for a mistake
    if use_parameters_json_schema:
        schema["parameters_json_schema"] = given
    else:
        schema["parameters"] = gemini_schema(given) if given else None
    return {**schema, "behavior": tool_behavior} if tool_behavior is not None else schema


def _aws(tool: AnyFunctionTool) -> dict[str, Any]:
    function = tool.to_openai(strict=False)["function"]
    described = {"description": function["description"]} if function.get("description") else {}
    return {
        "toolSpec": {"name": function["name"], **described, "inputSchema": {"json": function.get("parameters") or {}}}
    }


_FORMATS: dict[str, Callable[..., dict[str, Any]]] = {
    "openai": _openai,
    "openai.responses": _openai_responses,
    "anthropic": _anthropic,
    "google": _google,
    "aws": _aws,
}
