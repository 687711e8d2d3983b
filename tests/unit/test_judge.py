"""A model judges a message."""

from __future__ import annotations

from typing import Any

import pytest

from agent_runtime import Agent, AgentSession, APIError, RunResult
from agent_runtime.testing import Answer, ScriptedLLM, in_virtual_time, run_virtual
from agent_runtime.voice.judge import Verdict, judge_message


class Judge(ScriptedLLM):
    """A scripted model that keeps what it was asked with."""

    def __init__(self, *answers: Answer, name: str = "judge") -> None:
        super().__init__(list(answers))
        self.name = name
        self.asked: list[dict[str, Any]] = []

    @property
    def model(self) -> str:
        return self.name

    def chat(self, **request: Any) -> Any:
        self.asked.append(request)
        return super().chat(**request)


def verdict(success: bool, reason: str) -> Answer:
    return Answer("", [("check_intent", f'{{"success": {str(success).lower()}, "reason": "{reason}"}}')])


async def run() -> RunResult[Any]:
    async with AgentSession[Any](llm=ScriptedLLM([Answer("Hello! How can I help you?")])) as session:
        await session.start(Agent(instructions="Be kind."))
        return await session.run(user_input="Hi")


@in_virtual_time
async def test_a_message_that_does_what_it_should():
    judge = Judge(verdict(True, "It greets."))
    message = (await run()).expect.next_event(type="message")
    assert await message.judge(judge, intent="greets the user") is message
    [asked] = judge.asked
    assert asked["tool_choice"] == "required"
    assert asked["extra_kwargs"] == {"temperature": 0.0}
    assert [tool.id for tool in asked["tools"]] == ["check_intent"]
    instructions, question = asked["chat_ctx"].items
    assert (instructions.role, question.role) == ("system", "user")
    assert "greets the user" in question.text_content
    assert "Hello! How can I help you?" in question.text_content


@in_virtual_time
async def test_a_message_that_does_not_fails_with_the_reason_and_the_run():
    message = (await run()).expect.next_event(type="message")
    with pytest.raises(AssertionError) as caught:
        await message.judge(Judge(verdict(False, "No price is named.")), intent="names a price")
    assert str(caught.value) == (
        "expected a message that fulfills: names a price\n"
        "   judged No price is named.\n"
        "\n"
        "The run:\n"
        "        user                  'Hi'\n"
        ">>> [0] message               assistant: 'Hello! How can I help you?'"
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer('{"success": true, "reason": "fine"}'), Verdict(True, "fine")),
        (Answer('My verdict:\n```json\n{"success": false, "reason": "rude"}\n```'), Verdict(False, "rude")),
        (Answer("Looks good to me."), "no verdict: judge called no tool and answered 'Looks good to me.'"),
        (Answer("", [("check_intent", '{"reason": "hm"}')]), 'no verdict: judge answered {"reason": "hm"} ('),
        (Answer("Yes {really}"), "no verdict: judge answered {really} ("),
    ],
)
@in_virtual_time
async def test_how_a_verdict_may_be_given(answer, expected):
    found = await judge_message(Judge(answer), "Hello", intent="greets")
    if isinstance(expected, Verdict):
        assert found == expected
    else:
        assert not found.success
        assert found.reason.startswith(expected)


@in_virtual_time
async def test_without_a_message_or_an_intent_nobody_is_asked():
    judge = Judge()
    assert await judge_message(judge, " ", intent="greets") == Verdict(False, "the message is empty")
    with pytest.raises(ValueError, match="no intent"):
        await judge_message(judge, "Hello", intent="")
    assert judge.asked == []


@in_virtual_time
async def test_the_embedded_model_is_not_asked(monkeypatch):
    judge = Judge(name="SmolLM2")
    monkeypatch.setattr(Judge, "provider", "embedded")
    with pytest.raises(ValueError, match="SmolLM2 is too small to judge"):
        await judge_message(judge, "Hello", intent="greets")
    assert judge.asked == []


@pytest.mark.parametrize(
    ("name", "cool"),
    [("gpt-5-mini", False), ("openai/o3", False), ("o4-mini", False), ("gpt-4.1", True)],
)
def test_models_that_refuse_a_temperature_are_not_given_one(name, cool):
    judge = Judge(verdict(True, "fine"), name=name)
    assert run_virtual(judge_message(judge, "Hello", intent="greets")).success
    assert ("temperature" in judge.asked[0]["extra_kwargs"]) is cool


@in_virtual_time
async def test_a_judge_that_fails():
    with pytest.raises(APIError, match="no credit"):
        await judge_message(Judge(Answer(error=APIError("no credit", retryable=False))), "Hello", intent="greets")
