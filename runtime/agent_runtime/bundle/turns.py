"""What happened in each turn of a recording, in the words of whoever asks what an agent did."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from agent_runtime import events as ev
from agent_runtime.events import AnyEvent


@dataclass(slots=True)
class ToolUse:
    """A call of a tool."""

    call_id: str
    name: str
    arguments: dict[str, Any]
    output: str = ""
    is_error: bool = False
    duration: float = 0.0
    """Seconds."""


@dataclass(slots=True)
class ModelAnswer:
    """What the model said in one request."""

    speech_id: str
    text: str = ""
    calls: list[ToolUse] = field(default_factory=list)
    cancelled: bool = False


@dataclass(slots=True)
class RecordedTurn:
    """One turn: what the user said, and what came of it."""

    turn_id: str
    number: int
    time: float
    """Second of the session at which it began."""
    by: str = "say"
    """What began it: the cause of `TurnStarted`."""
    user: str = ""
    committed_at: float | None = None
    tools: list[ToolUse] = field(default_factory=list)
    answers: list[ModelAnswer] = field(default_factory=list)
    """Of the model, in order, without those that were thrown away."""
    replies: list[str] = field(default_factory=list)
    """Messages of the agent, as they were kept: an interrupted one as far as it was heard."""
    items: list[dict[str, Any]] = field(default_factory=list)
    """What the conversation's history got of the agent: messages, calls, outputs, handoffs, in their order."""
    handoffs: list[tuple[str, str]] = field(default_factory=list)
    """(from, to) each."""
    agent: str = ""
    """Who had the conversation when it began."""
    interrupted: bool = False
    marked: bool = False
    latency: float | None = None
    """Seconds from the user's last word to the agent's first sound."""
    parts: dict[str, float] = field(default_factory=dict)
    """Seconds of each part of it."""

    @property
    def reply(self) -> str:
        """All that the agent said."""
        return " ".join(self.replies)


def recorded_turns(events: Iterable[AnyEvent]) -> list[RecordedTurn]:
    """The turns in their order; a turn that the user took back isn't among them."""
    reader = TurnReader()
    for event in events:
        reader.read(event)
    return reader.turns


class TurnReader:
    """Makes turns of events as they come."""

    def __init__(self) -> None:
        self._turns: dict[str, RecordedTurn] = {}
        self._dropped: set[str] = set()
        self._answers: dict[str, ModelAnswer] = {}
        self._speech_turns: dict[str, RecordedTurn] = {}
        self._calls: dict[str, ToolUse] = {}
        self._agent = ""

    @property
    def turns(self) -> list[RecordedTurn]:
        """Those there are by now, in their order, without those that the user took back."""
        return [turn for turn in self._turns.values() if turn.turn_id not in self._dropped]

    def read(self, event: AnyEvent) -> None:
        """Take the next event."""
        data: Any = event.data
        turn = self._turns.get(event.turn_id or "")
        if isinstance(data, ev.TurnStarted):
            name = event.turn_id or str(data.number)
            self._turns[name] = RecordedTurn(name, data.number, event.time, event.cause or "say", agent=self._agent)
        elif isinstance(data, ev.AgentChanged):
            self._agent_changed(event, data)
        elif isinstance(data, ev.ItemAdded):
            self._item_added(turn or next(reversed(self._turns.values()), None), data.item)
        elif turn is None:
            return
        elif isinstance(data, ev.TurnCommitted):
            turn.user, turn.committed_at = data.text, event.time
            self._dropped.discard(turn.turn_id)
        elif isinstance(data, ev.TurnDiscarded):
            if turn.committed_at is None:
                self._dropped.add(turn.turn_id)
        elif isinstance(data, ev.TurnMarked):
            turn.marked = True
        elif isinstance(data, ev.TurnMeasured):
            turn.latency = data.end - data.start
            for part in data.parts:
                turn.parts[part.name] = turn.parts.get(part.name, 0.0) + part.end - part.start
        else:
            self._read_reply(turn, data)

    def _agent_changed(self, event: AnyEvent, data: ev.AgentChanged) -> None:
        # It belongs to no turn of its own: the turn before it brought it about.
        if self._turns and event.cause in ("handoff", "update_agent"):
            turn = next(reversed(self._turns.values()))
            turn.handoffs.append((data.old or self._agent, data.new))
        self._agent = data.new

    def _read_reply(self, turn: RecordedTurn, data: Any) -> None:
        if isinstance(data, ev.LLMStarted):
            answer = self._answers[data.speech_id] = ModelAnswer(data.speech_id)
            turn.answers.append(answer)
        elif isinstance(data, ev.AgentText):
            if data.speech_id in self._answers:
                self._answers[data.speech_id].text += data.delta
        elif isinstance(data, ev.LLMFinished):
            if data.speech_id in self._answers:
                self._answers[data.speech_id].cancelled = data.cancelled
        elif isinstance(data, ev.ToolStarted):
            use = self._calls[data.call_id] = ToolUse(data.call_id, data.name, _arguments(data.arguments))
            turn.tools.append(use)
            if data.speech_id in self._answers:
                self._answers[data.speech_id].calls.append(use)
        elif isinstance(data, ev.ToolFinished):
            if (done := self._calls.get(data.call_id)) is not None:
                done.output, done.is_error, done.duration = data.output, data.is_error, data.duration
        elif isinstance(data, ev.AgentInterrupted):
            turn.interrupted = True

    def _item_added(self, turn: RecordedTurn | None, item: dict[str, Any]) -> None:
        if turn is None or item.get("role", "assistant") != "assistant":
            return
        turn.items.append(item)
        if item.get("type") == "message":
            turn.replies.append(text_of(item))


def text_of(item: dict[str, Any]) -> str:
    """The text of a recorded message."""
    return "".join(part for part in item.get("content", ()) if isinstance(part, str))


def _arguments(text: str) -> dict[str, Any]:
    try:
        arguments = json.loads(text or "{}")
    except ValueError:
        return {}
    return arguments if isinstance(arguments, dict) else {}


def exchanges(turns: Iterable[RecordedTurn]) -> list[RecordedTurn]:
    """Each user's turn with what the agent said and did of its own accord up to the next one.

    What it did before the first is an exchange without a user's part.
    """
    found: list[RecordedTurn] = []
    for turn in turns:
        if turn.user or not found:
            found.append(_copy(turn))
            continue
        whole = found[-1]
        whole.tools += turn.tools
        whole.answers += turn.answers
        whole.replies += turn.replies
        whole.handoffs += turn.handoffs
        whole.items += turn.items
        whole.interrupted |= turn.interrupted
        whole.marked |= turn.marked
    return found


def _copy(turn: RecordedTurn) -> RecordedTurn:
    lists = {name: list(getattr(turn, name)) for name in ("tools", "answers", "replies", "items", "handoffs")}
    return replace(turn, **lists)  # type: ignore[arg-type]  # each list is of its field's own type
