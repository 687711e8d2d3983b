"""What vendors' packages import from inside of livekit-agents has its meaning here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agent_runtime.compat.plugins.inner_names import convert_mid_conversation_instructions
from agent_runtime.inference.model_options import (
    drop_unsupported_params,
    min_reasoning_effort,
    supports_prompt_cache_breakpoints,
)
from agent_runtime.llm import ChatContext
from agent_runtime.llm.instructions import DYNAMIC_INSTRUCTIONS_MESSAGE_ID
from agent_runtime.types import APIConnectOptions

EVERYTHING: dict[str, Any] = {
    **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias"), 0.5),
    **dict.fromkeys(("logprobs", "top_logprobs", "n", "stop", "seed"), 1),
}


def dropped(model: str, **more: Any) -> set[str]:
    return EVERYTHING.keys() - drop_unsupported_params(model, {**EVERYTHING, **more}).keys()


def test_what_models_that_reason_refuse():
    always = {"temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs"}
    assert dropped("gpt-4.1") == set()
    assert dropped("o3-mini") == dropped("openai/gpt-5.2") == always | {"n"}
    assert dropped("gpt-6-sol") == always | {"stop"}
    assert dropped("xai/grok-4-1-fast-reasoning") == {"presence_penalty", "frequency_penalty", "stop"}
    assert dropped("xai/grok-4-1-fast-non-reasoning") == set()


def test_a_model_that_is_told_not_to_reason_can_be_sampled():
    assert "temperature" not in dropped("gpt-5.1", reasoning_effort="none")
    assert "presence_penalty" in dropped("gpt-5.1", reasoning_effort="none")
    assert dropped("gpt-6-sol", reasoning=SimpleNamespace(effort="none")) == set()
    assert "temperature" in dropped("gpt-5.1", reasoning_effort="low")
    assert "temperature" in dropped("gpt-6.1-sol", reasoning_effort="none")  # its least is "low"


def test_no_effort_beside_tools_for_two_families():
    options = {"reasoning_effort": "low"}
    assert drop_unsupported_params("gpt-5.2", options, tools=[object()]) == {}
    assert drop_unsupported_params("gpt-5.2", options) == options
    assert drop_unsupported_params("gpt-5.1", options, tools=[object()]) == options


@pytest.mark.parametrize(
    ("model", "effort"), [("openai/gpt-5-mini", "minimal"), ("gpt-5.5", "none"), ("gpt-6.1-sol", "low"), ("o3", None)]
)
def test_the_least_effort(model: str, effort: str | None):
    assert min_reasoning_effort(model) == effort


@pytest.mark.parametrize(
    ("model", "can"),
    [("gpt-5.6-sol", True), ("openai/gpt-6", True), ("gpt-5.5", False), ("google/gpt-6", False), ("gpt-oss", False)],
)
def test_prompts_that_say_where_their_cached_part_ends(model: str, can: bool):
    assert supports_prompt_cache_breakpoints(model) is can


def test_instructions_in_mid_conversation_become_messages():
    said = ChatContext.empty()
    said.add_message(role="system", content="Serve.")
    said.add_message(role="system", content="Sam calls.", id=DYNAMIC_INSTRUCTIONS_MESSAGE_ID)
    said.add_message(role="user", content="Hello")
    said.add_message(role="system", content="Be brief.")

    def shown(**options: Any) -> list[tuple[str, str | None]]:
        changed = convert_mid_conversation_instructions(said, **options)
        return [(m.role, m.text_content) for m in changed.messages()]

    tagged = "<instructions>\nBe brief.\n</instructions>"
    assert shown() == [("system", "Serve.\nSam calls."), ("user", "Hello"), ("user", tagged)]
    assert shown(role="developer", template="[{content}]")[-1] == ("developer", "[Be brief.]")
    assert shown(merge_dynamic_instructions=False)[1] == ("user", "<instructions>\nSam calls.\n</instructions>")
    assert len(said.items) == 4


def test_packages_that_retry_by_themselves_ask_for_the_pause():
    options = APIConnectOptions(retry_interval=4.0)
    assert [options._interval_for_retry(attempt) for attempt in range(3)] == [0.1, 4.0, 4.0]


def test_a_session_that_extends_what_is_not_here_says_so():
    from agent_runtime.compat.plugins.openai_realtime import RealtimeModel, RealtimeSession

    class Extended(RealtimeSession):
        def _handle_response_created(self, event: object) -> None: ...

    with pytest.raises(NotImplementedError, match=r"Extended extends the inside .* use openai.realtime.RealtimeModel"):
        Extended(RealtimeModel(api_key="sk-secret"))
