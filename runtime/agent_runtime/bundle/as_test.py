"""A recorded conversation as a pytest file: the model's answers and the tools' outputs are the recorded ones."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agent_runtime.bundle.turns import ModelAnswer, RecordedTurn, ToolUse, text_of
from agent_runtime.redaction import MASK

_WIDTH: Final = 100
"""Characters of a line from which on a text is broken."""
_NOW: Final = "asyncio.get_running_loop().time()"


@dataclass(frozen=True, slots=True)
class TestedAgent:
    """Where a test finds its agent."""

    module: str
    """The module that it imports."""
    start: str
    """The name of the class, instance or function in it that gives the agent to start with."""
    make: str
    """The expression that makes it of `start`: `Desk()`, `desk`, `make()[1]`."""
    classes: Sequence[str]
    """Names of the module's agent classes."""
    before_import: str = ""
    """What has to be done so that the module can be imported."""

    def class_of(self, agent_id: str) -> str | None:
        """The class whose agents have this id: their class's name in snake_case, unless they were given another."""
        wanted = agent_id.replace("_", "").lower()
        return next((name for name in self.classes if name.replace("_", "").lower() == wanted), None)


@dataclass(frozen=True, slots=True)
class Strictness:
    """What a test holds an agent to."""

    real_tools: bool = False
    """Run the tools instead of giving their recorded outputs."""
    judge: str | None = None
    """A model, `openai` or `openai:MODEL`, that answers in the recorded one's place and judges what it says by what was
    said. Without it the model's answers are the recorded ones, and words are compared."""
    latency: float | None = None
    """Seconds that an answer may take; it isn't measured if None."""

    @property
    def judge_model(self) -> str:
        """The expression that makes the model."""
        name = (self.judge or "").partition(":")[2]
        return f"openai.LLM(model={_literal(name)})" if name else "openai.LLM()"


def write_test_file(
    exchanges: Sequence[RecordedTurn],
    chosen: Sequence[RecordedTurn],
    agent: TestedAgent,
    style: Strictness = Strictness(),
) -> str:
    """The text of the file: a test of each exchange that is `chosen`, or one of all of them if none is.

    Args:
        exchanges: the conversation, as `exchanges` of turns gives it.
        chosen: some of them.
        agent: the code.
        style: what it holds them to.
    """
    make = _Test if style.judge is None else _JudgedTest
    tests = [make(exchanges, turn, agent, style) for turn in chosen] or [make(exchanges, None, agent, style)]
    bodies = [test.source() for test in tests]
    return "\n\n".join([_head(agent, "\n".join(bodies), style), *bodies])


