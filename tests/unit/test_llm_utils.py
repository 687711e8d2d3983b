"""What plugins take from `llm.utils` and `llm.remote_chat_context`, to work by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any, Literal, TypedDict

import pytest
from pydantic import BaseModel, Field

from agent_runtime import Agent, RunContext, ToolError, function_tool
from agent_runtime.llm import ChatMessage
from agent_runtime.llm.remote_chat_context import RemoteChatContext
from agent_runtime.llm.utils import (
    ThinkingTokenFilter,
    function_arguments_to_pydantic_model,
    parse_function_arguments,
    prepare_function_arguments,
    strip_thinking_tokens,
    to_openai_response_format,
    to_response_format_param,
)
from agent_tools import CallContext


class Size(BaseModel):
    width: int
    unit: Literal["cm", "in"] = "cm"


@function_tool
async def cut(size: Size, count: Annotated[int, Field(ge=1)] = 1, *, note: str | None = None) -> str:
    """Cut a board."""
    return f"{count} of {size.width} {size.unit}"


class Shop(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Sell.")

    @function_tool
    async def sell(self, what: str, context: RunContext) -> str:
        """Sell something."""
        return what

    @function_tool(raw_schema={"name": "order", "description": "", "parameters": {"type": "object"}})
    async def order(self, raw_arguments: dict[str, object]) -> object:
        return raw_arguments["what"]


@pytest.mark.parametrize("given", ['{"size": {"width": 3, "unit": null}, "count": null}', {"size": {"width": 3}}])
async def test_arguments_are_typed_and_defaults_filled_in(given: Any):
    args, kwargs = prepare_function_arguments(fnc=cut, json_arguments=given)
    assert (args, kwargs) == ((Size(width=3), 1), {"note": None})
    assert await cut(*args, **kwargs) == "1 of 3 cm"


async def test_methods_contexts_and_schemas_of_the_authors_own():
    shop, context = Shop(), RunContext.__new__(RunContext)
    assert prepare_function_arguments(fnc=shop.sell, json_arguments='{"what": "tea"}', call_ctx=context) == (
        ("tea", context),
        {},
    )
    with pytest.raises(ToolError, match="context"):
        prepare_function_arguments(fnc=shop.sell, json_arguments='{"what": "tea"}', call_ctx=CallContext())
    args, kwargs = prepare_function_arguments(fnc=shop.order, json_arguments='{"what": "tea"}')
    assert await shop.order(*args, **kwargs) == "tea"


@pytest.mark.parametrize("given", ["{}", '{"size": {"width": "wide"}}', '{"size": {"width": 3}, "count": 0}', "cut it"])
def test_what_does_not_fit_is_the_models_to_mend(given: str):
    with pytest.raises(ToolError, match="cut"):
        prepare_function_arguments(fnc=cut, json_arguments=given)


def test_arguments_are_one_object():
    assert parse_function_arguments('{"a": [1]}') == {"a": [1]}
    assert parse_function_arguments('"{\\"a\\": 1}"') == {"a": 1}
    assert parse_function_arguments("null") == parse_function_arguments("") == {}
    for wrong in ("[1]", '"tea"', '{"a": 1'):
        with pytest.raises(ValueError, match="JSON"):
            parse_function_arguments(wrong)


class Wanted(TypedDict):
    name: str
    sizes: list[Size]


def test_a_type_to_answer_with():
    wanted = to_openai_response_format(Wanted)
    assert (wanted["type"], wanted["json_schema"]["name"], wanted["json_schema"]["strict"]) == (
        "json_schema",
        "Wanted",
        True,
    )
    schema = wanted["json_schema"]["schema"]
    assert schema["required"] == ["name", "sizes"]
    assert schema["additionalProperties"] is False
    assert to_openai_response_format(Size)["json_schema"]["schema"]["required"] == ["width", "unit"]
    for impossible in (int, {"type": "text"}):
        with pytest.raises(TypeError, match="response format"):
            to_openai_response_format(impossible)


def test_thoughts_are_taken_out_of_pieces():
    state = ThinkingTokenFilter()
    pieces = ["Yes<th", "ink>why", " not</thi", "nk> indeed <", "3"]
    assert [strip_thinking_tokens(piece, state) for piece in pieces] == ["Yes", None, None, " indeed ", "<3"]
    assert strip_thinking_tokens("", state) == ""
    assert strip_thinking_tokens(None, state) is None
    assert strip_thinking_tokens("<think>cut", state, final=True) is None
    parts = [{"type": "text", "text": "a"}, SimpleNamespace(text="b"), "c", {"type": "image"}]
    assert strip_thinking_tokens(parts, state) == "abc"
    own = ThinkingTokenFilter(start_tag="[[", end_tag="]]")
    assert strip_thinking_tokens("a[[b]]c[", own, final=True) == "ac["


def test_a_servers_items_keep_its_order():
    first, second, third = (ChatMessage(id=name, role="user", content=[name]) for name in ("a", "b", "c"))
    remote = RemoteChatContext()
    assert remote.tail_id is None
    remote.insert(None, second)
    remote.insert("b", third)
    remote.insert(None, first)
    assert remote.to_chat_ctx().items == [first, second, third]
    assert remote.tail_id == "c"
    found = remote.get("b")
    assert found is not None
    assert found.item is second
    remote.delete("c")
    assert (remote.tail_id, remote.get("c")) == ("b", None)
    for wrong in (lambda: remote.insert("c", third), lambda: remote.insert(None, first), lambda: remote.delete("c")):
        with pytest.raises(ValueError, match="item"):
            wrong()


def test_a_functions_arguments_as_a_model():
    @function_tool
    async def order(context: RunContext, dish: str, count: Annotated[int, Field(ge=1)] = 1) -> str:
        """Order a dish.

        Args:
            dish: what is on the card.
        """
        return dish

    model = function_arguments_to_pydantic_model(order)
    schema = model.model_json_schema()
    assert model.__name__ == "OrderArgs"
    assert list(schema["properties"]) == ["dish", "count"]
    assert schema["required"] == ["dish"]
    assert schema["properties"]["dish"]["description"] == "what is on the card."
    assert model(dish="soup").model_dump() == {"dish": "soup", "count": 1}
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        model(dish="soup", count=0)


def test_a_methods_arguments_as_a_model():
    assert list(function_arguments_to_pydantic_model(Shop().sell).model_fields) == ["what"]


def test_a_response_format_and_what_validates_an_answer():
    class Pair(TypedDict):
        left: int
        right: int

    assert to_response_format_param(Size) == ("Size", Size)
    name, model = to_response_format_param(Pair)
    assert name == "Pair"
    assert isinstance(model, type)
    assert model.model_validate({"left": 1, "right": 2}).model_dump() == {"left": 1, "right": 2}
    with pytest.raises(TypeError, match="can't be a response format"):
        to_response_format_param(int)
