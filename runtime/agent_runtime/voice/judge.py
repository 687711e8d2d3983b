"""Has a language model judge whether a message does what a test wants of it."""

from __future__ import annotations

import re
from typing import Any, Final

from agent_runtime.llm import LLM, ChatContext, CollectedResponse
from agent_runtime.records import record
from agent_tools import InvalidArgumentsError, function_tool

_INSTRUCTIONS: Final = """\
You test conversational agents. You are given an intent and one message of an agent. Decide whether the message clearly
does what the intent says; when in doubt, it does not. Answer only by calling check_intent with your verdict.\
"""

_REFUSES_TEMPERATURE: Final = re.compile(r"(^|/)(gpt-5|o\d)")
"""Models that answer a request that sets the temperature with an error."""


@record(frozen=True, slots=True)
class Verdict:
    """What the judge found, and why."""

    success: bool
    reason: str


@function_tool
def check_intent(success: bool, reason: str) -> Verdict:
    """Give the verdict on the message.

    Args:
        success: Whether the message does what the intent says.
        reason: Why, in one sentence.
    """
    return Verdict(success, reason)


async def judge_message(llm: LLM[Any], message: str, *, intent: str) -> Verdict:
    """Ask `llm` whether `message` does what `intent` says.

    A verdict in a tool call is taken, and one that was written as JSON. Anything else is no success, with a reason
    that shows what the model answered. Raises ValueError for an empty intent and for the embedded model, and what the
    request fails with.
    """
    if not intent.strip():
        raise ValueError("there is no intent to judge the message by")
    if llm.provider == "embedded":
        # Of six messages that did what they should and six that did the opposite it got seven right.
        raise ValueError(f"{llm.model} is too small to judge: it agrees with nearly everything; use a larger model")
    if not message.strip():
        return Verdict(False, "the message is empty")
    context = ChatContext.empty()
    context.add_message(role="system", content=_INSTRUCTIONS)
    context.add_message(role="user", content=f"Intent:\n{intent}\n\nMessage:\n{message}")
    stream = llm.chat(
        chat_ctx=context,
        tools=[check_intent],
        tool_choice="required",
        extra_kwargs={} if _REFUSES_TEMPERATURE.search(llm.model) else {"temperature": 0.0},
    )
    return _read(await stream.collect(), llm.model)


def _read(response: CollectedResponse, model: str) -> Verdict:
    written = re.search(r"\{.*\}", response.text, re.DOTALL)
    if response.tool_calls:
        arguments = response.tool_calls[0].arguments
    elif written is not None:
        arguments = written[0]
    else:
        return Verdict(False, f"no verdict: {model} called no tool and answered {response.text!r}")
    try:
        return check_intent(**check_intent.validate_arguments(arguments))
    except InvalidArgumentsError as error:
        return Verdict(False, f"no verdict: {model} answered {arguments} ({error})")