class _Test:
    """One test: what comes before the exchange that it is about is said too, and not checked."""

    def __init__(
        self, exchanges: Sequence[RecordedTurn], about: RecordedTurn | None, agent: TestedAgent, style: Strictness
    ) -> None:
        self._about = about
        self._agent = agent
        self._style = style
        count = len(exchanges) if about is None else exchanges.index(about) + 1
        self._played = list(exchanges[:count])

    def source(self) -> str:
        lines = ["@in_virtual_time", f"async def {self._name()}() -> None:"]
        lines += _indented(self._model())
        lines.append("    async with AgentSession(llm=llm) as session:")
        return "\n".join([*lines, *_indented(self._conversation(), 8)]) + "\n"

    def _conversation(self) -> list[str]:
        lines: list[str] = []
        if all(exchange.user for exchange in self._played):
            lines.append(f"await session.start({self._agent.make})")
        for exchange in self._played:
            wide = self._about is None and exchange is not self._played[0]
            lines += [*([""] if wide else []), *self._exchange(exchange)]
        return lines

    def _name(self) -> str:
        if self._about is None:
            return "test_the_conversation"
        words = re.sub(r"\W+", " ", self._about.user.lower()).split()[:7]
        return f"test_turn_{self._about.number}_{'_'.join(words) or 'without_words'}"

    def _model(self) -> list[str]:
        answers = [answer for turn in self._played for answer in turn.answers if _counts(answer)]
        if not answers:
            return ["llm = ScriptedLLM()"]
        return ["llm = ScriptedLLM(", "    [", *(f"        {_answer(answer)}," for answer in answers), "    ]", ")"]

    def _exchange(self, exchange: RecordedTurn) -> list[str]:
        checked = self._about is None or exchange is self._about
        if not exchange.user:
            call = f"await session.start({self._agent.make}, capture_run=True)"
            if not checked:
                return [call]
            # The first agent's entrance is in the run; in the recording it is before the first turn.
            wanted = f"new_agent_type={self._agent.start}" if self._agent.start in self._agent.classes else ""
            entrance = f"result.expect.next_event().is_agent_handoff({wanted})"
            return [f"result = {call}", entrance, *self._expectations(exchange)]
        lines = _call("await session.run", _text(exchange.user, "user_input="))
        if checked:
            lines[0] = f"result = {lines[0]}"
        mocks = {} if self._style.real_tools else _mocks(exchange)
        if mocks and (name := self._agent.class_of(exchange.agent)):
            lines = [*_with_mocks(name, mocks), *_indented(lines)]
        if not checked:
            return lines
        if self._style.latency is not None:
            within = f'assert {_NOW} - began <= {self._style.latency:g}, "the answer took too long"'
            lines = [f"began = {_NOW}", *lines, within]
        return [*lines, *self._expectations(exchange)]

    def _expectations(self, exchange: RecordedTurn) -> list[str]:
        lines = [line for item in exchange.items for line in self._expectation(item)]
        return [*lines, "result.expect.no_more_events()"]

    def _expectation(self, item: dict[str, Any]) -> list[str]:
        match item.get("type"):
            case "message":
                return _message(item)
            case "function_call":
                arguments = json.loads(item.get("arguments") or "{}")
                given = f", arguments={_literal(arguments)}" if arguments else ""
                return [f"result.expect.next_event().is_function_call(name={_literal(item['name'])}{given})"]
            case "function_call_output":
                error = ", is_error=True" if item.get("is_error") else ""
                output = _text(item.get("output", ""), "output=")
                return _call("result.expect.next_event().is_function_call_output", f"{output}{error}")
            case "agent_handoff":
                name = self._agent.class_of(item.get("new_agent_id", ""))
                wanted = f"new_agent_type={name}" if name else ""
                return [f"result.expect.next_event().is_agent_handoff({wanted})"]
        return []


class _JudgedTest(_Test):
    """One test with a real model: what it says is judged by its meaning, and it may say and do more than it did."""

    def source(self) -> str:
        lines = [f"def {self._name()}() -> None:", "    async def scenario() -> None:"]
        lines.append(f"        async with {self._style.judge_model} as llm, AgentSession(llm=llm) as session:")
        lines += _indented(self._conversation(), 12)
        return "\n".join([*lines, "", "    asyncio.run(scenario())"]) + "\n"

    def _expectations(self, exchange: RecordedTurn) -> list[str]:
        lines = [line for item in exchange.items for line in self._expectation(item)]
        last = exchange.items[-1] if exchange.items else {}
        if last.get("type") == "message" and not last.get("interrupted"):
            lines.append('answer = result.expect[-1].is_message(role="assistant")')
            intent = _text(f"says, maybe in other words: {text_of(last)}", "intent=")
            lines += _call("await answer.judge", f"llm, {intent}")
        return lines

    def _expectation(self, item: dict[str, Any]) -> list[str]:
        if item.get("type") == "function_call":  # a model can't know what a bundle doesn't tell
            arguments = json.loads(item.get("arguments") or "{}")
            known = {name: value for name, value in arguments.items() if value != MASK}
            item = {**item, "arguments": json.dumps(known)}
        elif item.get("type") != "agent_handoff":
            return []
        found = super()._expectation(item)
        return [line.replace("next_event().is_", "contains_", 1) for line in found]


def _message(item: dict[str, Any]) -> list[str]:
    check = 'result.expect.next_event().is_message(role="assistant")'
    if item.get("interrupted"):
        return [f"{check}  # it was cut short when this was recorded"]
    text = _text(text_of(item))
    return [f"said = {check}.event().item", *_call("assert said.text_content == ", text, bare=True)]


