"""Executing a tool: arguments, words for what is wrong with them, and what comes of a call."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, field_validator, model_serializer
from typing_extensions import TypedDict

from agent_tools import (
    CallContext,
    HandoffTarget,
    InvalidArgumentsError,
    StopResponse,
    ToolError,
    ToolResult,
    function_tool,
)


class Stop(BaseModel):
    place: str
    days: Annotated[int, Field(ge=1, le=7)] = 3
    unit: Literal["C", "F"] = "C"

    @field_validator("place")
    @classmethod
    def known(cls, place: str) -> str:
        if place == "Atlantis":
            raise ValueError("Atlantis has sunk")
        return place


class Options(TypedDict, total=False):
    quiet: bool


class Context(CallContext):
    pass


@function_tool
async def forecast(city: str, units: Literal["metric", "imperial"] = "metric", days: int = 3) -> str:
    return f"{city} {units} {days}"


@function_tool
def plan(
    stops: list[Stop] = Field(default=[], max_length=2),  # noqa: B008 - that it may stand here is tested
    options: Options | None = None,
    counts: dict[str, int] | None = None,
    when: date | None = None,
    budget: Annotated[float, Field(gt=0, multiple_of=0.5)] = 1.0,
    code: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "ABC",
    size: int | Literal["small", "large"] = "small",
) -> list[Any]:
    return [stops, options, counts, when, budget, code, size]


async def problem(tool: Any, arguments: Any) -> str:
    outcome = await tool.execute(arguments)
    assert outcome.is_error
    assert isinstance(outcome.exception, InvalidArgumentsError)
    assert outcome.details == ""
    prefix = f"Invalid arguments for {tool.id}: "
    assert outcome.output.startswith(prefix)
    return outcome.output.removeprefix(prefix)


async def test_arguments_come_as_json_text_or_parsed():
    for arguments in (
        '{"city": "Oslo", "days": "2"}',
        {"city": "Oslo", "days": 2},
        json.dumps('{"city":"Oslo","days":2}'),
    ):
        outcome = await forecast.execute(arguments)
        assert (outcome.output, outcome.is_error) == ("Oslo metric 2", False)


@pytest.mark.parametrize("nothing", ["", "  ", "null", "{}", {}])
async def test_no_arguments(nothing):
    @function_tool
    def tool(city: str = "here") -> str:
        return city

    assert (await tool.execute(nothing)).output == "here"


async def test_null_is_the_default_where_there_is_one():
    outcome = await forecast.execute('{"city": "Oslo", "units": null, "days": null}')
    assert outcome.output == "Oslo metric 3"
    arguments = {"stops": [{"place": "Oslo", "days": None, "unit": None}], "options": {"quiet": None}, "budget": None}
    stops, options, _, _, budget, _, _ = (await plan.execute(arguments)).value
    assert stops == [Stop(place="Oslo")]
    assert options == {}
    assert budget == 1.0
    assert arguments["stops"][0]["days"] is None, "the caller's dict is left alone"


async def test_null_elsewhere_is_an_error_or_a_value():
    assert await problem(forecast, '{"city": null}') == "city: expected a string, got null"
    assert await problem(plan, '{"counts": {"a": null}}') == "counts.a: expected an integer, got null"
    assert (await plan.execute('{"options": null}')).value[1] is None


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        (forecast, {}, "city: missing, expected a string"),
        (forecast, {"town": "Oslo"}, "city: missing, expected a string (there is no parameter 'town')"),
        (forecast, {"city": 3}, "city: expected a string, got 3"),
        (forecast, {"city": "x", "days": "soon"}, "days: expected an integer, got 'soon'"),
        (
            forecast,
            {"city": "x", "units": "Metrics"},
            "units: expected 'metric' or 'imperial', got 'Metrics'; did you mean 'metric'?",
        ),
        (forecast, {"units": 1, "days": []}, "city: missing, expected a string; "
         "units: expected 'metric' or 'imperial', got 1; days: expected an integer, got []"),
        (plan, {"stops": [{"place": "Oslo", "days": 9}]}, "stops.0.days: expected an integer from 1 to 7, got 9"),
        (plan, {"stops": [{"days": 1}]}, "stops.0.place: missing, expected a string"),
        (plan, {"stops": [{"place": "Atlantis"}]}, "stops.0.place: Atlantis has sunk, got 'Atlantis'"),
        (plan, {"stops": ["Oslo"]}, "stops.0: expected an object with place, days, unit, got 'Oslo'"),
        (plan, {"stops": [{"place": "a"}] * 3}, "stops: expected a list of at most 2 items, each an object with place, "
         'days, unit, got [{"place":"a"},{"place":"a"},{"place":"a"}]'),
        (plan, {"when": "tomorrow"}, "when: expected a date such as 2025-01-31 or null, got 'tomorrow' "
         "(input is too short)"),
        (plan, {"budget": 0.25}, "budget: expected a number above 0, a multiple of 0.5, got 0.25"),
        (plan, {"code": "ab"}, "code: expected a string matching ^[A-Z]{3}$, got 'ab'"),
        (plan, {"size": "medium"}, "size: expected an integer or 'small' or 'large', got 'medium'"),
        (plan, {"counts": {"a": "x" * 200}}, "counts.a: expected an integer, got '" + "x" * 78 + "…"),
        (plan, {"options": 3}, "options: expected an object with quiet or null, got 3"),
        (plan, [1], "the arguments must be one JSON object with a value for each parameter, not [1]"),
        (plan, "{'city': 1}", "the arguments aren't valid JSON (key must be a string at line 1 column 2): {'city': 1}"),
        (plan, '{"code": "ABC', "the arguments aren't valid JSON (EOF while parsing a string at line 1 column 13): "
         '{"code": "ABC'),
    ],
)  # fmt: skip
async def test_problems_are_told_in_words_that_repair_the_call(tool, arguments, words):
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments)
    assert await problem(tool, arguments) == words


async def test_ten_problems_are_enough():
    @function_tool
    def tool(numbers: list[int]) -> None: ...

    words = await problem(tool, {"numbers": ["x"] * 30})
    assert words.count("numbers.") == 10
    assert words.endswith("; and 20 more problems")


async def test_surplus_arguments_are_left_out():
    assert (await forecast.execute({"city": "Oslo", "mood": "good"})).output == "Oslo metric 3"


async def test_a_validator_that_breaks_is_an_internal_error():
    class Broken(BaseModel):
        n: int

        @field_validator("n")
        @classmethod
        def check(cls, n: int) -> int:
            raise KeyError(n)

    @function_tool
    def tool(broken: Broken) -> None: ...

    outcome = await tool.execute({"broken": {"n": 1}})
    assert (outcome.output, outcome.is_error) == ("An internal error occurred", True)
    assert "KeyError: 1" in outcome.details


async def test_contexts_are_filled_in():
    @function_tool
    async def tool(context: Context, other: CallContext | None, number: int, last: Context | None = None) -> Any:
        return [type(context).__name__, type(other).__name__, number, type(last).__name__]

    @function_tool
    async def optional(context: Context | None) -> str:
        return str(context)

    assert (await tool.execute({"number": 1}, Context())).value == ["Context", "Context", 1, "Context"]
    assert (await optional.execute("{}")).value == "None"
    missing = await tool.execute({"number": 1})
    assert missing.is_error
    assert str(missing.exception) == "tool asks for a Context in 'context' and none was given"
    wrong = await tool.execute({"number": 1}, CallContext())
    assert str(wrong.exception) == "tool asks for a Context in 'context' and a CallContext was given"


async def test_tool_error_reaches_the_model_as_written():
    @function_tool
    def tool() -> None:
        raise ToolError("Try Oslo.")

    outcome = await tool.execute("")
    assert (outcome.output, outcome.is_error, outcome.details) == ("Try Oslo.", True, "")
    assert isinstance(outcome.exception, ToolError)


async def test_any_other_exception_is_told_to_people_only():
    @function_tool
    async def tool() -> None:
        await asyncio.sleep(0)
        raise KeyError("secret")

    outcome = await tool.execute("")
    assert (outcome.output, outcome.is_error) == ("An internal error occurred", True)
    assert outcome.reply_required
    lines = outcome.details.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert __file__ in lines[1], "the traceback begins in the tool"
    assert lines[-1] == "KeyError: 'secret'"


async def test_a_returned_exception_counts_as_raised():
    @function_tool
    def tool() -> Exception:
        return ToolError("Try Oslo.")

    assert (await tool.execute("")).output == "Try Oslo."


async def test_stop_response_is_silence():
    @function_tool
    def tool() -> None:
        raise StopResponse

    outcome = await tool.execute("")
    assert (outcome.output, outcome.is_error, outcome.reply_required) == ("", False, False)
    assert isinstance(outcome.exception, StopResponse)


async def test_cancellation_passes():
    started = asyncio.Event()

    @function_tool
    async def tool() -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(tool.execute(""))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Level(str, Enum):  # noqa: UP042 - StrEnum writes itself differently
    HIGH = "high"


@dataclass
class Point:
    x: float


class Text(str):
    pass


@pytest.mark.parametrize(
    ("value", "output"),
    [
        ("text", "text"),
        ("", ""),
        (Text("t"), "t"),
        (None, ""),
        (3, "3"),
        (True, "true"),
        (0.5, "0.5"),
        (Level.HIGH, "high"),
        (date(2025, 1, 31), "2025-01-31"),
        (datetime(2025, 1, 31, 9), "2025-01-31T09:00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("8.5"), "8.5"),
        (Path("/tmp"), "/tmp"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        ({"é": "日本"}, '{"é":"日本"}'),
        ((1, "a"), '[1,"a"]'),
        ({1}, "[1]"),
        ([], "[]"),
        (Point(1.5), '{"x":1.5}'),
        (Stop(place="Oslo"), '{"place":"Oslo","days":3,"unit":"C"}'),
        ([Stop(place="Oslo"), Level.HIGH], '[{"place":"Oslo","days":3,"unit":"C"},"high"]'),
        (float("nan"), "NaN"),
        ("a\ud800b", "a?b"),
    ],
)
async def test_values_as_text(value, output):
    @function_tool
    def tool() -> Any:
        return value

    outcome = await tool.execute("")
    assert (outcome.output, outcome.is_error) == (output, False)
    assert outcome.value is value
    assert outcome.reply_required is (value is not None)


class Odd:
    pass


class Explosive(BaseModel):
    @model_serializer
    def write(self) -> Any:
        raise RuntimeError("boom")


def cyclic() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def lazy() -> Iterator[int]:
    return iter([1])


@pytest.mark.parametrize(
    ("make", "kind"),
    [(Odd, f"{__name__}.Odd"), (Explosive, f"{__name__}.Explosive"), (cyclic, "list"), (lazy, "list_iterator")],
)
async def test_a_value_that_isnt_text_names_tool_and_type(make, kind):
    @function_tool
    def tool() -> Any:
        return make()

    outcome = await tool.execute("")
    assert outcome.is_error
    assert outcome.output == f"tool returned a value of type {kind} that can't be given as text"
    assert "Traceback" in outcome.details


async def test_tool_result_says_whether_it_wants_a_reply():
    @function_tool
    def tool(reply: bool) -> ToolResult:
        return ToolResult({"sent": 1}, reply_required=reply)

    assert (await tool.execute({"reply": True})).reply_required
    outcome = await tool.execute({"reply": False})
    assert (outcome.output, outcome.reply_required) == ('{"sent":1}', False)


async def test_handoffs_are_parted_from_their_result():
    class Agent(HandoffTarget):
        pass

    agent = Agent()
    returned: Any = None

    @function_tool
    def tool() -> Any:
        return returned

    for returned, output, reply in [
        (agent, "", False),
        ((agent, "moving on"), "moving on", True),
        (["moving on", agent], "moving on", True),
        ((agent, "a", 1), '["a",1]', True),
        ((agent, ToolResult("quietly", reply_required=False)), "quietly", False),
    ]:
        outcome = await tool.execute("")
        assert (outcome.output, outcome.reply_required, outcome.handoff) == (output, reply, agent)
        assert outcome.value is returned
        assert not outcome.is_error

    returned = [agent, Agent()]
    outcome = await tool.execute("")
    assert (outcome.output, outcome.is_error, outcome.handoff) == (
        "tool handed over to more than one agent",
        True,
        None,
    )
