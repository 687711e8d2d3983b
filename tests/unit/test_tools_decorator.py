"""What the decorator reads from a function, and what it refuses."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from agent_tools import (
    CONFIRM_DUPLICATE_PARAM,
    CallContext,
    FunctionTool,
    RawFunctionTool,
    ToolFlag,
    find_function_tools,
    function_tool,
)

if TYPE_CHECKING:
    from decimal import Decimal

T = TypeVar("T")


class Context(CallContext, Generic[T]):
    """What a runtime would make of CallContext."""


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Stop(BaseModel):
    place: str
    days: Annotated[int, Field(ge=1, le=7)] = 3


class Options(TypedDict, total=False):
    quiet: bool


@dataclass
class Point:
    x: float
    y: float = 0.0


def properties(tool: FunctionTool[..., Any]) -> dict[str, Any]:
    return tool.parameters_schema()["properties"]


def test_name_description_and_parameters_come_from_the_function():
    @function_tool
    async def get_weather(city: str, days: int = 3) -> str:
        """Look up the weather.

        Only for big cities.

        Args:
            city: the city
                to look up
            days (int): how many
        Returns:
            a forecast
        """
        return f"{city} {days}"

    assert get_weather.id == get_weather.info.name == "get_weather"
    assert get_weather.info.description == "Look up the weather.\n\nOnly for big cities."
    assert get_weather.parameters_schema() == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "the city to look up"},
            "days": {"type": "integer", "description": "how many", "default": 3},
        },
        "required": ["city"],
    }


def test_arguments_of_the_decorator_win():
    @function_tool(
        name="other",
        description="Does it.",
        flags=ToolFlag.CANCELLABLE | ToolFlag.IGNORE_ON_ENTER,
        on_duplicate="reject",
        duplicate_scope="name_and_args",
    )
    def tool() -> None:
        """Does something else."""

    info = tool.info
    assert (info.name, info.description) == ("other", "Does it.")
    assert info.flags & ToolFlag.CANCELLABLE
    assert info.flags & ToolFlag.IGNORE_ON_ENTER
    assert (info.on_duplicate, info.duplicate_scope) == ("reject", "name_and_args")
    assert tool.parameters_schema() == {"type": "object", "properties": {}}


def test_every_kind_of_type_has_a_schema():
    @function_tool
    def tool(
        color: Color,
        stops: list[Stop],
        point: Point,
        options: Options,
        pair: tuple[int, str],
        counts: dict[str, int],
        when: datetime | date,
        unit: Literal["C", "F"] = "C",
        limit: Annotated[int, Field(ge=1, description="at most")] = 5,
        note: str | None = None,
        anything: Any = None,
    ) -> None: ...

    found = properties(tool)
    defs = tool.parameters_schema()["$defs"]
    assert defs["Color"] == {"enum": ["red", "blue"], "type": "string"}
    assert defs["Stop"]["properties"]["days"] == {"type": "integer", "minimum": 1, "maximum": 7, "default": 3}
    assert defs["Point"]["required"] == ["x"]
    assert defs["Options"]["properties"] == {"quiet": {"type": "boolean"}}
    assert found["stops"] == {"type": "array", "items": {"$ref": "#/$defs/Stop"}}
    assert [item["type"] for item in found["pair"]["prefixItems"]] == ["integer", "string"]
    assert found["counts"]["additionalProperties"] == {"type": "integer"}
    assert [member["format"] for member in found["when"]["anyOf"]] == ["date-time", "date"]
    assert found["unit"] == {"type": "string", "enum": ["C", "F"], "default": "C"}
    assert found["limit"] == {"type": "integer", "minimum": 1, "description": "at most", "default": 5}
    assert found["note"]["default"] is None
    assert tool.parameters_schema()["required"] == [
        "color", "stops", "point", "options", "pair", "counts", "when",
    ]  # fmt: skip


def test_a_fields_own_description_wins_over_the_docstring():
    @function_tool
    def tool(a: Annotated[int, Field(description="mine")], b: int = Field(2, ge=0, description="its own")) -> None:
        """Do it.

        Args:
            a: theirs
            b: theirs
        """

    assert properties(tool)["a"]["description"] == "mine"
    assert properties(tool)["b"] == {"type": "integer", "minimum": 0, "description": "its own", "default": 2}
    assert tool.parameters_schema()["required"] == ["a"]


def test_names_that_pydantic_models_refuse_are_fine():
    @function_tool
    def tool(schema: str, model_config: int, _hidden: str, json: bool, copy: int = 1, self_: str = "") -> None: ...

    assert list(properties(tool)) == ["schema", "model_config", "_hidden", "json", "copy", "self_"]


def test_contexts_are_left_out():
    @function_tool
    def tool(
        a: CallContext,
        b: Context[int],
        city: str,
        c: Context | None = None,
        d: Annotated[Context[str], "the call"] | None = None,
    ) -> None: ...

    assert list(properties(tool)) == ["city"]


async def test_classes_that_are_local_to_a_function_can_be_used():
    class Inner(BaseModel):
        other: Outer | None = None

    @function_tool
    def tool(inner: Inner, later: Outer) -> str:
        return f"{type(inner.other).__name__} {type(later).__name__}"

    class Outer(BaseModel):
        n: int

    outcome = await tool.execute({"inner": {"other": {"n": 1}}, "later": {"n": 2}})
    assert outcome.output == "Outer Outer"


async def test_names_of_the_class_body_and_the_function_around_it_can_be_used():
    class Local(BaseModel):
        n: int

    class Agent:
        Unit = Literal["C", "F"]

        @function_tool
        def tool(self, unit: Unit, local: Local) -> str:
            return f"{unit}{local.n}"

    assert (await Agent().tool.execute({"unit": "F", "local": {"n": 1}})).output == "F1"


async def test_a_name_that_never_exists_is_told_in_use():
    @function_tool
    def tool(price: Decimal) -> None: ...

    with pytest.raises(NameError, match="Decimal"):
        tool.parameters_schema()
    outcome = await tool.execute("{}")
    assert outcome.is_error
    assert isinstance(outcome.exception, NameError)


def test_a_return_annotation_that_cant_be_resolved_is_no_trouble():
    @function_tool
    def tool(city: str) -> Decimal: ...  # type: ignore[empty-body]

    assert list(properties(tool)) == ["city"]


def no_annotation(city): ...
def variadic(*cities: str): ...
def keywords(**cities: str): ...
def positional(city: str, /): ...
def callback(done: Callable[[], None]): ...
def thing(socket: inspect.Signature, city: str): ...
def deep(cities: list[dict[str, inspect.Signature]]): ...
def not_a_type(city: 3 + 4): ...
def a_list(city: [int]): ...  # fmt: skip


@pytest.mark.parametrize(
    ("function", "parameter", "problem"),
    [
        (no_annotation, "city", "no type annotation"),
        (variadic, r"\*cities", "name each parameter"),
        (keywords, r"\*\*cities", "name each parameter"),
        (positional, "city", "positional-only"),
        (callback, "done", "no schema can be made of"),
        (thing, "socket", "no schema can be made of"),
        (deep, "cities", "no schema can be made of"),
        (not_a_type, "city", "isn't a type"),
        (a_list, "city", "isn't a type"),
    ],
)
def test_a_function_that_cant_be_a_tool_is_refused(function, parameter, problem):
    with pytest.raises(TypeError, match=rf"{function.__name__} can't be a tool: parameter '{parameter}' .*{problem}"):
        function_tool(function)


def test_generators_and_other_objects_are_refused():
    def values() -> Iterator[int]:
        yield 1

    async def avalues() -> AsyncIterator[int]:
        yield 1

    for function in (values, avalues):
        with pytest.raises(TypeError, match="values can't be a tool: it is a generator"):
            function_tool(function)
    with pytest.raises(TypeError, match="must be a function"):
        function_tool("get_weather")  # type: ignore[call-overload]


class Base:
    prefix = "base"

    @function_tool
    async def greet(self, name: str) -> str:
        """Greet someone."""
        return f"{self.prefix} {name}"

    @function_tool
    def overridden(self, n: int) -> str:
        return f"base {n}"

    @function_tool
    def undecorated(self, n: int) -> str:
        return f"base {n}"


class Derived(Base):
    prefix = "derived"

    @function_tool
    def overridden(self, n: int, m: int = 1) -> str:
        return f"derived {n} {m}"

    def undecorated(self, n: int) -> str:
        return f"plain {n}"

    @staticmethod
    @function_tool
    def static(n: int) -> str:
        return f"static {n}"

    @function_tool
    @staticmethod
    def static_inside(n: int) -> str:
        return f"static {n}"

    @classmethod
    @function_tool
    def of_class(cls, n: int) -> str:
        return f"{cls.prefix} {n}"

    @function_tool
    @classmethod
    def of_class_inside(cls, n: int) -> str:
        return f"{cls.prefix} {n}"

    @property
    def explosive(self) -> None:
        raise AssertionError("a property must not be evaluated")


async def test_methods_bind_and_override():
    agent = Derived()
    tools = find_function_tools(agent)
    assert [tool.id for tool in tools] == [
        "greet", "overridden", "static", "static_inside", "of_class", "of_class_inside",
    ]  # fmt: skip
    by_name = {tool.id: tool for tool in tools}
    assert (await by_name["greet"].execute('{"name": "Ada"}')).output == "derived Ada"
    assert (await by_name["overridden"].execute('{"n": 1}')).output == "derived 1 1"
    assert (await by_name["static"].execute('{"n": 1}')).output == "static 1"
    assert (await by_name["static_inside"].execute('{"n": 1}')).output == "static 1"
    assert (await by_name["of_class"].execute('{"n": 1}')).output == "derived 1"
    assert (await by_name["of_class_inside"].execute('{"n": 1}')).output == "derived 1"


async def test_tools_are_still_functions():
    agent = Derived()
    assert await agent.greet("Ada") == "derived Ada"
    assert agent.overridden(1, m=2) == "derived 1 2"
    assert Derived.overridden(agent, 1) == "derived 1 1"
    assert Derived.static(3) == "static 3"
    assert str(inspect.signature(agent.greet)) == "(name: 'str') -> 'str'"
    assert agent.greet.__name__ == "greet"
    assert agent.greet.__doc__ == "Greet someone."
    assert [tool.id for tool in find_function_tools(Base)] == ["greet", "overridden", "undecorated"]
    assert list(properties(Base.greet)) == ["name"]


def test_a_method_is_the_same_tool_at_each_look():
    agent, other = Derived(), Derived()
    assert agent.greet is not agent.greet
    assert agent.greet == agent.greet
    assert hash(agent.greet) == hash(agent.greet)
    assert agent.greet != other.greet
    assert agent.greet != Base.greet
    assert agent.greet.renamed("hello") != agent.greet


async def test_a_free_function_as_a_class_attribute_isnt_bound():
    @function_tool
    def double(n: int) -> int:
        return 2 * n

    class Agent:
        twice = double

    assert [tool.id for tool in find_function_tools(Agent())] == ["double"]
    assert (await Agent().twice.execute('{"n": 2}')).value == 4


async def test_partials_and_wrappers():
    def scale(n: int, factor: int, offset: int = 0) -> int:
        """Scale a number.

        Args:
            n: the number
        """
        return n * factor + offset

    tool = function_tool(functools.partial(scale, factor=3))
    assert tool.info.description == "Scale a number."
    assert (tool.id, list(properties(tool))) == ("scale", ["n", "offset"])
    assert properties(tool)["n"]["description"] == "the number"
    assert (await tool.execute('{"n": 2}')).value == 6

    @function_tool
    @functools.wraps(scale)
    def wrapped(*args: Any, **kwargs: Any) -> int:
        return 100 + scale(*args, **kwargs)

    assert list(properties(wrapped)) == ["n", "factor", "offset"]
    assert (await wrapped.execute('{"n": 2, "factor": 2}')).value == 104


async def test_a_wrapper_around_a_tool_is_the_same_tool():
    def loudly(inner: Any) -> Any:
        @functools.wraps(inner)
        async def call(*args: Any, **kwargs: Any) -> str:
            return (await inner(*args, **kwargs)).upper()

        return call

    class Agent:
        @loudly
        @function_tool
        async def greet(self, name: str) -> str:
            return f"hello {name}"

    [tool] = find_function_tools(Agent())
    assert (await tool.execute('{"name": "ada"}')).output == "HELLO ADA"


async def test_raw_tools():
    schema = {"name": "open_gate", "description": "Open it.", "parameters": {"type": "object", "properties": {}}}

    class Agent:
        @function_tool(raw_schema=schema)
        async def tool(self, raw_arguments: dict[str, object], context: Context[int]) -> str:
            return f"{raw_arguments} {type(context).__name__}"

    agent = Agent()
    [tool] = find_function_tools(agent)
    assert isinstance(tool, RawFunctionTool)
    assert (tool.id, tool.description) == ("open_gate", "Open it.")
    assert tool.parameters_schema() == schema["parameters"]
    assert tool.to_openai() == {"type": "function", "function": schema}
    assert (await tool.execute('{"gate": [1, null]}', Context())).output == "{'gate': [1, None]} Context"
    assert (await tool.execute("[1]")).is_error


async def test_a_schema_of_ones_own_without_parameters_needs_no_arguments():
    schema = {"name": "ring", "parameters": {"type": "object", "properties": {}}}

    @function_tool(raw_schema=schema)
    def ring() -> str:
        return "rung"

    @function_tool(raw_schema=schema, on_duplicate="confirm")
    def confirmed() -> str:
        return "rung"

    assert ring.to_openai()["function"] == schema
    assert (await ring.execute('{"loud": true}')).output == "rung"
    assert (await confirmed.execute("{}")).output == "rung"


def test_nothing_is_required_of_a_tool_without_parameters():
    @function_tool
    def ring() -> str:
        """Ring."""
        return "rung"

    parameters = ring.to_openai()["function"]["parameters"]
    assert parameters == {"type": "object", "properties": {}, "additionalProperties": False}


def test_raw_schemas_are_checked():
    def tool(raw_arguments: dict[str, object]) -> None: ...
    def without() -> None: ...
    def more(raw_arguments: dict[str, object], city: str) -> None: ...

    schema = {"name": "x", "parameters": {"type": "object"}}
    with pytest.raises(ValueError, match="tool has no 'name'"):
        function_tool(tool, raw_schema={"parameters": {}})
    with pytest.raises(ValueError, match="tool has no 'parameters'"):
        function_tool(tool, raw_schema={"name": "x"})
    with pytest.raises(TypeError, match=r"without can't be a tool: .*'raw_arguments'"):
        function_tool(without, raw_schema={"name": "x", "parameters": {"type": "object", "properties": {"gate": {}}}})
    with pytest.raises(TypeError, match="more can't be a tool: parameter 'city'"):
        function_tool(more, raw_schema=schema)


async def test_a_duplicate_is_confirmed_by_an_argument_that_the_function_never_sees():
    @function_tool(on_duplicate="confirm")
    def book(seat: int = 1) -> int:
        return seat

    assert properties(book)[CONFIRM_DUPLICATE_PARAM]["default"] is False
    arguments = {"seat": 2, CONFIRM_DUPLICATE_PARAM: True}
    assert book.confirms_duplicate(arguments)
    assert not book.confirms_duplicate("{}")
    assert book.validate_arguments(arguments) == {"seat": 2}
    assert (await book.execute(arguments)).value == 2

    @function_tool(raw_schema={"name": "x", "parameters": {"type": "object"}}, on_duplicate="confirm")
    def raw(raw_arguments: dict[str, object]) -> object:
        return raw_arguments

    assert CONFIRM_DUPLICATE_PARAM in raw.parameters_schema()["properties"]
    assert raw.confirms_duplicate(arguments)
    assert (await raw.execute(arguments)).value == {"seat": 2}


def test_calls_that_mean_the_same_have_equal_validated_arguments():
    @function_tool
    def order(id: str, weight: float = 1, note: str | None = None) -> None: ...

    assert order.validate_arguments('{"id": "5", "weight": 2}') == order.validate_arguments({"id": "5", "weight": 2.0})
    assert order.validate_arguments('{"id": "5"}') == order.validate_arguments({"id": "5", "weight": None})
