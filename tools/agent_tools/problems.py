"""Validation errors in words from which a model can repair its call.

Each problem begins with the dotted path of the argument, then says what was expected, with the allowed values, and what
came instead: "units: expected 'metric' or 'imperial', got 'metrics'; did you mean 'metric'?".
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from agent_tools import json_schema

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from agent_tools.json_schema import JsonSchema

_MAX_PROBLEMS = 10
_MAX_VALUE = 80
_MISSING = "missing"
_SAID_BY_VALIDATOR = {"value_error", "assertion_error"}


def problems_of(errors: Sequence[ErrorDetails], data: Mapping[str, Any], schema: JsonSchema) -> list[str]:
    """Give a line for each argument that is wrong, ten at most.

    Args:
        errors: what pydantic found.
        data: the arguments that it found them in.
        schema: the schema that the arguments should fit.
    """
    by_path: dict[tuple[str | int, ...], list[ErrorDetails]] = {}
    for error in errors:
        steps = data_steps(error["loc"], data)
        if error["type"] == _MISSING and error["loc"]:
            steps = (*steps, error["loc"][-1])
        by_path.setdefault(steps, []).append(error)
    problems = [_problem(path, found, data, schema) for path, found in by_path.items()]
    if len(problems) > _MAX_PROBLEMS:
        problems[_MAX_PROBLEMS:] = [f"and {len(problems) - _MAX_PROBLEMS} more problems"]
    return problems


def data_steps(loc: Sequence[str | int], data: Any) -> tuple[str | int, ...]:
    """Keep of an error's location the steps that lead through `data`; the others name members of unions."""
    steps: list[str | int] = []
    for step in loc:
        if isinstance(data, list):
            data = dict(enumerate(data))
        if isinstance(data, dict) and step in data:
            data = data[step]
            steps.append(step)
    return tuple(steps)


def _problem(
    path: tuple[str | int, ...], errors: list[ErrorDetails], data: Mapping[str, Any], schema: JsonSchema
) -> str:
    error = errors[0]
    nodes = [schema]
    for step in path:
        nodes = [child for node in nodes for child in json_schema.children(node, step, schema)]
    node: JsonSchema = {"anyOf": nodes} if nodes else {}
    expected = json_schema.describe(node, schema)
    where = ".".join(map(str, path)) or "arguments"
    if error["type"] == _MISSING:
        said = f"missing, expected {expected}" if expected else "missing"
        return f"{where}: {said}{_misspelt(path, data, schema)}"
    by_validator = next((found for found in errors if found["type"] in _SAID_BY_VALIDATOR), None)
    if by_validator is not None:
        return f"{where}: {by_validator.get('ctx', {}).get('error')}, got {_value(by_validator['input'])}"
    value = error["input"]
    if len(errors) > 1:
        value = _at(path, data)
    if not expected:
        return f"{where}: {error['msg']}, got {_value(value)}"
    return f"{where}: expected {expected}, got {_value(value)}{_reason(errors)}{_near(value, node, schema)}"


def _reason(errors: list[ErrorDetails]) -> str:
    """What a date's, a time's or a URL's parser stumbled over; of the other types the expectation says it all."""
    kind = errors[0]["type"]
    if len(errors) > 1 or not kind.startswith(("date", "time", "url")) or not kind.endswith("_parsing"):
        return ""
    return f" ({errors[0]['msg'].partition(', ')[2] or errors[0]['msg']})"


def _misspelt(path: tuple[str | int, ...], data: Any, schema: JsonSchema) -> str:
    """Name an argument beside the missing one that no parameter has: it may have been meant."""
    nodes = [schema]
    for step in path[:-1]:
        nodes = [child for node in nodes for child in json_schema.children(node, step, schema)]
        data = data[step]
    shapes = [variant for node in nodes for variant in json_schema.variants(node, schema)]
    known = {name for shape in shapes for name in shape.get("properties", ())}
    unknown = [str(name) for name in data if name not in known] if isinstance(data, dict) else []
    if not unknown:
        return ""
    names = " and ".join(repr(name) for name in unknown[:3])
    return f" (there is no parameter {names})"


def _near(value: Any, node: JsonSchema, schema: JsonSchema) -> str:
    if not isinstance(value, str):
        return ""
    allowed = json_schema.allowed_values(node, schema)
    folded = {name.casefold(): name for name in allowed}
    close = difflib.get_close_matches(value.casefold(), folded, n=1)
    return f"; did you mean {folded[close[0]]!r}?" if close else ""


def _at(path: tuple[str | int, ...], data: Any) -> Any:
    for step in path:
        data = data[step]
    return data


def _value(value: Any) -> str:
    if isinstance(value, str):
        text = repr(value)
    else:
        # What can't be shown as JSON wasn't written by a model, and is shown by its type.
        text = to_json(value, fallback=lambda other: f"<{type(other).__name__}>", inf_nan_mode="constants").decode()
    return text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 1] + "…"
