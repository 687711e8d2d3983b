"""Assertions about a run: what passes, what fails, and what a failure shows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent_runtime import Agent, AgentSession, RunAssert, RunResult, ToolError, function_tool
from agent_runtime.testing import Answer, ScriptedLLM, run_virtual

LONG = "word " * 100


class Clerk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You sell things.")

    @function_tool
    async def price(self, item: str, count: int = 1) -> str:
        """Look up a price."""
        return f"{count} {item}: 5 euros"

    @function_tool
    async def order(self, item: str) -> str:
        """Order."""
        raise ToolError("sold out")

    @function_tool
    async def transfer(self) -> Any:
        """Hand over."""
        return Manager()


class Boss(Agent):
    pass


class Manager(Boss):
    def __init__(self) -> None:
        super().__init__(instructions="You manage.")

    async def on_enter(self) -> None:
        self.session.say(LONG)


async def converse() -> RunResult[Any]:
    answers = [
        Answer("Let me see.", [("price", '{"item": "lamp", "count": 2}'), ("order", '{"item": "lamp"}')]),
        Answer("", [("transfer", "{}")]),
    ]
    async with AgentSession[Any](llm=ScriptedLLM(answers)) as session:
        await session.start(Clerk())
        return await session.run(user_input="Two lamps")


@pytest.fixture(scope="module")
def finished() -> RunResult[Any]:
    """0 message; 1 price, 2 order; 3 and 4 their outputs; 5 transfer, 6 its output; 7 handoff; 8 message."""
    return run_virtual(converse())


@pytest.fixture
def expect(finished: RunResult[Any]) -> RunAssert:
    return RunAssert(finished)


def test_one_step_after_the_other(expect):
    said = expect.next_event().is_message(role="assistant")
    assert said.event().item.text_content == "Let me see."
    call = expect.next_event().is_function_call(name="price", arguments={"item": "lamp", "count": 2})
    assert call.event().item.name == "price"
    expect.next_event(type="function_call")
    output = expect.next_event().is_function_call_output(output="2 lamp: 5 euros", is_error=False)
    assert output.event().item.output == "2 lamp: 5 euros"
    expect.next_event().is_function_call_output(output="sold out", is_error=True)
    expect.skip_next(2)
    handoff = expect.next_event().is_agent_handoff(new_agent_type=Manager)
    assert isinstance(handoff.event().new_agent, Manager)
    assert isinstance(handoff.event().old_agent, Clerk)
    expect.next_event().is_message()
    expect.no_more_events()


def test_the_expectations_of_a_run_go_on_where_they_were(finished):
    finished.expect.next_event()
    finished.expect.next_event().is_function_call(name="price")
    assert finished.expect is finished.expect
    assert finished.expect is not RunAssert(finished)


@pytest.mark.parametrize("number", range(9))
def test_an_event_is_only_what_it_is(expect, number):
    event = expect[number]
    kinds = {
        "message": event.is_message,
        "function_call": event.is_function_call,
        "function_call_output": event.is_function_call_output,
        "agent_handoff": event.is_agent_handoff,
    }
    for kind, check in kinds.items():
        if kind == event.event().type:
            assert check().event() is event.event()
        else:
            with pytest.raises(AssertionError, match=f"expected an? {kind}\n   found an? {event.event().type}"):
                check()


@pytest.mark.parametrize(
    ("number", "check", "fields", "message"),
    [
        (0, "is_message", {"role": "user"}, "a message with role='user'\n   found a message with role='assistant'"),
        (1, "is_function_call", {"name": "buy"}, "name='buy'\n   found a function_call with name='price'"),
        (
            1,
            "is_function_call",
            {"name": "price", "arguments": {"count": 3}},
            "with name='price', arguments={'count': 3}\n"
            "   found a function_call with arguments={'item': 'lamp', 'count': 2}",
        ),
        (1, "is_function_call", {"arguments": {"color": None}}, "found a function_call with arguments="),
        (
            3,
            "is_function_call_output",
            {"output": "free"},
            "found a function_call_output with output='2 lamp: 5",
        ),
        (3, "is_function_call_output", {"is_error": True}, "found a function_call_output with is_error=False"),
        (4, "is_function_call_output", {"is_error": False}, "found a function_call_output with is_error=True"),
        (
            7,
            "is_agent_handoff",
            {"new_agent_type": Clerk},
            "=Clerk\n   found an agent_handoff with new_agent_type=Manager",
        ),
    ],
)
def test_a_difference_is_shown_beside_what_was_expected(expect, number, check, fields, message):
    with pytest.raises(AssertionError) as caught:
        getattr(expect[number], check)(**fields)
    assert message in str(caught.value)
    assert f"\n>>> [{number}] " in str(caught.value)


def test_only_the_arguments_that_are_given_are_compared(expect):
    expect[1].is_function_call(arguments={"count": 2})
    expect[1].is_function_call(arguments={})
    expect[5].is_function_call(name="transfer", arguments={})


def test_a_handoff_to_a_derived_class(expect):
    expect[7].is_agent_handoff(new_agent_type=Boss)


def test_a_failure_shows_the_whole_run(expect):
    with pytest.raises(AssertionError) as caught:
        expect[2].is_function_call(name="buy")
    assert str(caught.value) == (
        "expected a function_call with name='buy'\n"
        "   found a function_call with name='order'\n"
        "\n"
        "The run:\n"
        "        user                  'Two lamps'\n"
        "    [0] message               assistant: 'Let me see.'\n"
        '    [1] function_call         price({"item": "lamp", "count": 2})\n'
        '>>> [2] function_call         order({"item": "lamp"})\n'
        "    [3] function_call_output  price gave: '2 lamp: 5 euros'\n"
        "    [4] function_call_output  order failed: 'sold out'\n"
        "    [5] function_call         transfer({})\n"
        "    [6] function_call_output  transfer gave: ''\n"
        "    [7] agent_handoff         Clerk -> Manager\n"
        f"    [8] message               assistant: '{LONG[:300]}… ({len(LONG)} characters)'"
    )
    with pytest.raises(AssertionError) as caught:
        expect[8].is_message(role="user")
    assert f"assistant: {LONG!r}" in str(caught.value)


# --- moving on -------------------------------------------------------------------------------------------------------


def test_the_next_event_of_a_type_skips_the_others(expect):
    assert expect.next_event(type="function_call_output").event().item.name == "price"
    assert expect.next_event(type="agent_handoff").event().type == "agent_handoff"
    assert expect.next_event(type="message").event().item.text_content == LONG
    with pytest.raises(AssertionError, match=r"expected another event\n   found the end of the run") as caught:
        expect.next_event()
    assert str(caught.value).endswith(">>> (the run ends here)")


def test_the_next_event_of_a_type_that_does_not_come(expect):
    expect.skip_next(6)
    with pytest.raises(AssertionError, match=r"a function_call\n   found function_call_output, agent_handoff, message"):
        expect.next_event(type="function_call")
    expect.next_event().is_function_call_output()


def test_skipping_what_may_or_may_not_be_there(expect):
    assert expect.skip_next_event_if(type="message", role="user") is None
    assert expect.skip_next_event_if(type="function_call") is None
    skipped = expect.skip_next_event_if(type="message", role="assistant")
    assert skipped is not None
    assert skipped.event().item.text_content == "Let me see."
    assert expect.skip_next_event_if(type="function_call", name="price", arguments={"count": 3}) is None
    assert expect.skip_next_event_if(type="function_call", name="price", arguments={"count": 2}) is not None
    expect.skip_next()
    assert expect.skip_next_event_if(type="function_call_output", is_error=True) is None
    assert expect.skip_next_event_if(type="function_call_output", output="2 lamp: 5 euros") is not None
    expect.skip_next(3)
    assert expect.skip_next_event_if(type="agent_handoff", new_agent_type=Clerk) is None
    assert expect.skip_next_event_if(type="agent_handoff", new_agent_type=Manager) is not None
    assert expect.skip_next_event_if(type="message") is not None
    assert expect.skip_next_event_if(type="message") is None
    with pytest.raises(ValueError, match="no events of type 'speech'"):
        expect.skip_next_event_if(type="speech")


def test_skipping_more_than_there_is(expect):
    assert expect.skip_next(7) is expect
    with pytest.raises(AssertionError, match="expected 3 events to skip\n   found 2"):
        expect.skip_next(3)
    expect.skip_next(2)


def test_more_events_than_expected(expect):
    expect.skip_next(7)
    with pytest.raises(AssertionError, match="expected no more events\n   found agent_handoff, message") as caught:
        expect.no_more_events()
    assert str(caught.value).count(">>>") == 2


# --- any event -------------------------------------------------------------------------------------------------------


def test_events_by_index(expect):
    assert expect[-1].event() is expect[8].event()
    for index in (9, -10):
        with pytest.raises(AssertionError, match=rf"expected an event \[{index}\]\n   found 9 events"):
            _ = expect[index]
    with pytest.raises(TypeError, match="by int or slice, not str"):
        _ = expect["first"]
    expect.next_event().is_message()  # looking around doesn't move on


@pytest.mark.parametrize(
    ("check", "fields", "found_at", "wrong"),
    [
        ("contains_message", {"role": "assistant"}, 0, {"role": "user"}),
        ("contains_function_call", {"name": "order", "arguments": {"item": "lamp"}}, 2, {"name": "buy"}),
        ("contains_function_call_output", {"is_error": True}, 4, {"output": "free"}),
        ("contains_agent_handoff", {"new_agent_type": Boss}, 7, {"new_agent_type": Clerk}),
    ],
)
def test_somewhere_in_the_run(expect, check, fields, found_at, wrong):
    event = expect[found_at].event()
    assert getattr(expect, check)(**fields).event() is event
    assert getattr(expect[:], check)(**fields).event() is event
    assert getattr(expect[found_at:], check)(**fields).event() is event
    assert getattr(expect[: found_at + 1], check)().event().type == event.type
    with pytest.raises(AssertionError, match=r"found an? .* with|found \[\d\] an? "):
        getattr(expect, check)(**wrong)
    with pytest.raises(AssertionError, match=r"among \[:0\]\n   found none"):
        getattr(expect[:0], check)(**fields)


def test_a_range_shows_where_it_looked_and_what_comes_near(expect):
    with pytest.raises(AssertionError) as caught:
        expect[1:4].contains_function_call(name="buy")
    text = str(caught.value)
    assert text.startswith(
        "expected a function_call with name='buy' among [1:4]\n"
        "   found [1] a function_call with name='price', [2] a function_call with name='order'\n"
    )
    assert [line[5] for line in text.splitlines() if line.startswith(">>>")] == ["1", "2", "3"]
    with pytest.raises(AssertionError, match=r"among \[-2:\]"):
        expect[-2:].contains_function_call()
    found = expect[-3:].contains_message()
    with pytest.raises(AssertionError, match=r"\n>>> \[8\]"):
        found._parent[8].is_function_call()


# --- odd runs --------------------------------------------------------------------------------------------------------


def test_arguments_that_are_not_json(expect):
    async def scenario() -> RunResult[Any]:
        async with AgentSession[Any](llm=ScriptedLLM([Answer("", [("price", "{item")]), Answer("Sorry")])) as session:
            await session.start(Clerk())
            return await session.run(user_input="?")

    run = run_virtual(scenario())
    run.expect[0].is_function_call(name="price")
    with pytest.raises(AssertionError, match=r"arguments=\{\}\n   found a function_call with arguments='\{item'"):
        run.expect[0].is_function_call(arguments={})


def test_a_run_that_is_looked_at_too_early():
    async def scenario() -> None:
        async with AgentSession[Any](llm=ScriptedLLM([Answer("Hi")])) as session:
            await session.start(Clerk())
            run = session.run(user_input="?")
            with pytest.raises(AssertionError, match="await it before looking at it") as caught:
                run.expect.next_event()
            assert "(no events)" in str(caught.value)
            assert "not over yet" in repr(run)
            await run
            await asyncio.sleep(0)
            run.expect.next_event().is_message()

    run_virtual(scenario())
