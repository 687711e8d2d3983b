"""Models that decide: what they are asked, what comes back, and what of it counts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from agent_runtime.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError
from agent_runtime.llm import (
    ChatContext,
    Choice,
    ChoiceResult,
    Decision,
    DecisionCapabilities,
    DecisionModel,
    DecisionResponse,
    Probability,
    ProbabilityResult,
    Score,
    ScoreResult,
)
from agent_runtime.testing import run_virtual
from agent_runtime.types import APIConnectOptions

ASKED: dict[str, Decision] = {
    "angry": Probability("The caller is angry."),
    "topic": Choice("What it is about.", {"bill": "Money.", "line": "The connection."}),
    "hurry": Score("How urgent it is.", ["not at all", "soon", "now"]),
}


def answers() -> dict[str, Any]:
    return {
        "angry": ProbabilityResult(value=0.9),
        "topic": ChoiceResult(value="bill", probabilities={"bill": 0.7, "line": 0.3}),
        "hurry": ScoreResult(value=1.5, probabilities={0: 0.0, 1: 0.5, 2: 0.5}, levels=["not at all", "soon", "now"]),
    }


class Judge(DecisionModel):
    """Gives or raises what it was made with, one after the other; None is never."""

    def __init__(self, *steps: Any, kinds: Any = ("probability", "choice", "score")) -> None:
        super().__init__(capabilities=DecisionCapabilities(decision_kinds=list(kinds)))
        self.steps = list(steps)
        self.inputs: list[str] = []

    @property
    def model(self) -> str:
        return "judge-1"

    async def _evaluate_impl(
        self, *, input: str, decisions: Mapping[str, Decision], conn_options: APIConnectOptions
    ) -> DecisionResponse:
        self.inputs.append(input)
        step = self.steps.pop(0)
        if step is None:
            await asyncio.Event().wait()
        if isinstance(step, Exception):
            raise step
        return DecisionResponse(results=step, request_id="r1", input_tokens=7)


def ask(judge: Judge, asked: Mapping[str, Decision] = ASKED, said: str | ChatContext = "Help!") -> DecisionResponse:
    return run_virtual(judge.evaluate(input=said, decisions=asked))


def test_each_question_has_its_answer_and_the_request_is_measured():
    judge, measured = Judge(answers()), []
    judge.on("metrics_collected", measured.append)
    response = ask(judge)
    assert response.results == answers()
    assert (response.errors, response.model, response.provider) == ({}, "judge-1", "unknown")
    (metrics,) = measured
    assert (metrics.request_id, metrics.input_tokens, metrics.output_tokens) == ("r1", 7, None)
    assert metrics.metadata.model_name == "judge-1"
    assert metrics.label.endswith("test_decisions.Judge")


def test_a_conversation_is_told_by_what_was_said():
    said = ChatContext.empty()
    said.add_message(role="system", content="Be nice.")
    said.add_message(role="user", content="It broke.")
    said.add_message(role="assistant", content="Which one?")
    judge = Judge(answers())
    ask(judge, said=said)
    assert judge.inputs == ["user: It broke.\nassistant: Which one?"]


def test_nothing_asked_asks_nobody():
    judge = Judge()
    assert ask(judge, {}).results == {}
    assert judge.inputs == []


@pytest.mark.parametrize(
    ("decision", "problem"),
    [
        (Probability(" "), "needs a name and a prompt"),
        (Choice("Which?", {"one": "."}), "needs two options"),
        (Choice("Which?", {"one": ".", "": "."}), "needs two options"),
        (Score("How?", ["low", " "]), "needs two levels"),
    ],
)
def test_a_question_that_cannot_be_asked(decision: Decision, problem: str):
    judge = Judge()
    with pytest.raises(ValueError, match=problem):
        ask(judge, {"q": decision})
    assert judge.inputs == []


def test_a_kind_that_the_model_does_not_know():
    with pytest.raises(ValueError, match="decision 'hurry' is a score"):
        ask(Judge(kinds=["probability", "choice"]))


@pytest.mark.parametrize(
    ("name", "answer", "problem"),
    [
        ("angry", None, "wasn't answered"),
        ("angry", ChoiceResult(value="bill"), "a choice was answered"),
        ("topic", ChoiceResult(value="sea"), "'sea' is none of the options"),
        ("topic", ChoiceResult(value="bill", probabilities={"bill": 1.0}), "aren't those of the options"),
        ("topic", ChoiceResult(value="line", probabilities={"bill": 0.7, "line": 0.3}), "isn't the most probable"),
        ("hurry", ScoreResult(value=1, probabilities={0: 1.0}, levels=["not at all"]), "aren't those of the levels"),
        (
            "hurry",
            ScoreResult(value=2.5, probabilities={0: 0, 1: 0, 2: 1}, levels=["not at all", "soon", "now"]),
            "2.5 is beyond the last level",
        ),
    ],
)
def test_an_answer_that_does_not_fit_is_an_error_of_its_question_alone(name: str, answer: Any, problem: str):
    given = answers() | {name: answer}
    response = ask(Judge({key: value for key, value in given.items() if value is not None}))
    assert problem in response.errors[name]
    assert set(response.results) == set(ASKED) - {name}


def test_an_answer_to_what_was_not_asked_is_not_trusted():
    with pytest.raises(APIError, match="wasn't asked: weather"):
        ask(Judge({**answers(), "weather": ProbabilityResult(value=0.1)}))


def test_what_may_pass_is_tried_again_also_when_nothing_comes():
    judge = Judge(APIConnectionError(), None, answers())
    assert ask(judge).results == answers()
    assert len(judge.inputs) == 3


def test_a_refusal_is_final():
    judge = Judge(APIStatusError("no", status_code=401), answers())
    with pytest.raises(APIStatusError):
        ask(judge)
    assert len(judge.inputs) == 1


def test_a_model_that_never_answers_times_out():
    async def patient() -> None:
        options = APIConnectOptions(max_retry=1, timeout=3)
        await Judge(None, None).evaluate(input="", decisions=ASKED, conn_options=options)

    with pytest.raises(APITimeoutError, match="didn't decide within 3 s"):
        run_virtual(patient())
