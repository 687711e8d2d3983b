"""JSON schemas as models read them: tidied, made strict, and put into words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

JsonSchema: TypeAlias = dict[str, Any]

_CHILD_MAPS: Final = ("properties", "$defs", "definitions", "patternProperties")
_CHILD_LISTS: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_CHILDREN: Final = ("items", "additionalProperties", "propertyNames", "not")
_MAX_VALUES_NAMED: Final = 40

# What OpenAI's strict mode takes: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
_STRICT_DROPPED: Final = ("default", "discriminator", "uniqueItems", "minLength", "maxLength", "examples", "title")
_STRICT_FORMATS: Final = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
_STRICT_IMPOSSIBLE: Final = ("allOf", "not", "prefixItems", "patternProperties", "propertyNames", "contains")
_STRICT_KINDS: Final = ("type", "enum", "const", "anyOf", "oneOf", "$ref")

_FORMAT_WORDS: Final = {
    "date": "a date such as 2025-01-31",
    "date-time": "a date and time such as 2025-01-31T09:30:00",
    "time": "a time such as 09:30:00",
    "duration": "a duration such as PT1H30M",
    "uuid": "a UUID",
    "email": "an email address",
    "uri": "a URL",
}
_TYPE_WORDS: Final = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def tidy(schema: JsonSchema) -> JsonSchema:
    """Take the titles out, which repeat the names and cost tokens. The schema is changed in place and given back."""
    for node in _nodes(schema):
        if isinstance(node.get("title"), str):
            del node["title"]
    return schema


def strict(schema: JsonSchema) -> JsonSchema | None:
    """Give the schema in the dialect of OpenAI's strict mode, None if it can't be said in it.

    Objects are closed and all their properties required; a property that may be left out may be null instead, and a
    null is read as left out. Objects with open keys, tuples and values of any type have no strict form.
    """
    try:
        return _strict(schema, schema)
    except _NoStrictForm:
        return None


def resolve(node: JsonSchema, root: JsonSchema) -> JsonSchema:
    """Follow a node's `$ref` within `root`; keywords beside the reference win over those that it refers to."""
    seen = set()
    while isinstance(ref := node.get("$ref"), str) and ref.startswith("#/") and ref not in seen:
        seen.add(ref)
        target: Any = root
        for key in ref[2:].split("/"):
            target = target[key.replace("~1", "/").replace("~0", "~")]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def variants(node: JsonSchema, root: JsonSchema) -> Iterator[JsonSchema]:
    """Give every schema that a node may stand for: itself, or each member of its unions."""
    pending, seen = [node], set[int]()
    while pending:
        current = resolve(pending.pop(0), root)
        members = [member for key in ("anyOf", "oneOf", "allOf") for member in current.get(key, ())]
        if not members:
            yield current
        fresh = [member for member in members if id(member) not in seen]
        seen.update(id(member) for member in fresh)
        pending = [*fresh, *pending]


def children(node: JsonSchema, step: str | int, root: JsonSchema) -> list[JsonSchema]:
    """Give the schemas that a value's member at `step` may have."""
    found: list[Any] = []
    for variant in variants(node, root):
        if isinstance(step, str):
            found.append(variant.get("properties", {}).get(step, variant.get("additionalProperties")))
        else:
            prefix = variant.get("prefixItems", ())
            found.append(prefix[step] if step < len(prefix) else variant.get("items"))
    return [schema for schema in found if isinstance(schema, dict)]


def describe(node: JsonSchema, root: JsonSchema, *, depth: int = 2) -> str:
    """Put into words what a schema takes: "an integer from 1 to 7", "'metric' or 'imperial'".

    Empty if it takes anything. The items of lists are described down to `depth`, for a schema may contain itself.
    """
    words: list[str] = []
    for variant in variants(node, root):
        said = _describe_one(variant, root, depth)
        if said and said not in words:
            words.append(said)
    return _either(words)


def allowed_values(node: JsonSchema, root: JsonSchema) -> list[str]:
    """Give the strings that a schema enumerates, of all members of a union; empty if it doesn't."""
    found: list[str] = []
    for variant in variants(node, root):
        values = variant.get("enum", [variant["const"]] if "const" in variant else [])
        found += [value for value in values if isinstance(value, str)]
    return found