def _call(head: str, inside: str, *, bare: bool = False) -> list[str]:
    """`head(inside)` on one line, or on several if the text in it has several."""
    if "\n" not in inside:
        return [head + inside if bare else f"{head}({inside})"]
    return [f"{head}(", *_indented(inside.splitlines()), ")"]


def _mocks(exchange: RecordedTurn) -> dict[str, list[ToolUse]]:
    """Calls by tool, without the tool that handed over: it has to do that again."""
    mocks: dict[str, list[ToolUse]] = {}
    for use in exchange.tools:
        mocks.setdefault(use.name, []).append(use)
    if exchange.handoffs:
        silent = [use.name for use in exchange.tools if not use.output]
        for name in silent or [use.name for use in exchange.tools[-1:]]:
            mocks.pop(name, None)
    return mocks


def _with_mocks(agent: str, mocks: Mapping[str, Sequence[ToolUse]]) -> list[str]:
    entries = [f"{_literal(name)}: {_mock(uses)}" for name, uses in mocks.items()]
    line = f"with mock_tools({agent}, {{{', '.join(entries)}}}):"
    if len(line) <= _WIDTH:
        return [line]
    return ["with mock_tools(", f"    {agent},", "    {", *(f"        {entry}," for entry in entries), "    },", "):"]


def _mock(uses: Sequence[ToolUse]) -> str:
    outputs = [f"ToolError({_literal(use.output)})" if use.is_error else _literal(use.output) for use in uses]
    if len(set(outputs)) > 1:
        return f"Mock(side_effect=[{', '.join(outputs)}])"
    return outputs[0] if uses[0].is_error else f"lambda: {outputs[0]}"


def _counts(answer: ModelAnswer) -> bool:
    return not answer.cancelled or bool(answer.calls)


def _answer(answer: ModelAnswer) -> str:
    parts = [_literal(answer.text)] if answer.text else []
    if answer.calls:
        calls = (f"({_literal(use.name)}, {_literal(json.dumps(use.arguments))})" for use in answer.calls)
        parts.append(f"tool_calls=[{', '.join(calls)}]")
    return f"Answer({', '.join(parts)})"


def _text(text: str, name: str = "") -> str:
    """A string literal; a long one in parentheses on several lines."""
    if len(text) <= _WIDTH - 20:
        return name + _literal(text)
    pieces = textwrap.wrap(text, _WIDTH - 20, drop_whitespace=False, replace_whitespace=False)
    return "\n".join([f"{name}(", *(f"    {_literal(piece)}" for piece in pieces), ")"])


def _literal(value: Any) -> str:
    """Python source with double quotes where it is text."""
    if isinstance(value, str):
        single = "'" if '"' in value and "'" not in value else ""
        return repr(value) if single else json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_literal(inner) for inner in value) + "]"
    return repr(value)


def _head(agent: TestedAgent, source: str, style: Strictness) -> str:
    used = {name for name in {agent.start, *agent.classes} if re.search(rf"\b{name}\b", source)}
    runtime = ["AgentSession", *(name for name in ("ToolError", "mock_tools") if f"{name}(" in source)]
    testing = [*(["Answer"] if "Answer(" in source else []), "ScriptedLLM", "in_virtual_time"]
    whose = (
        "the model's words are the recorded ones" if style.judge is None else "a model answers, and judges the answers"
    )
    lines = [f'"""Holds the agent to a recorded conversation: {whose}."""', ""]
    standard = ["import asyncio"] if "asyncio." in source else []
    standard += ["import sys", "from pathlib import Path"] if agent.before_import else []
    standard += ["from unittest.mock import Mock"] if "Mock(" in source else []
    lines += [*standard, ""] if standard else []
    lines.append(f"from agent_runtime import {', '.join(runtime)}")
    if style.judge is None:
        lines.append(f"from agent_runtime.testing import {', '.join(testing)}")
    else:
        lines.append("from agent_runtime.providers import openai")
    late = "  # noqa: E402" if agent.before_import else ""
    lines += ["", agent.before_import, ""] if agent.before_import else []
    lines += [f"from {agent.module} import {', '.join(sorted(used))}{late}", ""]
    return "\n".join(lines)


def _indented(lines: Sequence[str], spaces: int = 4) -> list[str]:
    return [textwrap.indent(line, " " * spaces) for line in lines]
