"""JSON schemas as Gemini's live API takes them: a part of OpenAPI 3.0, without references.

Source: https://ai.google.dev/api/caching#Schema.
"""

from __future__ import annotations

from typing import Any, Final

_KEPT: Final = frozenset(
    {"type", "description", "enum", "format", "items", "properties", "required", "nullable", "anyOf"}
    | {"minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength", "pattern"}
)


def gemini_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, with references put in place and without what Gemini doesn't know.

    Raises ValueError for a schema that contains itself.
    """
    return _simple(schema, schema.get("$defs", {}), ())


def _simple(schema: dict[str, Any], definitions: dict[str, Any], within: tuple[str, ...]) -> dict[str, Any]:
    if (reference := schema.get("$ref")) is not None:
        name = reference.rpartition("/")[2]
        if name in within:
            raise ValueError(f"{name} contains itself, which Gemini's live API can't be told")
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return _simple({**definitions[name], **beside}, definitions, (*within, name))
    schema = _without_null(schema)
    kept = {key: value for key, value in schema.items() if key in _KEPT}
    if "const" in schema:
        kept["enum"] = [schema["const"]]
    if "properties" in kept:
        kept["properties"] = {name: _simple(value, definitions, within) for name, value in kept["properties"].items()}
    if isinstance(kept.get("items"), dict):
        kept["items"] = _simple(kept["items"], definitions, within)
    if "anyOf" in kept:
        kept["anyOf"] = [_simple(choice, definitions, within) for choice in kept["anyOf"]]
    return kept


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """What may be null is nullable; a single other choice stands for itself."""
    choices = schema.get("anyOf") or schema.get("oneOf")
    kinds = schema.get("type")
    if isinstance(kinds, list):
        choices, schema = [{"type": kind} for kind in kinds], {k: v for k, v in schema.items() if k != "type"}
    if not choices:
        return schema
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
    left = [choice for choice in choices if choice.get("type") != "null"]
    if len(left) < len(choices):
        rest["nullable"] = True
    return {**left[0], **rest} if len(left) == 1 else {**rest, "anyOf": left}
