"""A person is asked which agent of a file is meant; a program is told that it has to say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent_console.choosing import choose
from agent_runtime.agent_loader import Target, load_agent
from agent_runtime.errors import AgentLoadError

ERROR = AgentLoadError("two.py has 2 agents", choices=["One", "Two"])
TARGET = Target(Path("two.py"), None)


def answers(*given: str) -> Callable[[str], str]:
    left = list(given)
    return lambda question: left.pop(0)


@pytest.mark.parametrize(
    ("given", "name"), [(["2"], "Two"), ([""], "One"), (["Two"], "Two"), (["3", "both", " 1 "], "One")]
)
def test_a_number_a_name_or_enter_picks_one(given: list[str], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert choose(TARGET, ERROR, answers(*given)) == Target(Path("two.py"), None, name)
    assert capsys.readouterr().out == "Which agent?\n  1  One\n  2  Two\n"


def test_other_problems_are_not_asked_about() -> None:
    with pytest.raises(AgentLoadError, match="broken"):
        choose(TARGET, AgentLoadError("broken"), answers("1"))


def test_who_doesnt_answer_is_told_what_to_write() -> None:
    def closed(question: str) -> str:
        raise EOFError

    with pytest.raises(AgentLoadError, match="has 2 agents"):
        choose(TARGET, ERROR, closed)


def test_a_program_isnt_asked() -> None:
    with pytest.raises(AgentLoadError, match="has 2 agents"):
        choose(TARGET, ERROR)


def test_the_loader_tells_the_names(tmp_path: Path) -> None:
    agent = "class {0}(Agent):\n    def __init__(self):\n        super().__init__(instructions='{0}')\n"
    source = "from agent_runtime import Agent\n" + agent.format("One") + agent.format("Two")
    (tmp_path / "two.py").write_text(source)
    with pytest.raises(AgentLoadError) as caught:
        load_agent(Target(tmp_path / "two.py", None))
    assert caught.value.choices == ("One", "Two")
