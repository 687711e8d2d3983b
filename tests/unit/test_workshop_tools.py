"""Tools on the bench: listed, run by hand, stood in for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agent_runtime import Agent, RunContext, ToolFlag, function_tool
from agent_runtime import events as ev
from agent_runtime.errors import RequestRefusedError
from agent_runtime.testing import Answer, Stage, run_virtual, scripted_session
from agent_runtime.workshop import KeepTry, ListTools, RunTool, SetStandIn, Workshop

SOURCE = __file__


class Clerk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You keep the books.")
        self.ran: list[str] = []

    @function_tool(flags=ToolFlag.CANCELLABLE)
    async def book(self, context: RunContext[Any], room: str, nights: int = 1) -> str:
        """Book a room.

        Args:
            room: its name
        """
        self.ran.append(room)
        await asyncio.sleep(0.5)
        return f"{room} for {nights}, {context.userdata}"

    @function_tool
    async def breaks(self) -> str:
        """Break."""
        raise ZeroDivisionError("secret")

    @function_tool
    async def waits(self, context: RunContext[Any]) -> str:
        """Wait for what was said."""
        await context.wait_for_playout()
        return "nothing is said" if context.speech_handle.done() else "something is said"

    @function_tool
    async def hand_over(self) -> Agent:
        """Hand over."""
        return Agent(instructions="You are another.", id="boss")


def on_stage(act: Callable[[Stage, Workshop], Awaitable[None]], **options: Any) -> Stage:
    """The stage after `act`, with a clerk and a workshop."""

    async def scenario() -> Stage:
        async with scripted_session(**options) as stage:
            stage.session.userdata = "for Ann"
            shop = Workshop(stage.session)
            await stage.session.start(Clerk())
            await act(stage, shop)
        return stage

    return run_virtual(scenario())


def data(stage: Stage, kind: type) -> list[Any]:
    return [event.data for event in stage.events if isinstance(event.data, kind)]


def calling(tool: str, arguments: str = "{}") -> dict[str, Any]:
    return {"answers": [Answer("", [(tool, arguments)]), Answer("Done.")]}


async def ask_model(stage: Stage) -> None:
    await stage.session.run(user_input="Go")


def test_tools_are_listed_with_schema_flags_and_place_when_an_agent_comes_and_on_request() -> None:
    async def act(stage: Stage, shop: Workshop) -> None:
        await shop.do(ListTools())

    stage = on_stage(act)
    told = [event for event in stage.events if isinstance(event.data, ev.ToolsListed)]
    assert [event.cause for event in told] == ["start", "request"]
    book = next(tool for tool in told[0].data.tools if tool.name == "book")
    assert book.parameters["properties"]["room"]["description"] == "its name"
    assert book.parameters["required"] == ["room"]
    assert (book.flags, book.on_duplicate, book.origin) == (("cancellable",), "allow", "agent")
    assert book.file == SOURCE
    assert "@function_tool(flags" in Path(SOURCE).read_text().splitlines()[book.line - 1]


def test_a_run_by_hand_has_a_context_and_leaves_the_conversation_alone() -> None:
    async def act(stage: Stage, shop: Workshop) -> None:
        before = len(stage.session.current_agent.chat_ctx.items)
        await shop.do(RunTool("book", '{"room": "blue", "nights": 2}'))
        assert len(stage.session.current_agent.chat_ctx.items) == before

    stage = on_stage(act)
    (tried,) = data(stage, ev.ToolTried)
    (done,) = data(stage, ev.ToolTryFinished)
    assert (tried.name, tried.arguments) == ("book", '{"room": "blue", "nights": 2}')
    assert (done.try_id, done.output, done.is_error, done.invalid) == (
        tried.try_id,
        "blue for 2, for Ann",
        False,
        False,
    )
    assert done.duration == pytest.approx(0.5)
    assert not data(stage, ev.ToolStarted)


def test_whoever_runs_a_tool_by_hand_isnt_in_it_afterwards() -> None:
    async def act(stage: Stage, shop: Workshop) -> None:
        await shop.do(RunTool("waits"))
        await ask_model(stage)

    assert [event.turn_id for event in on_stage(act, answers=[Answer("Hi.")]).of("turn_started")] == ["turn_1"]


def test_arguments_that_dont_fit_are_told_and_nothing_runs() -> None:
    async def act(stage: Stage, shop: Workshop) -> None:
        await shop.do(RunTool("book", '{"nights": "many"}'))
        assert stage.session.current_agent.ran == []  # type: ignore[attr-defined]

    (done,) = data(on_stage(act), ev.ToolTryFinished)
    assert done.invalid
    assert done.is_error
    assert "room" in done.output


def test_a_failure_brings_its_traceback_and_a_handoff_is_not_done() -> None:
    async def act(stage: Stage, shop: Workshop) -> None:
        await shop.do(RunTool("breaks"))
        await shop.do(RunTool("waits"))
        await shop.do(RunTool("hand_over"))
        assert stage.session.current_agent.id == "clerk"

    breaks, waits, hand_over = data(on_stage(act), ev.ToolTryFinished)
    assert "ZeroDivisionError: secret" in breaks.details
    assert waits.output == "nothing is said"
    assert hand_over.output == "hands over to boss: not done by hand"


def test_a_run_that_is_kept_becomes_a_call_with_its_output() -> None:
    async def act(stage: Stage, shop: Workshop) -> None:
        await shop.do(RunTool("book", '{"room": "blue"}'))
        (done,) = data(stage, ev.ToolTryFinished)
        await shop.do(KeepTry(done.try_id))
        call, output = stage.session.current_agent.chat_ctx.items[-2:]
        assert (call.type, output.type) == ("function_call", "function_call_output")
        assert output.output == "blue for 1, for Ann"  # type: ignore[union-attr]
        assert stage.session.history.items[-1].id == output.id
        with pytest.raises(RequestRefusedError, match="already"):
            await shop.do(KeepTry(done.try_id))

    assert len(data(on_stage(act), ev.ToolTryKept)) == 1


def test_a_result_stands_in_until_it_is_taken_away() -> None:
    async def act(stage: Stage, shop: Workshop) -> None:
        await shop.do(SetStandIn("book", result="fully booked"))
        await ask_model(stage)
        assert stage.session.current_agent.ran == []  # type: ignore[attr-defined]
        await shop.do(SetStandIn("book"))
        await ask_model(stage)
        assert stage.session.current_agent.ran == ["blue"]  # type: ignore[attr-defined]

    answers = [Answer("", [("book", '{"room": "blue"}')]), Answer("Done.")] * 2
    stage = on_stage(act, answers=answers)
    mocked, real = data(stage, ev.ToolFinished)
    assert (mocked.output, mocked.stand_in, mocked.invalid) == ("fully booked", "result", False)
    assert (real.output, real.stand_in) == ("blue for 1, for Ann", "")
    assert [(told.name, told.result) for told in data(stage, ev.ToolStoodIn)] == [
        ("book", "fully booked"),
        ("book", None),
    ]


def test_a_stand_in_still_checks_the_arguments() -> None:
    async def act(stage: Stage, shop: Workshop) -> None:
        await shop.do(SetStandIn("book", result="fully booked"))
        await ask_model(stage)

    (done,) = data(on_stage(act, **calling("book", '{"nights": 1}')), ev.ToolFinished)
    assert done.invalid
    assert done.is_error


def test_a_delay_comes_before_the_tool_and_a_failure_instead_of_it() -> None:
    async def act(stage: Stage, shop: Workshop) -> None:
        await shop.do(SetStandIn("book", delay=2.0))
        await ask_model(stage)
        await shop.do(SetStandIn("book", error="The book is lost.", delay=1.0))
        await ask_model(stage)

    answers = [Answer("", [("book", '{"room": "blue"}')]), Answer("Done.")] * 2
    late, failed = data(on_stage(act, answers=answers), ev.ToolFinished)
    assert (late.output, late.stand_in) == ("blue for 1, for Ann", "delay")
    assert late.duration == pytest.approx(2.5)
    assert (failed.output, failed.is_error, failed.stand_in) == ("The book is lost.", True, "error")
    assert failed.duration == pytest.approx(1.0)


def test_a_stand_in_outlives_the_agents_code_and_is_one_sessions() -> None:
    async def act(stage: Stage, shop: Workshop) -> None:
        await shop.do(SetStandIn("book", result="fully booked"))
        newer = type("Clerk", (Clerk,), {})()
        await stage.session.swap_agent(newer)
        await ask_model(stage)
        assert newer.ran == []
        async with scripted_session(**calling("book", '{"room": "red"}')) as other:
            await other.session.start(Clerk())
            await ask_model(other)
            assert data(other, ev.ToolFinished)[0].stand_in == ""

    (done,) = data(on_stage(act, **calling("book", '{"room": "blue"}')), ev.ToolFinished)
    assert done.stand_in == "result"


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (RunTool("bok"), "has no tool 'bok'; it has book, breaks"),
        (SetStandIn("bok", result="x"), "has no tool 'bok'"),
        (SetStandIn("book", delay=-1.0), "isn't between 0 and 600"),
    ],
)
def test_what_cant_be_done_is_told_in_one_line(request_: Any, problem: str) -> None:
    async def act(stage: Stage, shop: Workshop) -> None:
        await shop.ask(request_)

    (refused,) = data(on_stage(act), ev.RequestRefused)
    assert problem in refused.problem
    assert "\n" not in refused.problem
