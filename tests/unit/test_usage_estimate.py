"""What a session's requests use is estimated where nobody tells, and what was counted isn't counted again."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.llm import ChatContext, token_count
from agent_runtime.llm.token_count import UsageEstimate


def prompt(estimate: UsageEstimate, context: ChatContext) -> int:
    return estimate("a model", context, "").prompt_tokens


@given(st.lists(st.tuples(st.sampled_from(["add", "forget", "change", "ask"]), st.text(max_size=30)), max_size=30))
def test_it_is_the_same_as_counted_anew_whatever_becomes_of_the_history(steps: list[tuple[str, str]]) -> None:
    estimate, context = UsageEstimate(), ChatContext.empty()
    for step, text in steps:
        if step == "add":
            context.add_message(role="user", content=text)
        elif step == "forget":
            context.items[:1] = []
        elif step == "change" and context.items:
            changed = ChatContext.empty()
            changed.add_message(role="user", content=text)
            context.items[len(context.items) // 2] = changed.items[0]
        assert prompt(estimate, context.copy()) == prompt(UsageEstimate(), context)


def test_a_long_history_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []
    count: Callable[[str], int] = token_count.estimate_tokens
    monkeypatch.setattr(token_count, "estimate_tokens", lambda text: counted.append(text) or count(text))
    estimate, context = UsageEstimate(), ChatContext.empty()
    for number in range(100):
        context.add_message(role="user", content=f"message {number}")
        prompt(estimate, context.copy())
    assert len([text for text in counted if text]) == 100


def test_without_a_model_nothing_is_used() -> None:
    context = ChatContext.empty()
    context.add_message(role="user", content="Hello?")
    assert UsageEstimate()(None, context, "Hello!").total_tokens == 0
