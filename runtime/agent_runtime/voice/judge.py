"""Has a language model judge whether a message does what a test wants of it."""

from __future__ import annotations

from typing import Any, Final

from agent_runtime.llm import LLM
from agent_runtime.llm.verdicts import NoVerdictError, ask_for_verdict
from agent_runtime.records import record
from agent_tools import function_tool

_INSTRUCTIONS: Final = """\
You test conversational agents. You are given an intent and one message of an agent. Decide whether the message clearly
does what the intent says; when in doubt, it does not. Answer only by calling check_intent with your verdict.\
"""


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
    if not message.strip():
        return Verdict(False, "the message is empty")
    try:
        verdict: Verdict = await ask_for_verdict(
            llm, check_intent, instructions=_INSTRUCTIONS, question=f"Intent:\n{intent}\n\nMessage:\n{message}"
        )
    except NoVerdictError as error:
        return Verdict(False, str(error))
    return verdict
