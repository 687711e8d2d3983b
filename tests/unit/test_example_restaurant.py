"""The restaurant example: who is handed over to whom, and what the order has in it."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest

from agent_runtime.testing import Answer, ScriptedLLM, in_virtual_time
from agent_tools import ToolError
from tests.support.examples import load_example


@pytest.fixture(scope="module")
def restaurant() -> ModuleType:
    return load_example("restaurant_agent")


def call(tool: str, **arguments: Any) -> Answer:
    return Answer(tool_calls=[(tool, json.dumps(arguments))])


async def started(example: ModuleType, *answers: Answer) -> Any:
    session, agent = example.restaurant()
    session.update_options(llm=ScriptedLLM(list(answers)), vad=None)
    await session.start(agent, capture_run=True)
    return session


@in_virtual_time
async def test_an_order_goes_from_the_greeter_to_the_bill(restaurant: ModuleType) -> None:
    session = await started(
        restaurant,
        call("order_food"),
        call("order_food", dishes=["two pizzas", "a cola"]),
        Answer("Two pizzas and a cola."),
        call("check_out"),
        call("give_name", caller="Anna"),
        call("pay", method="card"),
        Answer("Goodbye."),
    )
    ordered = await session.run(user_input="I'd like two pizzas and a cola")
    ordered.expect.contains_agent_handoff(new_agent_type=restaurant.Takeaway)
    ordered.expect.contains_function_call_output(output="I have 2 pizzas and 1 cola. Anything else?")
    asked = await session.run(user_input="That's all")
    asked.expect.contains_agent_handoff(new_agent_type=restaurant.AskName)
    told = await session.run(user_input="Anna")
    said = told.expect.contains_message(role="assistant").event().item.text_content
    assert said == "Thank you, Anna. That is 2 pizzas and 1 cola for 20 euros. Card or cash?"
    paid = await session.run(user_input="By card")
    paid.expect.contains_function_call_output(output="20 euros by card. It is ready in twenty minutes. Goodbye!")
    assert session.userdata == restaurant.Visit(name="Anna", dishes={"pizza": 2, "cola": 1}, paid="card")
    await session.aclose()


@in_virtual_time
async def test_a_table_is_booked_and_the_name_asked_for_only_once(restaurant: ModuleType) -> None:
    session = await started(
        restaurant,
        call("book_table"),
        call("book_table", people=4, time="seven"),
        call("give_name", caller="Bob"),
        Answer("Booked."),
        call("book_table", people=5, time="eight", day="tomorrow"),
        Answer("Changed."),
    )
    await session.run(user_input="A table for four at seven")
    booked = await session.run(user_input="Bob")
    booked.expect.contains_function_call_output(output="Thank you, Bob: a table for 4 today at seven. See you then!")
    changed = await session.run(user_input="Make that five, tomorrow at eight")
    changed.expect.contains_message(role="assistant")
    assert session.userdata == restaurant.Visit(name="Bob", table="a table for 5 tomorrow at eight")
    await session.aclose()


@in_virtual_time
async def test_the_order_is_changed_at_the_bill(restaurant: ModuleType) -> None:
    session = await started(
        restaurant,
        call("order_food"),
        call("order_food", dishes=["pizza"]),
        Answer("A pizza."),
        call("check_out"),
        call("change_order"),
        call("remove_dish", dishes=["the pizza"]),
        Answer("None, then."),
        call("check_out"),
        Answer("There is nothing to pay."),
    )
    session.userdata.name = "Zoe"
    for said in ("A pizza", "That's all", "Without the pizza"):
        await session.run(user_input=said)
    assert isinstance(session.current_agent, restaurant.Takeaway)
    nothing = await session.run(user_input="That's all")
    nothing.expect.contains_function_call_output(output="Nothing was ordered yet.", is_error=True)
    assert session.userdata == restaurant.Visit(name="Zoe")
    await session.aclose()


@pytest.mark.parametrize(
    ("said", "dishes"),
    [
        (["two pizzas", "a cola"], {"pizza": 2, "cola": 1}),
        (["3 ice creams"], {"ice cream": 3}),
        (["Pizza", "pizza"], {"pizza": 2}),
        (["the large salad with oil"], {"salad": 1}),
    ],
)
def test_dishes_are_counted(restaurant: ModuleType, said: list[str], dishes: dict[str, int]) -> None:
    assert restaurant.read_dishes(said) == dishes


def test_what_is_not_on_the_menu_is_refused_with_the_menu(restaurant: ModuleType) -> None:
    with pytest.raises(ToolError, match=r"We don't have one burger\. We have pizza, pasta"):
        restaurant.read_dishes(["a pizza", "one burger"])


async def test_two_callers_have_an_order_each(restaurant: ModuleType) -> None:
    assert restaurant.restaurant()[0].userdata is not restaurant.restaurant()[0].userdata
