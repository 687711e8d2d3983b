"""Stand-ins for an agent's tools."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from pydantic import Field

from agent_runtime import (
    Agent,
    AgentSession,
    RunContext,
    RunResult,
    StopResponse,
    ToolError,
    function_tool,
    mock_tools,
)
from agent_runtime.testing import Answer, ScriptedLLM, UserSpeech, in_virtual_time, scripted_session


class Pilot(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You fly.")

    @function_tool
    async def fly(
        self, context: RunContext[Any], city: str, height: int = 9000, speed: float = Field(default=0.8)
    ) -> str:
        """Fly to a city."""
        return f"flew to {city} at {height} m, Mach {speed}"

    @function_tool(raw_schema={"name": "land", "parameters": {"type": "object", "properties": {}}})
    async def land(self, raw_arguments: dict[str, object]) -> str:
        """Land."""
        return f"landed with {raw_arguments}"


class Copilot(Pilot):
    pass


async def call(tool: str = "fly", arguments: str = '{"city": "Oslo"}', agent: type[Agent] = Pilot) -> RunResult[Any]:
    """A run in which the model calls a tool once."""
    llm = ScriptedLLM([Answer("", [(tool, arguments)]), Answer("Done.")])
    async with AgentSession[Any](llm=llm) as session:
        await session.start(agent())
        return await session.run(user_input="Go")


def output(run: RunResult[Any]) -> str:
    return run.expect.contains_function_call_output().event().item.output


async def mocked(mock: Any, tool: str = "fly", **options: Any) -> str:
    with mock_tools(Pilot, {tool: mock}):
        return output(await call(tool, **options))


async def later(city: str) -> str:
    await asyncio.sleep(1.0)
    return f"later to {city}"


@pytest.mark.parametrize(
    ("mock", "result"),
    [
        (lambda: "no arguments", "no arguments"),
        (lambda city: f"to {city}", "to Oslo"),
        (lambda speed, height, city: f"{city} {height} {speed}", "Oslo 9000 0.8"),
        (lambda context, city: f"{context.function_call.name} {city}", "fly Oslo"),
        (lambda *, city: f"keyword {city}", "keyword Oslo"),
        (lambda city, load=5: f"{city} {load}", "Oslo 5"),
        (lambda ctx, where: f"{ctx.function_call.name} {where}", "fly Oslo"),
        (lambda **everything: " ".join(everything), "context city height speed"),
        (later, "later to Oslo"),
    ],
)
@in_virtual_time
async def test_a_mock_takes_what_it_has_parameters_for(mock: Callable[..., Any], result: str):
    assert await mocked(mock) == result


@in_virtual_time
async def test_a_raw_tool():
    assert await mocked(lambda raw_arguments: json.dumps(raw_arguments), "land", arguments='{"at": 3}') == '{"at": 3}'


@in_virtual_time
async def test_mock_objects_remember_their_calls():
    mock = Mock(return_value="mocked")
    assert await mocked(mock) == "mocked"
    assert mock.call_args.kwargs["city"] == "Oslo"
    mock = AsyncMock(return_value={"sky": "clear"})
    assert await mocked(mock) == '{"sky":"clear"}'
    mock.assert_awaited_once()


@pytest.mark.parametrize(
    ("mock", "told"),
    [
        (ToolError("fog"), "fog"),
        (lambda: ToolError("fog"), "fog"),
        (Mock(side_effect=ToolError("fog")), "fog"),
        (RuntimeError("secret"), "An internal error occurred"),
        (lambda: RuntimeError("secret"), "An internal error occurred"),
    ],
)
@in_virtual_time
async def test_a_mock_that_fails(mock, told):
    with mock_tools(Pilot, {"fly": mock}):
        run = await call()
    run.expect.contains_function_call_output(output=told, is_error=True)
    run.expect.contains_message(role="assistant")


@in_virtual_time
async def test_a_mock_that_wants_no_reply():
    with mock_tools(Pilot, {"fly": StopResponse()}):
        run = await call()
    assert [event.type for event in run.events] == ["function_call", "function_call_output"]


@in_virtual_time
async def test_the_arguments_are_checked_as_the_tools_own_are():
    mock = Mock()
    with mock_tools(Pilot, {"fly": mock}):
        run = await call(arguments='{"height": "high"}')
    mock.assert_not_called()
    run.expect.contains_function_call_output(is_error=True)


@in_virtual_time
async def test_a_mock_with_other_parameters_is_an_internal_error(caplog):
    assert await mocked(lambda a, b, c, d, e: "never") == "An internal error occurred"
    assert "missing 1 required positional argument: 'e'" in caplog.text


@in_virtual_time
async def test_only_inside_and_only_those_that_are_named():
    with mock_tools(Pilot, {"fly": lambda: "mocked"}):
        assert output(await call("land", "{}")) == "landed with {}"
    assert output(await call()) == "flew to Oslo at 9000 m, Mach 0.8"


@in_virtual_time
async def test_an_inner_one_for_the_same_class_takes_the_place_of_the_outer_one():
    with mock_tools(Pilot, {"fly": lambda: "outer", "land": lambda: "outer"}):
        with mock_tools(Pilot, {"fly": lambda: "inner"}):
            assert output(await call()) == "inner"
            assert output(await call("land", "{}")) == "landed with {}"
        with pytest.raises(ZeroDivisionError), mock_tools(Pilot, {}):
            _ = 1 / 0
        assert output(await call("land", "{}")) == "outer"


@in_virtual_time
async def test_derived_classes_have_the_mocks_too_unless_they_have_their_own():
    with mock_tools(Pilot, {"fly": lambda: "pilot"}):
        assert output(await call(agent=Copilot)) == "pilot"
        with mock_tools(Copilot, {"fly": lambda: "copilot"}):
            assert output(await call(agent=Copilot)) == "copilot"
            assert output(await call()) == "pilot"


@in_virtual_time
async def test_for_one_session_from_now_on():
    answers = [Answer("", [("fly", '{"city": "Oslo"}')]), Answer("Done.")]
    async with AgentSession[Any](llm=ScriptedLLM(answers * 5)) as session:
        await session.start(Pilot())

        async def fly() -> str:
            return output(await session.run(user_input="Go"))

        mock_tools(Pilot, {"fly": lambda: "session"}, session=session)
        assert await fly() == "session"
        assert output(await call()) == "flew to Oslo at 9000 m, Mach 0.8"
        with mock_tools(Pilot, {"fly": lambda: "context"}):
            assert await fly() == "context"
        mock_tools(Pilot, {"fly": lambda: "again"}, session=session)
        assert await fly() == "again"
        mock_tools(Pilot, {}, session=session)
        assert await fly() == "flew to Oslo at 9000 m, Mach 0.8"


@in_virtual_time
async def test_the_model_still_sees_the_real_tools():
    with mock_tools(Pilot, {"fly": lambda: "mocked"}):
        llm = ScriptedLLM([Answer("", [("fly", '{"city": "Oslo"}')]), Answer("Done.")])
        async with AgentSession[Any](llm=llm) as session:
            await session.start(Pilot())
            await session.run(user_input="Go")
            assert [tool.id for tool in session.current_agent.tools] == ["fly", "land"]
            item = llm.requests[1].items[-1]
            assert item.type == "function_call_output"
            assert (item.name, item.output) == ("fly", "mocked")


@in_virtual_time
async def test_turns_by_voice_of_a_session_that_was_started_inside():
    answers = [Answer("", [("fly", '{"city": "Oslo"}')]), Answer("Done.")]
    with mock_tools(Pilot, {"fly": lambda: "mocked"}):
        async with scripted_session([UserSpeech(0.5, 1.5, "Fly to Oslo")], answers=answers) as stage:
            await stage.session.start(Pilot())
            await stage.run_until(8.0)
            [finished] = stage.of("tool_finished")
            assert finished.data.output == "mocked"


def test_a_mock_of_a_session_has_its_ends():
    session = Mock(spec=AgentSession)
    session.output.audio = "a loudspeaker"
    session.input.set_audio_enabled(False)
    assert session.output.audio == "a loudspeaker"
    session.input.set_audio_enabled.assert_called_once_with(False)
