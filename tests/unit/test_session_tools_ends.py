"""What ends a call in the background, and what becomes of what it has to tell."""

from __future__ import annotations

import asyncio
from typing import Any

from agent_runtime import Agent, RunContext, function_tool
from agent_runtime.llm.async_toolset import AsyncToolset
from agent_runtime.testing import Answer, Stage, UserSpeech
from tests.support.play import HELLO, play
from tests.support.slow_tools import Slow, calls, outputs, replies, spoken


class Desk(Slow):
    @function_tool
    async def leave(self) -> Agent:
        """Hand over."""
        return Other()


class Other(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You are another one.")


def test_a_handoff_waits_for_calls_in_the_background() -> None:
    again = UserSpeech(5.0, 6.0, "Somebody else, please")
    stage = play(
        16.0, HELLO, again, agent=Desk, answers=[calls("book"), Answer("Asking"), calls("leave")], durations=[1.0, 1.0]
    )
    (at,) = stage.times("agent_changed", new="other")
    assert at == 9.0
    # Nobody is left who would tell it; the conversation has it.
    assert outputs(stage)[-1] == ("book_final", "booked", False)
    assert replies(stage) == []


def test_a_handoff_cancels_what_may_be_cancelled() -> None:
    again = UserSpeech(5.0, 6.0, "Somebody else, please")
    answers = [calls("stoppable"), Answer("Begun"), calls("leave")]
    stage = play(16.0, HELLO, again, agent=Desk, answers=answers, durations=[1.0])
    assert stage.times("agent_changed", new="other") == [6.5]
    assert [e.data.is_error for e in stage.of("tool_finished") if e.data.name == "stoppable"] == [True]


def test_calls_of_a_sessions_async_toolset_outlive_the_agent() -> None:
    @function_tool
    async def book(context: RunContext[Any]) -> str:
        """Book in six seconds."""
        await context.update("asking")
        await asyncio.sleep(6.0)
        return "booked"

    again = UserSpeech(5.0, 6.0, "Somebody else, please")
    stage = play(
        16.0,
        HELLO,
        again,
        agent=lambda: Desk(),
        answers=[calls("order"), Answer("Asking"), calls("leave"), Answer("Booked")],
        durations=[1.0, 1.0],
        tools=[AsyncToolset(id="travel", tools=[book.renamed("order")])],
    )
    assert stage.times("agent_changed", new="other") == [6.5]
    assert spoken(stage)[-1] == (9.5, "Booked")
    assert stage.session.events is not None
    request = stage.llm.requests[-1]
    assert [i.output for i in request.items if i.type == "function_call_output"] == ["booked"]
    assert any("another one" in (i.text_content or "") for i in request.items if i.type == "message")


@function_tool
async def order(context: RunContext[Any]) -> str:
    """Order in six seconds."""
    await context.update("asking")
    await asyncio.sleep(6.0)
    return "ordered"


def test_news_that_wait_are_told_by_the_agent_that_arrives() -> None:
    class Lingers(Desk):
        async def on_exit(self) -> None:
            await asyncio.sleep(3.0)

    again = UserSpeech(5.0, 6.0, "Somebody else, please")
    stage = play(
        16.0,
        HELLO,
        again,
        agent=Lingers,
        answers=[calls("order"), Answer("Asking"), calls("leave"), Answer("Ordered")],
        durations=[1.0, 1.0],
        tools=[AsyncToolset(id="shop", tools=[order])],
    )
    # Ordered at 9.0, while the one takes its leave; the other is there at 9.5.
    assert spoken(stage)[-1] == (10.0, "Ordered")
    assert [i.output for i in stage.llm.requests[-1].items if i.type == "function_call_output"] == ["ordered"]


def test_a_toolset_that_goes_cancels_what_may_be_cancelled_and_waits_for_the_rest() -> None:
    ended: list[float] = []

    async def act(stage: Stage) -> None:
        await stage.run_until(5.0)
        await stage.session.current_agent.update_tools([])
        ended.append(stage.now)

    tools = [order, next(tool for tool in Slow().tools if tool.id == "stoppable")]
    stage = play(
        12.0,
        HELLO,
        agent=lambda: Agent(instructions="", tools=[AsyncToolset(id="both", tools=tools)]),
        answers=[calls("order", "stoppable"), Answer("Begun"), Answer("Ordered")],
        durations=[1.0, 1.0],
        act=act,
    )
    assert ended == [9.0]
    assert [(e.data.name, e.time) for e in stage.of("tool_finished")] == [("stoppable", 5.0), ("order", 9.0)]


def test_a_handoff_of_an_interrupted_reply_does_not_happen_and_the_model_knows() -> None:
    class Leaves(Agent):
        @function_tool
        async def leave(self) -> Agent:
            """Hand over, slowly."""
            await asyncio.sleep(2.0)
            return Other()

    async def act(stage: Stage) -> None:
        await stage.run_until(4.0)
        await stage.session.interrupt()

    answers = [calls("leave", text="I will find somebody")]
    stage = play(8.0, HELLO, agent=lambda: Leaves(instructions=""), answers=answers, durations=[5.0], act=act)
    assert outputs(stage) == [("leave", "The agent handoff did not happen: the reply was interrupted.", True)]
    assert stage.session.current_agent.id == "leaves"


def test_what_a_call_in_the_background_says_is_a_turn_of_its_own_and_may_wait_for_its_reply() -> None:
    class Says(Agent):
        @function_tool
        async def work(self, context: RunContext[Any]) -> None:
            """Tell, wait for that to be said, and speak."""
            await context.update("begun")
            await context.speech_handle
            await context.session.say("By the way")

    answers = [calls("work"), Answer("Begun")]
    stage = play(10.0, HELLO, agent=lambda: Says(instructions=""), answers=answers, durations=[1.0, 1.0])
    assert spoken(stage) == [(3.5, "Begun"), (4.71, "By the way")]
    assert [e.turn_id for e in stage.of("playout_started")] == ["turn_1", "turn_2"]


def test_closing_waits_a_while_for_calls_in_the_background() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(5.0)
        await stage.session.aclose()
        assert stage.now == 9.0

    stage = play(9.0, HELLO, agent=Slow, answers=[calls("book"), Answer("Asking")], durations=[1.0], act=act)
    assert outputs(stage)[-1] == ("book_final", "booked", False)
    assert replies(stage) == []


def test_closing_does_not_wait_for_ever() -> None:
    class Endless(Agent):
        @function_tool
        async def forever(self, context: RunContext[Any]) -> str:
            """Never end."""
            await context.update("begun")
            await asyncio.sleep(1000)
            return "never"

    async def act(stage: Stage) -> None:
        await stage.run_until(5.0)
        await stage.session.aclose()
        assert stage.now == 10.0

    answers = [calls("forever"), Answer("Begun")]
    stage = play(10.0, HELLO, agent=lambda: Endless(instructions=""), answers=answers, durations=[1.0], act=act)
    assert [o[0] for o in outputs(stage)] == ["forever"]
    assert len(stage.of("tool_finished")) == 1


def test_a_shutdown_that_drains_tells_the_result_first() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(5.0)
        stage.session.shutdown()

    answers = [calls("book"), Answer("Asking"), Answer("Booked")]
    stage = play(14.0, HELLO, agent=Slow, answers=answers, durations=[1.0, 1.0], act=act)
    assert spoken(stage)[-1] == (9.5, "Booked")
    assert stage.times("session_closed") == [10.51]


def test_new_code_takes_over_while_a_call_runs_in_the_background_and_tells_its_result() -> None:
    class Newer(Slow):
        """The same agent after a reload."""

    async def act(stage: Stage) -> None:
        await stage.run_until(6.0)
        stage.session.swap_agent(Newer())
        await stage.run_until(6.1)
        assert isinstance(stage.session.current_agent, Newer)

    answers = [calls("book"), Answer("Asking"), Answer("Booked")]
    stage = play(14.0, HELLO, agent=Slow, answers=answers, durations=[1.0, 1.0], act=act)
    assert spoken(stage)[-1] == (9.5, "Booked")