def _describe_one(node: JsonSchema, root: JsonSchema, depth: int) -> str:
    values = node.get("enum", [node["const"]] if "const" in node else None)
    if values is not None:
        more = [f"{len(values) - _MAX_VALUES_NAMED} more"] if len(values) > _MAX_VALUES_NAMED else []
        return _either([_literal(value) for value in values[:_MAX_VALUES_NAMED]] + more)
    kind = node.get("type")
    if kind == "array":
        described = depth > 0 and isinstance(node.get("items"), dict)
        items = describe(node["items"], root, depth=depth - 1) if described else ""
        of = f", each {items}" if items else ""
        return "a list" + _bounds(node, "minItems", "maxItems", " of {} items") + of
    if kind == "object":
        names = list(node.get("properties", ()))
        return "an object" + (f" with {', '.join(names)}" if names else "")
    if kind == "string":
        said = _FORMAT_WORDS.get(node.get("format", ""), "a string")
        said += _bounds(node, "minLength", "maxLength", " of {} characters")
        return said + (f" matching {node['pattern']}" if "pattern" in node else "")
    if kind in ("integer", "number"):
        return _TYPE_WORDS[kind] + _number_bounds(node)
    return _TYPE_WORDS.get(kind, "") if isinstance(kind, str) else ""


def _number_bounds(node: JsonSchema) -> str:
    said = _bounds(node, "minimum", "maximum", " {}")
    if "exclusiveMinimum" in node:
        said += f" above {node['exclusiveMinimum']}"
    if "exclusiveMaximum" in node:
        said += f" below {node['exclusiveMaximum']}"
    return said + (f", a multiple of {node['multipleOf']}" if "multipleOf" in node else "")


def _bounds(node: JsonSchema, low: str, high: str, form: str) -> str:
    if low in node and high in node:
        exact = node[low] == node[high]
        return form.format(node[low] if exact else f"from {node[low]} to {node[high]}")
    if low in node:
        return form.format(f"at least {node[low]}")
    return form.format(f"at most {node[high]}") if high in node else ""


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _literal(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)


def _nodes(schema: Any) -> Iterator[JsonSchema]:
    """Give every schema inside a schema, itself first. A property called `title` or `items` isn't mistaken for one."""
    if not isinstance(schema, dict):
        return
    yield schema
    for key in _CHILD_MAPS:
        for child in list(schema.get(key, {}).values()):
            yield from _nodes(child)
    for key in _CHILD_LISTS:
        for child in schema.get(key, ()):
            yield from _nodes(child)
    for key in _CHILDREN:
        yield from _nodes(schema.get(key))


class _NoStrictForm(Exception):
    """A schema says something that strict mode can't."""


def _strict(node: JsonSchema, root: JsonSchema) -> JsonSchema:
    if "$ref" in node:
        if len(node) == 1:
            return dict(node)
        node = resolve(node, root)  # a reference may have nothing beside it, so what it refers to is written out
    if len(node.get("allOf", ())) == 1:
        node = {**{key: value for key, value in node.items() if key != "allOf"}, **node["allOf"][0]}
    if any(key in node for key in _STRICT_IMPOSSIBLE) or not any(key in node for key in _STRICT_KINDS):
        raise _NoStrictForm
    result = {key: value for key, value in node.items() if key not in _STRICT_DROPPED}
    if result.get("format") not in _STRICT_FORMATS:
        result.pop("format", None)
    if "oneOf" in result:
        result["anyOf"] = result.pop("oneOf")
    if "anyOf" in result:
        result["anyOf"] = [_strict(member, root) for member in result["anyOf"]]
    if result.get("type") == "array":
        if not isinstance(result.get("items"), dict):
            raise _NoStrictForm
        result["items"] = _strict(result["items"], root)
    if result.get("type") == "object":
        _close(result, root)
    if "$defs" in result:
        result["$defs"] = {name: _strict(child, root) for name, child in result["$defs"].items()}
    return result


def _close(node: JsonSchema, root: JsonSchema) -> None:
    if node.get("additionalProperties") or "properties" not in node:
        raise _NoStrictForm
    required = node.get("required", ())
    node["properties"] = {
        name: _strict(child, root) if name in required else _nullable(_strict(child, root))
        for name, child in node["properties"].items()
    }
    node.pop("required", None)
    if node["properties"]:  # some servers refuse an empty list
        node["required"] = list(node["properties"])
    node["additionalProperties"] = False


def _nullable(node: JsonSchema) -> JsonSchema:
    """The same schema, null allowed. Its description stays on top, where models look for it."""
    if node.get("type") == "null" or any(member.get("type") == "null" for member in node.get("anyOf", ())):
        return node
    node = dict(node)
    if isinstance(node.get("type"), str) and "enum" not in node and "const" not in node:
        return {**node, "type": [node["type"], "null"]}
    description = {"description": node.pop("description")} if "description" in node else {}
    if node.keys() == {"anyOf"}:
        return {**description, "anyOf": [*node["anyOf"], {"type": "null"}]}
    return {**description, "anyOf": [node, {"type": "null"}]}
