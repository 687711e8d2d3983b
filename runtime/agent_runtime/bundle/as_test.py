"""A recorded conversation as a pytest file: the model's answers and the tools' outputs are the recorded ones."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agent_runtime.bundle.turns import ModelAnswer, RecordedTurn, ToolUse, text_of

_WIDTH: Final = 100
"""Characters of a line from which on a text is broken."""


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


def write_test_file(
    exchanges: Sequence[RecordedTurn], chosen: Sequence[RecordedTurn], agent: TestedAgent, *, real_tools: bool = False
) -> str:
    """The text of the file: a test of each exchange that is `chosen`, or one of all of them if none is.

    Args:
        exchanges: the conversation, as `exchanges` of turns gives it.
        chosen: some of them.
        agent: the code.
        real_tools: run the tools instead of giving their recorded outputs.
    """
    tests = [_Test(exchanges, turn, agent, real_tools) for turn in chosen] or [
        _Test(exchanges, None, agent, real_tools)
    ]
    bodies = [test.source() for test in tests]
    return "\n\n".join([_head(agent, "\n".join(bodies)), *bodies])


class _Test:
    """One test: what comes before the exchange that it is about is said too, and not checked."""

    def __init__(
        self, exchanges: Sequence[RecordedTurn], about: RecordedTurn | None, agent: TestedAgent, real_tools: bool
    ) -> None:
        self._about = about
        self._agent = agent
        self._real_tools = real_tools
        count = len(exchanges) if about is None else exchanges.index(about) + 1
        self._played = list(exchanges[:count])

    def source(self) -> str:
        lines = ["@in_virtual_time", f"async def {self._name()}() -> None:"]
        lines += _indented(self._model())
        lines.append("    async with AgentSession(llm=llm) as session:")
        if all(exchange.user for exchange in self._played):
            lines.append(f"        await session.start({self._agent.make})")
        for exchange in self._played:
            wide = self._about is None and exchange is not self._played[0]
            lines += [*([""] if wide else []), *_indented(self._exchange(exchange), 8)]
        return "\n".join(lines) + "\n"

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
        mocks = {} if self._real_tools else _mocks(exchange)
        if mocks and (name := self._agent.class_of(exchange.agent)):
            lines = [*_with_mocks(name, mocks), *_indented(lines)]
        return [*lines, *(self._expectations(exchange) if checked else [])]

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


def _head(agent: TestedAgent, source: str) -> str:
    used = {name for name in {agent.start, *agent.classes} if re.search(rf"\b{name}\b", source)}
    runtime = ["AgentSession", *(name for name in ("ToolError", "mock_tools") if f"{name}(" in source)]
    testing = [*(["Answer"] if "Answer(" in source else []), "ScriptedLLM", "in_virtual_time"]
    lines = ['"""Holds the agent to a recorded conversation: the model\'s words are the recorded ones."""', ""]
    standard = ["from unittest.mock import Mock"] if "Mock(" in source else []
    if agent.before_import:
        standard = ["import sys", "from pathlib import Path", *standard]
    lines += [*standard, ""] if standard else []
    lines.append(f"from agent_runtime import {', '.join(runtime)}")
    lines.append(f"from agent_runtime.testing import {', '.join(testing)}")
    late = "  # noqa: E402" if agent.before_import else ""
    lines += ["", agent.before_import, ""] if agent.before_import else []
    lines += [f"from {agent.module} import {', '.join(sorted(used))}{late}", ""]
    return "\n".join(lines)


def _indented(lines: Sequence[str], spaces: int = 4) -> list[str]:
    return [textwrap.indent(line, " " * spaces) for line in lines]
