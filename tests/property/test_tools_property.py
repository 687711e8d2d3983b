"""Tools of any signature take what fits and refuse what doesn't, and never break."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
import keyword
import string
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, create_model
from pydantic_core import to_jsonable_python
from typing_extensions import TypedDict

from agent_tools import FunctionTool, InvalidArgumentsError, function_tool


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: int
    tag: str = "none"


class Options(TypedDict, total=False):
    quiet: bool
    level: int


Stop = create_model("Stop", place=(str, ...), days=(Annotated[int, Field(ge=1, le=7)], 3), near=(list[Point], []))

# a type, and values of it that JSON can tell from every other type's
Typed = tuple[Any, st.SearchStrategy[Any]]
texts = st.text(st.characters(codec="utf-8"), max_size=8)
ints = st.integers(-(2**53), 2**53)
points = st.builds(Point, ints, texts)
LEAVES: list[Typed] = [
    (str, texts),
    (int, ints),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (bool, st.booleans()),
    (Literal["a", "b", 3], st.sampled_from(["a", "b", 3])),
    (Color, st.sampled_from(Color)),
    (Point, points),
    (Stop, st.builds(Stop, place=texts, days=st.integers(1, 7), near=st.lists(points, max_size=2))),
    (Options, st.fixed_dictionaries({}, optional={"quiet": st.booleans(), "level": ints})),
    (Annotated[int, Field(ge=0, le=9, description="a digit")], st.integers(0, 9)),
]


def around(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return st.one_of(
        inner.map(lambda typed: (list[typed[0]], st.lists(typed[1], max_size=3))),  # type: ignore[name-defined]
        inner.map(lambda typed: (dict[str, typed[0]], st.dictionaries(texts, typed[1], max_size=3))),  # type: ignore[name-defined]
        inner.map(lambda typed: (typed[0] | None, st.none() | typed[1])),
        st.tuples(inner, inner).map(lambda two: (tuple[two[0][0], two[1][0]], st.tuples(two[0][1], two[1][1]))),  # type: ignore[name-defined]
    )


types = st.recursive(st.sampled_from(LEAVES), around, max_leaves=4)
names = st.text(string.ascii_letters + "_é", min_size=1, max_size=8).filter(
    lambda name: name.isidentifier() and not keyword.iskeyword(name) and name != "self"
) | st.sampled_from(["schema", "json", "model_config", "copy", "class_", "type", "title", "items", "properties"])


@dataclasses.dataclass
class Parameter:
    hint: Any
    values: st.SearchStrategy[Any]
    default: Any


@st.composite
def parameters(draw: st.DrawFn) -> dict[str, Parameter]:
    made: dict[str, Parameter] = {}
    for name in draw(st.lists(names, unique=True, max_size=4)):
        hint, values = draw(types)
        made[name] = Parameter(hint, values, draw(st.just(inspect.Parameter.empty) | values))
    return made


def make_tool(made: dict[str, Parameter]) -> tuple[FunctionTool[..., Any], list[dict[str, Any]]]:
    calls: list[dict[str, Any]] = []

    def function(**kwargs: Any) -> str:
        calls.append(kwargs)
        return "done"

    declared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=one.hint)
        for name, one in made.items()
    ]
    function.__signature__ = inspect.Signature(declared)  # type: ignore[attr-defined]
    return function_tool(function), calls


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def nodes(schema: Any) -> Iterator[Any]:
    if isinstance(schema, dict):
        yield schema
        for key in ("properties", "$defs"):
            for child in schema.get(key, {}).values():
                yield from nodes(child)
        for key in ("anyOf", "prefixItems"):
            for child in schema.get(key, []):
                yield from nodes(child)
        for key in ("items", "additionalProperties"):
            yield from nodes(schema.get(key))


async def check_refusal(tool: FunctionTool[..., Any], arguments: Any) -> None:
    outcome = await tool.execute(arguments)
    if outcome.is_error:
        assert isinstance(outcome.exception, InvalidArgumentsError), outcome.details
        assert outcome.exception.problems
        outcome.output.encode()
    else:
        assert outcome.output == "done"


@settings(deadline=None, max_examples=60)
@given(parameters(), st.data())
async def test_anything_is_taken_or_refused(made: dict[str, Parameter], data: st.DataObject) -> None:
    tool, _ = make_tool(made)
    some = st.dictionaries(st.sampled_from(list(made)) if made else st.nothing(), json_values)
    anything = data.draw(some | json_values)
    await check_refusal(tool, json.dumps(anything))
    if isinstance(anything, dict):
        await check_refusal(tool, anything)


@settings(deadline=None, max_examples=60)
@given(parameters(), st.text(max_size=20), st.data())
async def test_broken_json_is_refused(made: dict[str, Parameter], garbage: str, data: st.DataObject) -> None:
    tool, _ = make_tool(made)
    await check_refusal(tool, garbage)
    valid = json.dumps({name: to_jsonable_python(data.draw(one.values)) for name, one in made.items()})
    await check_refusal(tool, valid[: data.draw(st.integers(0, len(valid)))])


@settings(deadline=None, max_examples=100)
@given(parameters(), st.data())
async def test_values_of_the_right_type_arrive_as_they_are(made: dict[str, Parameter], data: st.DataObject) -> None:
    tool, calls = make_tool(made)
    values = {name: data.draw(one.values) for name, one in made.items()}
    outcome = await tool.execute(json.dumps(to_jsonable_python(values)))
    assert (outcome.output, outcome.is_error) == ("done", False)
    assert calls == [values]
    await tool.execute(to_jsonable_python(values))
    assert calls[1] == values


@settings(deadline=None, max_examples=100)
@given(parameters(), st.data())
async def test_null_means_left_out(made: dict[str, Parameter], data: st.DataObject) -> None:
    tool, calls = make_tool(made)
    arguments, expected = {}, {}
    for name, one in made.items():
        may_be_null = _takes_none(one.hint)
        if one.default is not inspect.Parameter.empty and not may_be_null and data.draw(st.booleans()):
            arguments[name] = None
        else:
            expected[name] = data.draw(one.values)
            arguments[name] = to_jsonable_python(expected[name])
    outcome = await tool.execute(json.dumps(arguments))
    assert not outcome.is_error, outcome.output
    assert calls == [expected]


@settings(deadline=None, max_examples=100)
@given(parameters())
def test_strict_schemas_are_closed_and_complete(made: dict[str, Parameter]) -> None:
    tool, _ = make_tool(made)
    plain = json.loads(json.dumps(tool.parameters_schema()))
    described = tool.to_openai(strict=True)["function"]
    assert tool.parameters_schema() == plain, "the strict form is made on a copy"
    assert set(plain["properties"]) == set(made)
    assert plain.get("required", []) == [name for name, one in made.items() if one.default is inspect.Parameter.empty]
    if not described.get("strict"):
        open_or_tuple = [node for node in nodes(plain) if node.get("additionalProperties") or "prefixItems" in node]
        assert open_or_tuple, "only open objects and tuples have no strict form"
        return
    for node in nodes(described["parameters"]):
        assert "default" not in node
        assert "title" not in node
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert node.get("required", []) == list(node["properties"])
        if "$ref" in node:
            assert set(node) == {"$ref"}
            assert node["$ref"].removeprefix("#/$defs/") in described["parameters"]["$defs"]


def _takes_none(hint: Any) -> bool:
    return type(None) in getattr(hint, "__args__", ())
