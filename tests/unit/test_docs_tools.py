"""What `docs/tools.md` shows runs, and does what it says."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agent_runtime import Agent
from agent_runtime.testing import Answer, Stage
from tests.support.play import play

PAGE = (Path(__file__).parents[2] / "docs" / "tools.md").read_text(encoding="utf-8")


def files() -> dict[str, str]:
    """The page's code by file name, pieces of the same file in their order."""
    found: dict[str, str] = {}
    for name, code in re.findall(r"```python\n# (\S+)\.py\n(.*?)```", PAGE, flags=re.DOTALL):
        found[name] = f"{found[name]}\n{code}" if name in found else code
    return found


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The page's files as modules."""
    for name, code in files().items():
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    def load(name: str) -> ModuleType:
        return __import__(name)

    yield load
    for name in files():
        sys.modules.pop(name, None)


def ask(agent: Agent, *answers: Answer, until: float = 20.0, durations: list[float] | None = None) -> Stage:
    async def act(stage: Stage) -> None:
        stage.session.generate_reply(user_input="Go")

    return play(until, agent=lambda: agent, act=act, answers=list(answers), durations=durations or [1.0] * 5)


def outputs(stage: Stage) -> list[str]:
    return [i.output for i in stage.session.history.items if i.type == "function_call_output"]


def call(name: str, arguments: str = "{}") -> Answer:
    return Answer("", [(name, arguments)])


def test_the_shops_tools(pages: Any) -> None:
    shop = pages("shop").Shop()
    stage = ask(
        shop,
        call("add_to_basket", '{"article": "pen", "count": 3}'),
        call("add_to_basket", '{"article": "book"}'),
        call("add_to_basket", '{"article": "pen", "count": 0}'),
        Answer("Done"),
    )
    first, second, third = outputs(stage)
    assert first == '{"in_basket":3}'
    assert second == "There are 0 of book. Offer that many."
    assert third.startswith("Invalid arguments for add_to_basket: count")
    assert shop.basket == [("pen", 3)]
    schema = shop.tools[0].parameters_schema()["properties"]
    assert set(schema) == {"article", "count"}
    assert schema["count"]["description"] == "How many of it."
    for silent in ("note_mood", "goodbye"):
        arguments = '{"mood": "good"}' if silent == "note_mood" else "{}"
        assert len(ask(pages("shop").Shop(), call(silent, arguments)).llm.requests) == 1


def test_a_filler_while_the_train_is_looked_up(pages: Any) -> None:
    stage = ask(pages("travel").Travel(), call("find_train", '{"city": "Rome"}'), Answer("At nine"))
    assert stage.said()[1:] == [("assistant", "The timetable takes a moment."), ("assistant", "At nine")]


def test_a_flight_that_is_booked_in_the_background(pages: Any) -> None:
    flight = '{"city": "Rome"}'
    agent = pages("travel").Travel()
    stage = ask(agent, call("book_flight", flight), Answer("Asking"), Answer("Booked"))
    assert stage.said()[1:] == [("assistant", "Asking"), ("assistant", "Booked")]
    assert outputs(stage)[-1] == "Booked: Rome, seat 12A."
    both = Answer("", [("book_flight", flight)] * 2)
    twice = ask(pages("travel").Travel(), both, Answer("Asking"), Answer("Booked"))
    assert "running already" in outputs(twice)[1]
    assert outputs(twice).count("Booked: Rome, seat 12A.") == 1
    assert "lk_agents_confirm_duplicate" in agent.tools[1].parameters_schema()["properties"]


def test_toolsets(pages: Any) -> None:
    page = pages("toolsets")
    library = page.Library()
    stage = ask(Agent(instructions="", tools=[library]), call("find_book", '{"title": "Dune"}'), Answer("There"))
    assert outputs(stage) == ["shelf 4"]
    assert library.books == {}
    assert [tool.id for tool in page.background.tools] == ["book_flight"]


def test_servers_are_not_started_before_they_are_used(pages: Any) -> None:
    page = pages("remote")
    assert [toolset.id for toolset in page.cook.tools] == ["kitchen", "weather"]
