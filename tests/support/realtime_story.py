"""A conversation by a realtime model, as its session emitted it: `python -m tests.support.realtime_story` records it.

A question that a tool answers, an answer that the user cuts, and one to the transcript that came late.
"""

from __future__ import annotations

import re

from agent_runtime import Agent, function_tool
from agent_runtime.events import codec
from agent_runtime.testing import Answer, UserSpeech, run_virtual
from tests.support.conversation import RECORDINGS
from tests.support.realtime import talk

SPEECHES = [
    UserSpeech(1.0, 3.0, "What is the weather in Oslo?", stt_delay=0.4),
    UserSpeech(8.5, 10.0, "And tomorrow?", stt_delay=0.4),
]
ANSWERS = [
    Answer("Let me look.", tool_calls=[("get_weather", '{"city": "Oslo"}')], ttft=0.3),
    Answer("It is sunny in Oslo, with fifteen degrees and hardly any wind at all.", ttft=0.4),
    Answer("Tomorrow brings rain.", ttft=0.35),
]
_ID = re.compile(r"\b(session|speech|item|call|m|response|turn)_([0-9a-f]{6,})\b")


class WeatherAgent(Agent):
    """Tells the weather."""

    def __init__(self) -> None:
        super().__init__(instructions="You tell the weather, in one short sentence.")

    @function_tool
    async def get_weather(self, city: str) -> str:
        """Look the weather up."""
        return f"sunny, 15 degrees, wind 2 m/s in {city}"


async def _events() -> list[str]:
    async with talk(SPEECHES, ANSWERS, durations=[0.8, 4.5, 1.6], agent=WeatherAgent()) as (stage, _):
        await stage.run_until(14.0)
        return [codec.dumps(event) for event in stage.events]


def record() -> str:
    """The lines of the recording, with numbers for random names."""
    text = "\n".join(run_virtual(_events())) + "\n"
    numbers: dict[str, str] = {}
    return _ID.sub(lambda found: numbers.setdefault(found[0], f"{found[1]}_{len(numbers) + 1}"), text)


if __name__ == "__main__":
    (RECORDINGS / "realtime.jsonl").write_text(record(), "utf-8")
