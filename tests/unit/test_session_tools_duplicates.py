"""The same tool called again while it runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent_runtime import Agent, RunContext, ToolFlag, function_tool
from agent_runtime.testing import Answer, Stage
from agent_tools import CONFIRM_DUPLICATE_PARAM, DuplicateMode, DuplicateScope
from tests.support.play import HELLO, play

CONFIRMED = f'{{"city": "Rome", "{CONFIRM_DUPLICATE_PARAM}": true}}'


class Travel:
    """An agent's tool `book`, which takes four seconds in the background, and how often it ran."""

    def __init__(
        self,
        on_duplicate: DuplicateMode,
        scope: DuplicateScope = "name",
        flags: ToolFlag = ToolFlag.CANCELLABLE,
        raw: bool = False,
    ) -> None:
        self.ran: list[str] = []

        async def work(context: RunContext[Any], city: str) -> str:
            self.ran.append(city)
            await context.update(f"booking {city}")
            await asyncio.sleep(4.0)
            self.ran.append(f"{city} booked")
            return f"{city} booked"

        if raw:

            async def book_raw(raw_arguments: dict[str, Any], context: RunContext[Any]) -> str:
                return await work(context, raw_arguments["city"])

            schema = {"name": "book", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
            self.tool: Any = function_tool(
                book_raw, raw_schema=schema, flags=flags, on_duplicate=on_duplicate, duplicate_scope=scope
            )
            return

        async def book(context: RunContext[Any], city: str, people: int = 1) -> str:
            """Book."""
            return await work(context, city)

        self.tool = function_tool(book, flags=flags, on_duplicate=on_duplicate, duplicate_scope=scope)

    def play(self, *arguments: str, together: bool = False, **options: Any) -> Stage:
        """Call it with each of the arguments, one reply after the other or all in one."""
        calls = [("book", each) for each in arguments]
        steps = [Answer("", calls)] if together else [Answer("", [call]) for call in calls]
        agent = Agent(instructions="", tools=[self.tool])

        async def act(stage: Stage) -> None:
            for step in steps:
                stage.llm.answers += [step, Answer("Yes")]
                await stage.session.generate_reply(user_input="Go")
            stage.llm.answers += [Answer("News")] * 3

        return play(12.0, agent=lambda: agent, act=act, durations=[0.2] * 10, **options)


def first_outputs(stage: Stage) -> list[tuple[str, bool]]:
    """What each call was answered with at once."""
    return [
        (i.output, i.is_error)
        for i in stage.session.history.items
        if i.type == "function_call_output" and i.call_id.count("_") == 1
    ]


ROME, PARIS = '{"city": "Rome"}', '{"city": "Paris"}'


def test_duplicates_are_allowed_by_default() -> None:
    travel = Travel("allow")
    travel.play(ROME, ROME)
    assert travel.ran == ["Rome", "Rome", "Rome booked", "Rome booked"]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("raw", [True, False])
def test_reject_names_the_call_that_runs(together: bool, raw: bool) -> None:
    travel = Travel("reject", raw=raw)
    stage = travel.play(ROME, PARIS, together=together)
    assert travel.ran == ["Rome", "Rome booked"]
    running = stage.of("tool_started")[0].data.call_id
    output, is_error = first_outputs(stage)[1]
    assert "`book` is running already" in output
    assert running in output
    assert "lk_agents_cancel_task" in output
    assert not is_error
    assert len(stage.of("tool_finished")) == len(stage.of("tool_started")) == 2


def test_reject_ends_with_the_call() -> None:
    travel = Travel("reject")

    async def act(stage: Stage) -> None:
        for at in (0.0, 6.0):
            await stage.run_until(at)
            stage.llm.answers += [Answer("", [("book", ROME)]), Answer("Yes"), Answer("News")]
            await stage.session.generate_reply(user_input="Go")

    play(14.0, agent=lambda: Agent(instructions="", tools=[travel.tool]), act=act, durations=[0.2] * 10)
    assert travel.ran == ["Rome", "Rome booked"] * 2


def test_replace_cancels_the_call_that_runs() -> None:
    travel = Travel("replace")
    stage = travel.play(ROME, PARIS)
    assert travel.ran == ["Rome", "Paris", "Paris booked"]
    assert [e.data.is_error for e in stage.of("tool_finished")] == [True, False]


def test_of_three_that_replace_each_other_one_is_left() -> None:
    travel = Travel("replace")
    travel.play(ROME, PARIS, '{"city": "Oslo"}', together=True)
    assert [city for city in travel.ran if city.endswith("booked")] == ["Oslo booked"]


def test_replace_refuses_what_may_not_be_cancelled() -> None:
    travel = Travel("replace", flags=ToolFlag.NONE)
    stage = travel.play(ROME, PARIS)
    assert travel.ran == ["Rome", "Rome booked"]
    output, is_error = first_outputs(stage)[1]
    assert is_error
    assert "may not be cancelled" in output
    assert stage.of("tool_started")[0].data.call_id in output


@pytest.mark.parametrize("raw", [True, False])
def test_confirm_wants_the_call_confirmed(raw: bool) -> None:
    travel = Travel("confirm", raw=raw)
    stage = travel.play(ROME, ROME, CONFIRMED)
    assert travel.ran == ["Rome", "Rome", "Rome booked", "Rome booked"]
    assert "confirmation set to true" in first_outputs(stage)[1][0]
    assert CONFIRM_DUPLICATE_PARAM in travel.tool.parameters_schema()["properties"]


def test_a_confirmation_where_nothing_runs_does_no_harm() -> None:
    travel = Travel("confirm")
    travel.play(CONFIRMED)
    assert travel.ran == ["Rome", "Rome booked"]


def test_by_name_and_arguments_other_arguments_are_another_call() -> None:
    travel = Travel("reject", "name_and_args")
    # A default that is spelled out is the same; so is another order.
    stage = travel.play(ROME, PARIS, '{"people": 1, "city": "Rome"}')
    assert travel.ran == ["Rome", "Paris", "Rome booked", "Paris booked"]
    assert "running already" in first_outputs(stage)[2][0]


def test_the_confirmation_is_no_argument() -> None:
    travel = Travel("confirm", "name_and_args")
    stage = travel.play(ROME, ROME, CONFIRMED)
    assert "running already" in first_outputs(stage)[1][0]
    assert travel.ran.count("Rome booked") == 2


def test_arguments_that_do_not_fit_are_told_as_ever() -> None:
    travel = Travel("reject")
    stage = travel.play(ROME, "{}")
    assert first_outputs(stage)[1][0].startswith("Invalid arguments for book: city")


def test_the_words_may_be_others() -> None:
    travel = Travel("reject")

    def words(args: Any) -> str:
        return f"{args['function_name']} {len(args['fnc_calls_json'])}"

    handling: Any = {"async_options": {"duplicate_reject_template": words}}
    stage = travel.play(ROME, PARIS, tool_handling=handling)
    assert first_outputs(stage)[1][0] == "book 1"


def test_a_rejected_call_never_began_for_listeners() -> None:
    told: list[Any] = []
    travel = Travel("reject")
    agent = Agent(instructions="", tools=[travel.tool])

    async def act(stage: Stage) -> None:
        stage.session.on("tool_execution_updated", lambda event: told.append(event.update.type))
        stage.llm.answers += [Answer("", [("book", ROME), ("book", ROME)]), Answer("Yes"), Answer("News")]
        await stage.session.generate_reply(user_input="Go")

    play(8.0, HELLO, agent=lambda: agent, act=act, durations=[0.2] * 10, microphone=False)
    assert told.count("tool_call_started") == told.count("tool_call_ended") == 1
