"""The weather agent, tested as its author would: by text, with a scripted model, in virtual time."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agent_runtime import AgentSession, ToolError, mock_tools
from agent_runtime.testing import Answer, ScriptedLLM, UserSpeech, in_virtual_time, scripted_session
from examples.weather_agent import WEATHER, WeatherAgent

GREETING = "Hello! Which city's weather would you like to know?"


def look_up(tool: str, **arguments: Any) -> Answer:
    """The model calls a tool."""
    return Answer(tool_calls=[(tool, json.dumps(arguments))])


@asynccontextmanager
async def talk(*answers: Answer) -> AsyncGenerator[AgentSession[None], None]:
    """A conversation by text, after the greeting."""
    async with AgentSession[None](llm=ScriptedLLM(list(answers))) as session:
        await session.start(WeatherAgent(), capture_run=True)
        yield session


@in_virtual_time
async def test_it_greets():
    async with AgentSession[None](llm=ScriptedLLM()) as session:
        started = await session.start(WeatherAgent(), capture_run=True)
        started.expect.next_event().is_agent_handoff(new_agent_type=WeatherAgent)
        greeting = started.expect.next_event().is_message(role="assistant")
        assert greeting.event().item.text_content == GREETING
        started.expect.no_more_events()


@in_virtual_time
async def test_it_looks_the_weather_up():
    async with talk(look_up("get_weather", city="oslo"), Answer("It's sunny in Oslo.")) as session:
        result = await session.run(user_input="What's the weather in Oslo?")
        result.expect.next_event().is_function_call(name="get_weather", arguments={"city": "oslo"})
        today = WEATHER["Oslo"][0]
        result.expect.next_event().is_function_call_output(
            output=f"In Oslo it is {today['sky']}, {today['high']} degrees, with wind of {today['wind']} km/h."
        )
        result.expect.next_event().is_message(role="assistant")
        result.expect.no_more_events()


@in_virtual_time
async def test_the_model_is_told_which_cities_are_alike():
    answers = [
        look_up("get_weather", city="Pariss"),
        look_up("get_weather", city="Paris"),
        Answer("It's mild in Paris."),
    ]
    async with talk(*answers) as session:
        result = await session.run(user_input="The weather in Pariss?")
        result.expect[1].is_function_call_output(
            output="I don't know the weather in Pariss. Did you mean Paris?", is_error=True
        )
        result.expect[3].is_function_call_output(is_error=False)
        result.expect[-1].is_message(role="assistant")


@pytest.mark.parametrize("days", [0, 8])
@in_virtual_time
async def test_a_forecast_has_its_limits(days: int):
    async with talk(look_up("get_forecast", city="Oslo", days=days), Answer("I can't see that far.")) as session:
        result = await session.run(user_input=f"The next {days} days?")
        refused = result.expect.contains_function_call_output(is_error=True)
        assert f"expected an integer from 1 to 7, got {days}" in refused.event().item.output


@in_virtual_time
async def test_it_says_so_when_the_data_cannot_be_had():
    async with talk(look_up("get_forecast", city="Oslo"), Answer("I can't look it up right now.")) as session:
        with mock_tools(WeatherAgent, {"get_forecast": ToolError("The weather service is down.")}):
            result = await session.run(user_input="The forecast for Oslo?")
        result.expect.next_event().is_function_call(name="get_forecast")
        result.expect.next_event().is_function_call_output(output="The weather service is down.", is_error=True)
        result.expect.next_event().is_message(role="assistant")


@in_virtual_time
async def test_a_conversation_of_several_turns():
    answers = [look_up("get_weather", city="Cairo"), Answer("Hot."), Answer("You're welcome.")]
    async with talk(*answers) as session:
        with mock_tools(WeatherAgent, {"get_weather": lambda city: f"{city} is hot."}):
            first = await session.run(user_input="The weather in Cairo?")
            second = await session.run(user_input="Thanks!")
        first.expect.contains_function_call_output(output="Cairo is hot.")
        second.expect.next_event().is_message(role="assistant")
        second.expect.no_more_events()
        said = [message.text_content for message in session.history.messages()]
        assert said == [GREETING, "The weather in Cairo?", "Hot.", "Thanks!", "You're welcome."]


@in_virtual_time
async def test_it_can_be_interrupted_while_it_greets():
    speeches = [UserSpeech(1.0, 2.0, "What's the weather in Oslo?")]
    answers = [look_up("get_weather", city="Oslo"), Answer("It's sunny.")]
    async with scripted_session(speeches, answers=answers, durations=[4.0, 1.0]) as stage:
        await stage.session.start(WeatherAgent())
        await stage.run_until(10.0)
        greeting, question, answer = stage.session.history.messages()
        assert greeting.interrupted
        assert GREETING.startswith(greeting.text_content or "never")
        assert len(greeting.text_content or "") < len(GREETING)
        assert (question.text_content, answer.text_content) == ("What's the weather in Oslo?", "It's sunny.")
