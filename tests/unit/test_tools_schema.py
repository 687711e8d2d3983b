"""Schemas as models read them: the strict dialect, and words."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import AnyUrl, BaseModel, Field

from agent_tools import function_tool
from agent_tools.json_schema import describe, resolve, strict


class Leaf(BaseModel):
    kind: Literal["leaf"] = "leaf"
    title: str = "none"


class Node(BaseModel):
    kind: Literal["node"]
    children: list[Node | Leaf] = []


@function_tool
def rich(
    when: datetime,
    link: AnyUrl,
    key: UUID,
    name: Annotated[str, Field(min_length=1, max_length=9)],
    tags: set[str],
    tree: Annotated[Node | Leaf, Field(discriminator="kind")],
    unit: Literal["C", "F"] = "C",
    leaf: Annotated[Leaf, Field(description="the leaf")] = Leaf(),  # noqa: B008 - only described
    note: str | None = None,
) -> None:
    """Do it."""


def test_the_strict_form():
    described = rich.to_openai()["function"]
    assert described["strict"] is True
    assert described["description"] == "Do it."
    schema = described["parameters"]
    found = schema["properties"]
    assert schema["required"] == list(found)
    assert schema["additionalProperties"] is False
    assert found["when"] == {"type": "string", "format": "date-time"}
    assert found["link"] == {"type": "string"}, "strict mode has no format uri"
    assert found["key"] == {"type": "string", "format": "uuid"}
    assert found["name"] == {"type": "string"}
    assert found["tags"] == {"type": "array", "items": {"type": "string"}}
    assert found["tree"] == {"anyOf": [{"$ref": "#/$defs/Node"}, {"$ref": "#/$defs/Leaf"}]}
    assert found["unit"] == {"anyOf": [{"type": "string", "enum": ["C", "F"]}, {"type": "null"}]}
    assert found["note"] == {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert found["leaf"]["description"] == "the leaf"
    assert found["leaf"]["type"] == ["object", "null"]
    assert found["leaf"]["properties"]["title"] == {"type": ["string", "null"]}
    assert schema["$defs"]["Node"]["required"] == ["kind", "children"]
    assert schema["$defs"]["Node"]["properties"]["children"]["type"] == ["array", "null"]


def test_without_strict_the_schema_goes_out_as_it_is():
    described = rich.to_openai(strict=False)["function"]
    assert "strict" not in described
    assert described["parameters"] == rich.parameters_schema()
    assert described["parameters"]["properties"]["link"]["format"] == "uri"


def open_object(counts: dict[str, int]) -> None: ...
def pair(pair: tuple[int, str]) -> None: ...
def anything(value: Any) -> None: ...
def plain_list(values: list) -> None: ...  # type: ignore[type-arg]
def plain_object(value: dict) -> None: ...  # type: ignore[type-arg]


@pytest.mark.parametrize("function", [open_object, pair, anything, plain_list, plain_object])
def test_what_has_no_strict_form_goes_out_without_it(function):
    tool = function_tool(function)
    assert tool.to_openai(strict=True)["function"]["parameters"] == tool.parameters_schema()
    assert "strict" not in tool.to_openai(strict=True)["function"]


def test_a_hand_written_schema_made_strict():
    schema = {
        "type": "object",
        "properties": {
            "a": {"allOf": [{"type": "integer"}], "description": "a number"},
            "b": {"oneOf": [{"const": 1}, {"type": "null"}]},
            "c": {"enum": ["x"], "default": "x", "description": "c"},
        },
    }
    assert strict(schema) == {
        "type": "object",
        "properties": {
            "a": {"type": ["integer", "null"], "description": "a number"},
            "b": {"anyOf": [{"const": 1}, {"type": "null"}]},
            "c": {"anyOf": [{"enum": ["x"]}, {"type": "null"}], "description": "c"},
        },
        "required": ["a", "b", "c"],
        "additionalProperties": False,
    }
    assert strict({"allOf": [{"type": "object"}, {"type": "object"}]}) is None


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, ""),
        ({"type": "string", "minLength": 2, "maxLength": 2}, "a string of 2 characters"),
        ({"type": "string", "minLength": 2}, "a string of at least 2 characters"),
        ({"type": "integer", "minimum": 1, "exclusiveMaximum": 9}, "an integer at least 1 below 9"),
        ({"type": "array", "items": {"type": "array", "items": {"type": "boolean"}}},
         "a list, each a list, each true or false"),
        ({"enum": ["a", 1, None, True]}, "'a', 1, null or true"),
        ({"const": "a"}, "'a'"),
        ({"enum": [str(n) for n in range(50)]}, ", ".join(repr(str(n)) for n in range(40)) + " or 10 more"),
        ({"anyOf": [{"type": "string"}, {"type": "string"}, {"type": "null"}]}, "a string or null"),
        ({"type": "string", "format": "email"}, "an email address"),
        ({"type": "object"}, "an object"),
    ],
)  # fmt: skip
def test_words(schema, words):
    assert describe(schema, schema) == words


def test_a_schema_that_contains_itself_can_be_described():
    schema = {"$defs": {"list": {"type": "array", "items": {"$ref": "#/$defs/list"}}}, "$ref": "#/$defs/list"}
    assert describe(schema, schema) == "a list, each a list, each a list"
    loop = {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}
    assert resolve(loop, loop)
    union = {"$defs": {"u": {"anyOf": [{"$ref": "#/$defs/u"}, {"type": "string"}]}}, "$ref": "#/$defs/u"}
    assert describe(union, union) == "a string"


def test_references_are_followed_through_escaped_names():
    schema = {"$defs": {"a/b~c": {"type": "string"}}, "$ref": "#/$defs/a~1b~0c", "description": "mine"}
    assert resolve(schema, schema)["type"] == "string"
    assert resolve(schema, schema)["description"] == "mine"


def test_importing_the_tools_is_light():
    import subprocess

    heavy = "import agent_tools, sys; print([m for m in ('textual', 'openai', 'numpy', 'livekit') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
