"""Whether an answer is what a scenario expects."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent_runtime.errors import APIError
from agent_runtime.evals.report import Check
from agent_runtime.evals.scenario import Expectation
from agent_runtime.llm import LLM, AgentHandoff, ChatItem, ChatMessage, FunctionCall


@dataclass(slots=True)
class Answer:
    """Everything that followed something that the user said."""

    items: Sequence[ChatItem] = ()
    latency: float | None = None
    """Seconds from the user's last word to the agent's first; None if it said nothing."""
    agents: Sequence[str] = field(default_factory=list)
    """Classes of the agents that took over."""

    @property
    def messages(self) -> list[ChatMessage]:
        """What the agent said."""
        return [item for item in self.items if isinstance(item, ChatMessage) and item.role == "assistant"]

    @property
    def words(self) -> str:
        """What it said, as one text."""
        return " ".join(message.text_content or "" for message in self.messages)

    @property
    def calls(self) -> list[FunctionCall]:
        """The tools that it called."""
        return [item for item in self.items if isinstance(item, FunctionCall)]


async def check(step: int, wanted: Expectation, answer: Answer, judge: LLM[Any] | None) -> AsyncIterator[Check]:
    """Everything that is expected of an answer, held against it; `judge` is asked about intents."""
    said = f"the agent said {answer.words!r}" if answer.words else "the agent said nothing"
    if wanted.tool is not None:
        yield _tool(step, wanted.tool, wanted.arguments or {}, answer.calls)
    if wanted.no_tool is not None:
        called = [call.name for call in answer.calls if wanted.no_tool in ("any", call.name)]
        yield Check(step, f"no tool {wanted.no_tool}", f"{called[0]} was called" if called else "")
    if wanted.text is not None:
        found = wanted.text.casefold() in answer.words.casefold()
        yield Check(step, f"text {wanted.text!r}", "" if found else said)
    if wanted.regex is not None:
        found = re.search(wanted.regex, answer.words) is not None
        yield Check(step, f"regex {wanted.regex!r}", "" if found else said)
    if wanted.intent is not None:
        yield Check(step, f"intent {wanted.intent!r}", await _intent(wanted.intent, answer.words, judge))
    if wanted.latency is not None:
        yield Check(step, f"latency {wanted.latency:g} s", _latency(wanted.latency, answer.latency))
    if wanted.handoff is not None:
        yield _handoff(step, wanted.handoff, answer)
    if wanted.interrupted is not None:
        cut = any(message.interrupted for message in answer.messages)
        problem = "" if cut == wanted.interrupted else f"it {'was' if cut else 'was not'} cut short"
        yield Check(step, f"interrupted {str(wanted.interrupted).lower()}", problem)


def _tool(step: int, name: str, arguments: dict[str, Any], calls: Sequence[FunctionCall]) -> Check:
    shown = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    what = f"tool {name}({shown})"
    for call in calls:
        if call.name == name and _has(_arguments(call), arguments):
            return Check(step, what)
    made = ", ".join(f"{call.name}({call.arguments})" for call in calls)
    return Check(step, what, f"called were {made}" if made else "no tool was called")


def _arguments(call: FunctionCall) -> Any:
    try:
        return json.loads(call.arguments or "{}")
    except ValueError:
        return None


def _has(found: Any, wanted: Any) -> bool:
    """Whether everything that is wanted is found: of an object the named keys, of a text the letters without case."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(key in found and _has(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, str) and isinstance(found, str):
        return wanted.casefold() == found.casefold()
    return bool(found == wanted)


def _handoff(step: int, name: str, answer: Answer) -> Check:
    ids = [item.new_agent_id for item in answer.items if isinstance(item, AgentHandoff)]
    took_over = [*answer.agents, *ids]
    problem = f"{', '.join(took_over)} took over" if took_over else "no agent took over"
    return Check(step, f"handoff {name}", "" if name in took_over else problem)


def _latency(budget: float, seconds: float | None) -> str:
    if seconds is None:
        return "the agent said nothing"
    return "" if seconds <= budget else f"it took {seconds:.2f} s"


async def _intent(intent: str, words: str, judge: LLM[Any] | None) -> str:
    from agent_runtime.voice.judge import judge_message

    if judge is None:
        return "nothing can judge it: give --judge openai:MODEL, or `judge:` in the file"
    try:
        verdict = await judge_message(judge, words, intent=intent)
    except (APIError, ValueError) as exc:
        return f"it can't be judged: {exc}"
    return "" if verdict.success else f"{verdict.reason} (said: {words!r})"
