"""The examples' tools do what they say."""

import re
from types import ModuleType

import pytest

from agent_runtime import Agent
from agent_runtime.agent_loader import load_agent, parse_target
from agent_runtime.testing import Answer, UserSpeech, run_virtual, scripted_session
from agent_tools import InvalidArgumentsError, find_function_tools
from tests.support.examples import EXAMPLES, load_example


@pytest.fixture(scope="module")
def weather() -> ModuleType:
    return load_example("weather_agent")


@pytest.mark.parametrize(
    ("name", "tools"), [("weather_agent", ["get_weather", "get_forecast"]), ("minimal_assistant", ["get_time"])]
)
def test_one_agent_with_short_instructions_and_documented_tools(name, tools):
    module = load_example(name)
    agents = [
        member
        for member in vars(module).values()
        if isinstance(member, type) and issubclass(member, Agent) and member.__module__ == module.__name__
    ]
    assert len(agents) == 1
    agent = agents[0]()
    assert len(agent.instructions) < 150, "the embedded model is tiny"
    found = find_function_tools(agent)
    assert [tool.id for tool in found] == tools
    for tool in found:
        assert tool.description
        assert all(node["description"] for node in tool.parameters_schema()["properties"].values())


def test_the_data_is_whole(weather):
    assert len(weather.WEATHER) >= 12
    for days in weather.WEATHER.values():
        assert len(days) == 7
        assert all(day["low"] <= day["high"] for day in days)


async def test_the_forecast_has_as_many_days_as_asked(weather):
    forecast = weather.WeatherAgent().get_forecast
    outcome = await forecast.execute('{"city": " new york "}')
    assert outcome.output.startswith("In New York: today ")
    assert outcome.output.count(" degrees") == 3
    for days, last in [(1, "today"), (2, "tomorrow"), (7, "in 6 days")]:
        output = (await forecast.execute({"city": "Oslo", "days": days})).output
        assert output.count(" degrees") == days
        assert re.split(r"[;:] ", output)[-1].startswith(last)
    refused = await forecast.execute({"city": "Oslo", "days": 30})
    assert isinstance(refused.exception, InvalidArgumentsError)
    assert refused.output.endswith("days: expected an integer from 1 to 7, got 30")


async def test_an_unknown_city_is_told_with_those_alike(weather):
    forecast = weather.WeatherAgent().get_forecast
    near = await forecast.execute('{"city": "Pariss"}')
    assert (near.output, near.is_error) == ("I don't know the weather in Pariss. Did you mean Paris?", True)
    far = await forecast.execute('{"city": "Qxzw"}')
    assert "I know these cities: Amsterdam, " in far.output


def test_the_weather_in_a_conversation(weather):
    async def scenario() -> None:
        speeches = [UserSpeech(6.0, 7.0, "What's the weather in Cairo?")]
        answers = [Answer(tool_calls=[("get_weather", '{"city": "CAIRO"}')]), Answer("It is warm.")]
        async with scripted_session(speeches, answers=answers) as stage:
            await stage.session.start(weather.WeatherAgent())
            await stage.run_until(20.0)
            [finished] = stage.of("tool_finished")
            pattern = r"In Cairo it is [a-z ]+, \d+ degrees, with wind of \d+ km/h\."
            assert re.fullmatch(pattern, finished.data.output)
            assert stage.said() == [
                ("assistant", "Hello! Which city's weather would you like to know?"),
                ("user", "What's the weather in Cairo?"),
                ("assistant", "It is warm."),
            ]

    run_virtual(scenario())


@pytest.mark.parametrize(
    ("name", "found", "starts"),
    [
        ("minimal_assistant", "Assistant", "Assistant"),
        ("weather_agent", "WeatherAgent", "WeatherAgent"),
        ("restaurant_agent", "restaurant", "Greeter"),
        ("push_to_talk", "push_to_talk", "PushToTalk"),
        ("timed_agent_transcript", "Storyteller", "Storyteller"),
    ],
)
async def test_the_console_finds_what_to_run(name, found, starts):
    loaded = load_agent(parse_target(str(EXAMPLES / f"{name}.py")))
    assert loaded.name == found
    agent, _ = await loaded.build()
    assert type(agent).__name__ == starts


async def test_the_time():
    outcome = await load_example("minimal_assistant").Assistant().get_time.execute("")
    assert re.fullmatch(r"It is \d{1,2}:\d\d [AP]M on \w+, \w+ \d{1,2}\.", outcome.output)
