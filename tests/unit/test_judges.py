"""Judges of whole conversations: what they ask, what they make of the answer, and groups of them."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from agent_runtime.errors import APIError
from agent_runtime.evals.judge_group import EvaluationResult, JudgeGroup
from agent_runtime.evals.judges import (
    Judge,
    JudgmentResult,
    ModelJudge,
    Verdict,
    accuracy_judge,
    as_text,
    coherence_judge,
    conciseness_judge,
    handoff_judge,
    relevancy_judge,
    safety_judge,
    task_completion_judge,
    tool_use_judge,
)
from agent_runtime.llm import (
    AgentConfigUpdate,
    AgentHandoff,
    ChatContext,
    ChatMessage,
    FunctionCall,
    FunctionCallOutput,
)
from agent_runtime.testing import Answer, ScriptedLLM, in_virtual_time
from agent_runtime.worker.job import JobContext, JobProcess, current_job
from tests.support import jobs

READY = (
    accuracy_judge,
    coherence_judge,
    conciseness_judge,
    handoff_judge,
    relevancy_judge,
    safety_judge,
    task_completion_judge,
    tool_use_judge,
)


class Model(ScriptedLLM):
    """A scripted model that keeps the questions that it was asked."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__(list(answers))
        self.questions: list[str] = []

    def chat(self, **request: Any) -> Any:
        self.questions.append(request["chat_ctx"].items[-1].text_content)
        return super().chat(**request)


def gives(verdict: str, reasoning: str = "because") -> Answer:
    return Answer("", [("submit_verdict", json.dumps({"verdict": verdict, "reasoning": reasoning}))])


def conversation() -> ChatContext:
    return ChatContext(
        [
            AgentHandoff(old_agent_id=None, new_agent_id="greeter"),
            AgentConfigUpdate(instructions="Old orders."),
            AgentConfigUpdate(instructions="Take orders."),
            ChatMessage(role="user", content=["Where is 7?"]),
            FunctionCall(call_id="c", name="look_up", arguments='{"number": "7"}'),
            FunctionCallOutput(call_id="c", name="look_up", output="no such order", is_error=True),
            ChatMessage(role="assistant", content=["I don't know 7, but"], interrupted=True),
            AgentHandoff(old_agent_id="greeter", new_agent_id="boss"),
        ]
    )


def test_a_conversation_is_read_line_by_line():
    assert as_text(conversation()).splitlines() == [
        "[the agent is told: Old orders.]",
        "[the agent is told: Take orders.]",
        "user: Where is 7?",
        '[calls look_up({"number": "7"})]',
        "[look_up failed: no such order]",
        "assistant: I don't know 7, but [cut short]",
        "[greeter hands over to boss]",
    ]


@pytest.mark.parametrize("make", READY)
@in_virtual_time
async def test_each_ready_judge_asks_by_its_own_criterion(make):
    model = Model(gives("maybe", "It can't be told."))
    judge = make(model)
    assert judge.name == make.__name__.removesuffix("_judge")
    found = await judge.evaluate(chat_ctx=conversation())
    assert (found.verdict, found.reasoning) == ("maybe", "It can't be told.")
    assert (found.passed, found.failed, found.uncertain) == (False, False, True)
    [question] = model.questions
    assert found.instructions in question
    assert as_text(conversation()) in question
    assert ("What the agent was told to do:\nTake orders." in question) is (make is task_completion_judge)


@in_virtual_time
async def test_a_conversation_without_a_handoff_passes_unread():
    model = Model()
    context = ChatContext([item for item in conversation().items if item.type != "agent_handoff"])
    context.items.insert(0, AgentHandoff(old_agent_id=None, new_agent_id="greeter"))
    assert (await handoff_judge(model).evaluate(chat_ctx=context)).passed
    assert model.questions == []


