"""A conversation with each example on the embedded language model, as somebody types it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent_runtime import Agent, AgentSession, RunResult
from agent_runtime.errors import MissingDependencyError
from agent_runtime.providers.embedded.llama import find_weights
from agent_runtime.providers.embedded.llm import SmolLM
from tests.support.examples import load_example

try:
    find_weights()
except MissingDependencyError as e:
    pytest.skip(str(e), allow_module_level=True)

pytestmark = pytest.mark.models


@pytest.fixture
async def llm() -> AsyncIterator[SmolLM]:
    llm = SmolLM()
    await llm.load()
    yield llm
    await llm.aclose()
    llm.llama.close()


async def converse(session: AgentSession[Any], agent: Agent, llm: SmolLM, said: list[str]) -> list[str]:
    """Say these things one after the other; gives what was answered to each."""
    session.update_options(llm=llm, vad=None)
    await session.start(agent, capture_run=True)
    answers = []
    for text in said:
        run: RunResult[None] = await session.run(user_input=text)
        items = [event.item for event in run.events if event.type == "message"]
        answers.append(" ".join(item.text_content or "" for item in items if item.role == "assistant"))
    return answers


async def test_an_order_at_the_restaurant(llm: SmolLM) -> None:
    example = load_example("restaurant_agent")
    session, agent = example.restaurant()
    said = [
        "I'd like to order two pizzas and a cola",
        "can I get an ice cream",
        "remove the cola",
        "that's all",
        "My name is Anna",
        "by card please",
    ]
    answers = await converse(session, agent, llm, said)
    assert answers[3] == "What name is it for?"
    assert answers[-1] == "21 euros by card. It is ready in twenty minutes. Goodbye!"
    assert session.userdata == example.Visit(name="Anna", dishes={"pizza": 2, "ice cream": 1}, paid="card")
    await session.aclose()


async def test_a_table_at_the_restaurant(llm: SmolLM) -> None:
    example = load_example("restaurant_agent")
    session, agent = example.restaurant()
    answers = await converse(
        session, agent, llm, ["Can I reserve a table?", "three people", "half past eight", "Carla"]
    )
    assert answers[0] == "How many people?"
    assert answers[-1] == "Thank you, Carla: a table for 3 today at half past eight. See you then!"
    await session.aclose()


async def test_a_home_by_push_to_talk(llm: SmolLM) -> None:
    session, agent = load_example("push_to_talk").push_to_talk()
    said = ["turn on the light in the hall", "set the heating to twenty two degrees", "which lights are on?"]
    answers = await converse(session, agent, llm, said)
    assert answers[-1] == "The light is on in hall, and the heating is at 22 degrees."
    await session.aclose()


async def test_a_story_with_its_times(llm: SmolLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    session: AgentSession[None] = AgentSession()
    await converse(session, load_example("timed_agent_transcript").Storyteller(), llm, ["tell me the story"])
    await session.aclose()
    written = read_subtitles(tmp_path)
    assert "<v user>tell me the story\n" in written
    assert "stone." in written


def read_subtitles(folder: Path) -> str:
    [file] = folder.glob("transcripts/*.vtt")
    return file.read_text("utf-8")
