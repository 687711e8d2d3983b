"""What to answer with: a tool's call, a question for what is missing, a tool's result, or just talk."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.providers.embedded.llm_arguments import ArgumentFinder
from agent_runtime.providers.embedded.llm_facts import spoken
from agent_runtime.providers.embedded.llm_tools import ToolChooser, ToolSpec, is_chat
from agent_runtime.providers.embedded.llm_words import WordVectors

if TYPE_CHECKING:
    from agent_runtime.llm import ChatItem

_FOLLOW_UP = re.compile(r"^(?:and|what about|how about|also|or)\b", re.IGNORECASE)
_GREETING = re.compile(
    r"^(?:hello|hi|hey|good (?:morning|afternoon|evening))(?: there)?[,.!]*\s+(?=\S+\s+\S)", re.IGNORECASE
)
"""Before a request of two words or more; a greeting alone is for the model."""
_OPENING = re.compile(r"^(?:in|at|for|to|on|from|by)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Call:
    """Call this tool."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """Say this: a question, or what a tool gave back."""

    text: str


class CallPlanner:
    """Decides, from the words alone and in a few milliseconds, what to answer with."""

    def __init__(self, vectors: WordVectors) -> None:
        self._chooser = ToolChooser(vectors)
        self._finder = ArgumentFinder(vectors)

    def plan(
        self, items: Sequence[ChatItem], tools: Sequence[ToolSpec], *, required: bool = False
    ) -> Call | Reply | None:
        """What to answer a conversation with; None leaves it to the model.

        Args:
            items: the conversation.
            tools: what may be called.
            required: a tool must be called, if its arguments were told.
        """
        results = _new_results(items)
        if results:
            return Reply(" ".join(spoken(result.output, is_error=result.is_error) for result in results))
        utterance = _GREETING.sub("", _latest_utterance(items))
        if not utterance or not tools:
            return None
        tool = self._chooser.choose(tools, utterance, required=required)
        asked = self._answered_question(items, tools)
        if asked is not None and tool in (None, asked) and not (is_chat(utterance) and tool is None):
            joint = " " if _OPENING.match(utterance) else " for "
            return self._call(asked, _earlier_utterance(items).rstrip(".?! ") + joint + utterance, items)
        if tool is None and _FOLLOW_UP.match(utterance):
            last = _last_call(items)
            tool = next((tool for tool in tools if last is not None and tool.name == last.name), None)
        return None if tool is None else self._call(tool, utterance, items)

    def _call(self, tool: ToolSpec, utterance: str, items: Sequence[ChatItem]) -> Call | Reply:
        found = self._finder.find(tool, utterance)
        known = _known_arguments(items)
        for name in found.missing:
            # "and the forecast?" is about the city that the last call was about. Times and numbers are said anew.
            if isinstance(known.get(name), str) and tool.kinds[name] == "text":
                found.values[name] = known[name]
        missing = [name for name in found.missing if name not in found.values]
        return Reply(question(tool, missing[0])) if missing else Call(tool.name, found.values)

    def _answered_question(self, items: Sequence[ChatItem], tools: Sequence[ToolSpec]) -> ToolSpec | None:
        """The tool for which the assistant had asked something in its last words."""
        said = next((_text(item) for item in reversed(items) if _role(item) == "assistant"), "").strip()
        if not said.endswith("?"):
            return None
        return next((tool for tool in tools for name in tool.required if question(tool, name) == said), None)


def question(tool: ToolSpec, name: str) -> str:
    """How to ask for a parameter: its description, where that is a question ("How many minutes."), else its name."""
    schema = tool.properties.get(name, {})
    description = str(schema.get("description", "")).strip().rstrip(".?")
    if re.match(r"(?i)(how|what|which|when|where|who|whom)\b", description):
        return f"{description}?"
    label = name.replace("_", " ")
    if tool.kinds.get(name) in ("time", "day"):
        return f"What {label}?"
    if schema.get("enum"):
        choices = [str(choice) for choice in schema["enum"]]
        return f"Which {label}: {', '.join(choices[:-1])} or {choices[-1]}?" if len(choices) > 1 else f"{choices[0]}?"
    return f"How many {label}?" if tool.kinds.get(name) == "number" else f"Which {label}?"


def _new_results(items: Sequence[ChatItem]) -> list[Any]:
    """The outputs of tools since anyone spoke last."""
    results = []
    for item in reversed(items):
        if item.type == "message" and item.role in ("user", "assistant"):
            break
        if item.type == "function_call_output":
            results.append(item)
    return results[::-1]


def _role(item: ChatItem) -> str:
    return item.role if item.type == "message" else ""


def _text(item: ChatItem) -> str:
    return (item.text_content or "") if item.type == "message" else ""


def _latest_utterance(items: Sequence[ChatItem]) -> str:
    """What the user said last, if nothing was answered yet; instructions after it are an answer of the agent's own."""
    for item in reversed(items):
        if item.type == "message":
            return _text(item).strip() if item.role == "user" else ""
    return ""


def _earlier_utterance(items: Sequence[ChatItem]) -> str:
    said = [_text(item) for item in items if _role(item) == "user"]
    return said[-2] if len(said) > 1 else ""


def _last_call(items: Sequence[ChatItem]) -> Any:
    return next((item for item in reversed(items) if item.type == "function_call"), None)


def _known_arguments(items: Sequence[ChatItem]) -> dict[str, Any]:
    call = _last_call(items)
    try:
        arguments = json.loads(call.arguments) if call is not None else {}
    except ValueError:  # another model wrote it
        return {}
    return arguments if isinstance(arguments, dict) else {}
