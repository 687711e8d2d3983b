"""A weather agent: two tools over bundled data, so it needs no account, key or network.

    agent-console examples/weather_agent.py

Ask "What's the weather in Paris?" or "Give me the forecast for Oslo for the next three days".
"""

import difflib
import json
import logging
from pathlib import Path
from typing import Annotated, TypedDict

from pydantic import Field

from agent_runtime import Agent, RunContext, ToolError, function_tool

logger = logging.getLogger("weather-agent")


class Day(TypedDict):
    sky: str
    low: int  # degrees Celsius
    high: int
    wind: int  # km/h


DATA = Path(__file__).parent / "support" / "fixtures" / "weather.json"
WEATHER: dict[str, list[Day]] = json.loads(DATA.read_text(encoding="utf-8"))["cities"]


def find_city(name: str) -> str:
    """Give the city's name as the data has it, or tell the model which ones are alike."""
    known = {city.casefold(): city for city in WEATHER}
    wanted = name.strip().casefold()
    if wanted in known:
        return known[wanted]
    alike = [known[city] for city in difflib.get_close_matches(wanted, known, n=3)]
    if alike:
        raise ToolError(f"I don't know the weather in {name}. Did you mean {' or '.join(alike)}?")
    raise ToolError(f"I don't know the weather in {name}. I know these cities: {', '.join(WEATHER)}.")


class WeatherAgent(Agent):
    def __init__(self) -> None:
        # A small model follows a short prompt best.
        super().__init__(
            instructions="You are a friendly weather reporter. Answer in one short sentence, in plain spoken words.",
        )

    async def on_enter(self) -> None:
        self.session.say("Hello! Which city's weather would you like to know?")

    @function_tool
    async def get_weather(self, context: RunContext, city: str) -> str:
        """Look up the weather in a city right now: rain, sun, temperature and wind.

        Args:
            city: The city's name, such as Paris or New York.
        """
        logger.info("weather for %r, call %s", city, context.function_call.call_id)
        name = find_city(city)
        today = WEATHER[name][0]
        return f"In {name} it is {today['sky']}, {today['high']} degrees, with wind of {today['wind']} km/h."

    @function_tool
    async def get_forecast(self, city: str, days: Annotated[int, Field(ge=1, le=7)] = 3) -> str:
        """Look up the weather forecast for a city for the next days.

        Args:
            city: The city's name, such as Paris or New York.
            days: How many days, from 1 to 7.
        """
        name = find_city(city)
        labels = ["today", "tomorrow", *(f"in {ahead} days" for ahead in range(2, days))]
        forecast = [
            f"{label} {day['sky']}, {day['low']} to {day['high']} degrees"
            for label, day in zip(labels, WEATHER[name][:days], strict=False)
        ]
        return f"In {name}: {'; '.join(forecast)}."