@in_virtual_time
async def test_it_is_judged_beside_one_that_went_as_it_should():
    model = Model(gives("pass"))
    reference = ChatContext(
        [ChatMessage(role="system", content=["Secret."]), ChatMessage(role="user", content=["Hm?"])]
    )
    await accuracy_judge(model).evaluate(chat_ctx=conversation(), reference=reference)
    assert model.questions[0].endswith("One that went as it should:\nuser: Hm?")


@in_virtual_time
async def test_the_groups_model_comes_before_the_judges_own():
    own, groups = Model(gives("fail")), Model(gives("pass"))
    result = await JudgeGroup(llm=groups, judges=[accuracy_judge(own)]).evaluate(conversation())
    assert result.all_passed
    assert own.questions == []


@in_virtual_time
async def test_a_judge_without_a_model_says_so():
    with pytest.raises(ValueError, match="'mine' has no model: give llm"):
        await ModelJudge(name="mine", instructions="Be kind.").evaluate(chat_ctx=conversation())


class Short(Judge):
    async def evaluate(self, *, chat_ctx: Any, reference: Any = None, llm: Any = None) -> JudgmentResult:
        return JudgmentResult("pass" if len(chat_ctx.items) < 5 else "fail", f"{len(chat_ctx.items)} items")


@in_virtual_time
async def test_ones_own_rules_need_no_model():
    result = await JudgeGroup(llm=Model(), judges=[Short(name="short")]).evaluate(conversation())
    assert result.judgments["short"] == JudgmentResult("fail", "8 items")
    with pytest.raises(NotImplementedError, match="Judge 'none' has no evaluate"):
        await Judge(name="none").evaluate(chat_ctx=conversation())


@in_virtual_time
async def test_a_judge_that_fails_is_told_and_left_out(caplog):
    model = Model(Answer("I like it."), Answer(error=APIError("no credit", retryable=False)), gives("pass"))
    judges = [accuracy_judge(), safety_judge(), coherence_judge()]
    with caplog.at_level(logging.WARNING):
        result = await JudgeGroup(llm=model, judges=judges).evaluate(conversation())
    assert len(result.judgments) == 1
    assert "called no tool and answered 'I like it.'" in caplog.text
    assert "gave no verdict: no credit" in caplog.text


@in_virtual_time
async def test_in_a_job_the_verdicts_are_tagged():
    room: Any = None
    context = JobContext(proc=JobProcess(), info=jobs.info(), room=room, on_connect=print, on_shutdown=print)
    token = current_job.set(context)
    try:
        await JudgeGroup(llm=Model(gives("pass", "All said.")), judges=[accuracy_judge()]).evaluate(conversation())
    finally:
        current_job.reset(token)
    assert "lk.judge.accuracy:pass" in context.tagger.tags
    assert context.tagger.evaluations[0]["reasoning"] == "All said."


@pytest.mark.parametrize(
    ("verdicts", "score", "every", "some", "most", "none_failed"),
    [
        ("", 0.0, True, False, True, True),
        ("p", 1.0, True, True, True, True),
        ("pm", 0.75, False, True, False, True),
        ("ppm", 2.5 / 3, False, True, True, True),
        ("pf", 0.5, False, True, False, False),
        ("mf", 0.25, False, False, False, False),
    ],
)
def test_what_several_verdicts_come_to(verdicts, score, every, some, most, none_failed):
    names: dict[str, Verdict] = {"p": "pass", "m": "maybe", "f": "fail"}
    result = EvaluationResult({str(n): JudgmentResult(names[v], "") for n, v in enumerate(verdicts)})
    assert result.score == pytest.approx(score)
    assert (result.all_passed, result.any_passed, result.majority_passed) == (every, some, most)
    assert result.none_failed is none_failed


def test_a_model_by_name_is_openais(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    assert JudgeGroup(llm="openai/gpt-4.1-mini").llm.model == "gpt-4.1-mini"
    for name in ("google/gemini-9", "gpt-4.1-mini", "openai/"):
        with pytest.raises(ValueError, match="can't be asked from here"):
            JudgeGroup(llm=name)
