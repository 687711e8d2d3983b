"""`agent-console bench`: a conversation by itself, its waits as a table, held to a budget and to earlier figures."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent_console.arguments import run_arguments
from agent_console.bench import Measured
from agent_runtime.errors import AgentConsoleError, AgentLoadError
from agent_runtime.evals import Scenario, ScenarioResult, run_scenario
from agent_runtime.events import Event, TurnMeasured, TurnPart

ANSWER = 0.1
"""Seconds to the first word of a scripted answer."""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An agent's file, whose model is scripted, so that time is virtual."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "counted_desk.py"
    file.write_text("from agent_runtime import Agent\n\n\ndesk = Agent(instructions='Be brief.')\n")
    answers(monkeypatch, 99)
    return file


def answers(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    def run_scripted(scenario: Scenario, *args: Any, **kwargs: Any) -> ScenarioResult:
        return run_scenario(scenario.model_copy(update={"answers": ["It is ready."] * count}), *args, **kwargs)

    monkeypatch.setattr("agent_console.bench.run_scenario", run_scripted)


def run(desk: Path, *more: str) -> int:
    return run_arguments(["bench", str(desk), "--by", "text", "--turns", "2", *more])


def figures(folder: Path, seconds: float, by: str = "text") -> Path:
    file = folder / "before.json"
    file.write_text(json.dumps({"by": by, "parts": {"whole": {"p50": seconds}, "llm": {"p50": seconds}}}))
    return file


def test_the_turns_after_the_first_are_counted_and_what_is_said_is_said_in_turn(desk, capsys):
    assert run(desk, "--say", "One.", "--say", "Two.", "--json", "out.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "counted_desk.py: 2 turns by text, and one before them that isn't counted"
    assert [line.split()[0] for line in lines[1:4]] == ["first", "1", "2"]
    assert lines[5].split() == ["SECONDS", "P50", "P95", "P99", "TURNS"]
    assert any(line.startswith("last word to first sound ") for line in lines)
    told = json.loads((desk.parent / "out.json").read_text())
    assert told["agent"] == "counted_desk.py"
    assert told["by"] == "text"
    assert told["parts"]["whole"]["turns"] == len(told["turns"]) == 2


def test_answers_over_the_budget_fail_and_say_so(desk, capsys):
    assert run(desk, "--budget", "0.05") == 1
    out = capsys.readouterr().out
    assert "✗ more than 0.05" in out
    assert "they may take 0.05" in out.splitlines()[-1]
    assert run(desk, "--budget", "20") == 0


def test_slower_than_before_fails_and_faster_does_not(desk, capsys):
    assert run(desk, "--against", str(figures(desk.parent, ANSWER - 0.06))) == 1
    out = capsys.readouterr().out
    assert "took 0.10 s or more; before it was 0.04" in out
    [model] = [line for line in out.splitlines() if line.startswith("LLM first token ")]
    assert model.split()[-2:] == ["0.04", "+0.06"]
    assert run(desk, "--against", str(figures(desk.parent, ANSWER - 0.04))) == 0
    assert run(desk, "--against", str(figures(desk.parent, 9.0))) == 0


def test_turns_without_an_answer_fail(desk, capsys, monkeypatch):
    answers(monkeypatch, 2)
    assert run(desk) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[-1].startswith("✗ ")
    answers(monkeypatch, 1)
    assert run(desk) == 1
    assert "no turn was measured" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--turns", "0"], "--turns 0: say how many"),
        (["--budget", "0"], "--budget 0: say the seconds"),
        (["--json", "nowhere/out.json"], "make it first"),
        (["--against", "none.json"], "none.json: it can't be read: No such file"),
        (["--against", "counted_desk.py"], "counted_desk.py: no figures of `agent-console bench --json`"),
        (["--against", "spoken.json"], "these were measured by speech: add --by speech"),
    ],
)
def test_what_cant_be_used_is_said_before_anything_is(desk, capsys, flags, problem):
    figures(desk.parent, 1.0, "speech").rename(desk.parent / "spoken.json")
    with pytest.raises(AgentConsoleError) as caught:
        run_arguments(["bench", str(desk), "--by", "text", *flags])
    assert problem in str(caught.value)
    assert capsys.readouterr().out == ""


def test_an_agent_that_isnt_there_is_an_error(desk):
    with pytest.raises(AgentLoadError, match=r"no\.py"):
        run_arguments(["bench", "no.py", "--by", "text"])


def test_more_turns_than_were_asked_for_arent_counted(capsys):
    measured = Measured(1)
    for number in range(3):
        turn = TurnMeasured(0.0, 1.0 + number, (TurnPart("llm", 0.0, 1.0 + number, None),))
        measured.take(Event(number, 9.0, "s", f"turn-{number}", None, turn))
    assert measured.first == 1.0
    assert [turn.end for turn in measured.turns] == [2.0]
    assert measured.waits["whole"].percentile(0.5) == 2.0
