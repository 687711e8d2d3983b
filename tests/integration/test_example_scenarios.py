"""The example's scenarios on the embedded models: by text and through the whole audio path."""

from pathlib import Path

import pytest

from agent_runtime.agent_loader import load_agent, parse_target
from agent_runtime.evals import RunOptions, Scenario, load_scenarios, run_scenario
from agent_runtime.settings import Settings

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "scenarios" / "weather.yaml"
REAL = [scenario for scenario in load_scenarios(EXAMPLE).scenarios if scenario.answers is None]


@pytest.mark.parametrize("scenario", REAL, ids=lambda scenario: scenario.name)
def test_it_passes(scenario: Scenario) -> None:
    loaded = load_agent(parse_target(str(EXAMPLE.parent.parent / "weather_agent.py")))
    result = run_scenario(scenario, loaded, RunOptions(Settings.from_sources(())))
    assert not result.problem
    assert result.checks
    # How long an answer takes is the machine's; what is in it is not.
    assert [check for check in result.checks if not check.passed and "latency" not in check.what] == []


def test_who_takes_turns_by_hand_ends_them_when_all_is_said() -> None:
    loaded = load_agent(parse_target(str(EXAMPLE.parent.parent / "push_to_talk.py")))
    said = {"name": "by hand", "by": "speech", "steps": [{"say": "Hello there!"}, {"expect": {"regex": r"\w"}}]}
    result = run_scenario(Scenario.model_validate(said), loaded, RunOptions(Settings.from_sources(())))
    assert not result.problem
    assert [check.problem for check in result.checks] == [""]
