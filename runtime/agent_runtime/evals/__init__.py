"""Scenario files: conversations that an agent is held to, by text or by synthesised speech. See `docs/scenarios.md`."""

from agent_runtime.evals.report import Check, ScenarioResult
from agent_runtime.evals.runner import RunOptions, run_scenario
from agent_runtime.evals.scenario import Scenario, ScenarioFile, load_scenarios

__all__ = ["Check", "RunOptions", "Scenario", "ScenarioFile", "ScenarioResult", "load_scenarios", "run_scenario"]
