"""What a session's events count for, taken together in the job's process and sent to the worker now and then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from agent_runtime import events as ev
from agent_runtime.events import AnyEvent, EventStream
from agent_runtime.worker.metrics import Sample

MOST: Final = 5_000
"""Samples that are kept for the next time; nobody has taken any for long then."""


class Figures:
    """Counts what happens in a job's sessions; `take` gives what came since the last time."""

    def __init__(self) -> None:
        self._samples: list[Sample] = []
        self._left_alone: dict[str, tuple[str, ...]] = {}

    def follow(self, events: EventStream) -> Callable[[], None]:
        """Count a session's. Returns the function that ends it."""
        return events.subscribe(self._count, types=_COUNTED)

    def take(self) -> list[Sample]:
        """What is to be counted since the last time; nothing, if nothing was."""
        samples, self._samples = self._samples, []
        return samples

    def _count(self, event: AnyEvent) -> None:
        if isinstance(event.data, ev.CircuitsChanged):
            left_alone = (circuit.name for circuit in event.data.circuits if circuit.state != "closed")
            self._providers(event.data.part, tuple(left_alone))
        elif len(self._samples) < MOST:
            self._samples += _COUNTED[type(event.data)](event, event.data)

    def _providers(self, part: str, left_alone: tuple[str, ...]) -> None:
        before = self._left_alone.pop(part, ())
        if left_alone:
            self._left_alone[part] = left_alone
        for names, step in ((before, -1.0), (left_alone, 1.0)):
            for name in names:
                self._samples.append(("add", "agent_provider_left_alone", (part, name), step))


def _turn(event: AnyEvent, data: ev.TurnMeasured) -> list[Sample]:
    parts: dict[str, float] = {}
    for part in data.parts:
        parts[part.name] = parts.get(part.name, 0.0) + part.end - part.start
    whole: Sample = ("observe", "agent_turn_seconds", (), data.end - data.start)
    return [whole, *(("observe", "agent_turn_part_seconds", (name,), seconds) for name, seconds in parts.items())]


def _interruption(event: AnyEvent, data: ev.AgentInterrupted) -> list[Sample]:
    return [("add", "agent_interruptions", (event.cause or "",), 1)]


def _error(event: AnyEvent, data: ev.ErrorOccurred) -> list[Sample]:
    return [("add", "agent_errors", (data.source,), 1)]


def _tool(event: AnyEvent, data: ev.ToolFinished) -> list[Sample]:
    outcome = "invalid" if data.invalid else "error" if data.is_error else "ok"
    return [
        ("add", "agent_tool_calls", (data.name, outcome), 1),
        ("observe", "agent_tool_seconds", (data.name,), data.duration),
    ]


def _tokens(event: AnyEvent, data: ev.LLMFinished) -> list[Sample]:
    kinds = {"prompt": data.prompt_tokens, "cached": data.cached_tokens, "completion": data.completion_tokens}
    return [("add", "agent_llm_tokens", (data.model, kind), count) for kind, count in kinds.items() if count]


def _voice(event: AnyEvent, data: ev.TTSFinished) -> list[Sample]:
    return [
        ("add", "agent_tts_characters", (data.model,), data.characters),
        ("add", "agent_tts_audio_seconds", (data.model,), data.audio_duration),
    ]


def _recognised(event: AnyEvent, data: ev.SpeechRecognized) -> list[Sample]:
    return [("add", "agent_stt_audio_seconds", (data.model,), data.audio_duration)]


def _not_counted_here(event: AnyEvent, data: ev.CircuitsChanged) -> list[Sample]:
    return []


_COUNTED: Final[Mapping[type, Callable[[AnyEvent, Any], list[Sample]]]] = {
    ev.TurnMeasured: _turn,
    ev.AgentInterrupted: _interruption,
    ev.ErrorOccurred: _error,
    ev.ToolFinished: _tool,
    ev.LLMFinished: _tokens,
    ev.TTSFinished: _voice,
    ev.SpeechRecognized: _recognised,
    ev.CircuitsChanged: _not_counted_here,
}
