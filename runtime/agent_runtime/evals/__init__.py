"""Scenario files and judges: what an agent is held to. See `docs/scenarios.md` and `docs/testing.md`.

Scenarios are conversations by text or by synthesised speech; judges give a verdict on one that is over.
"""

from agent_runtime.evals.judge_group import EvaluationResult, JudgeGroup
from agent_runtime.evals.judges import (
    Evaluator,
    Judge,
    JudgmentResult,
    ModelJudge,
    Verdict,
    accuracy_judge,
    coherence_judge,
    conciseness_judge,
    handoff_judge,
    relevancy_judge,
    safety_judge,
    task_completion_judge,
    tool_use_judge,
)
from agent_runtime.evals.report import Check, ScenarioResult
from agent_runtime.evals.runner import RunOptions, run_scenario
from agent_runtime.evals.scenario import Scenario, ScenarioFile, load_scenarios

__all__ = [
    "Check",
    "EvaluationResult",
    "Evaluator",
    "Judge",
    "JudgeGroup",
    "JudgmentResult",
    "ModelJudge",
    "RunOptions",
    "Scenario",
    "ScenarioFile",
    "ScenarioResult",
    "Verdict",
    "accuracy_judge",
    "coherence_judge",
    "conciseness_judge",
    "handoff_judge",
    "load_scenarios",
    "relevancy_judge",
    "run_scenario",
    "safety_judge",
    "task_completion_judge",
    "tool_use_judge",
]
