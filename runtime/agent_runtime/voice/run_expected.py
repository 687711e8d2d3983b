"""What a test expects of one event of a run, and how the event differs from it."""

from __future__ import annotations

import json
from typing import Any

from agent_runtime.records import record
from agent_runtime.types import is_given
from agent_runtime.voice.run_events import AgentHandoffEvent, RunEvent, RunEventType


@record(frozen=True, slots=True)
class Expected:
    """A type of event and the fields that it has to have."""

    type: RunEventType
    fields: dict[str, Any]

    @classmethod
    def of(cls, type: RunEventType, **fields: Any) -> Expected:
        """Of the fields, those that are given."""
        return cls(type, {name: value for name, value in fields.items() if is_given(value)})

    def difference(self, event: RunEvent) -> str:
        """How `event` is otherwise; empty if it isn't."""
        if event.type != self.type:
            return with_fields(event.type, {})
        found = {name: _field(event, name) for name in self.fields}
        wrong = {name: found[name] for name, value in self.fields.items() if not _fits(name, value, found[name])}
        return with_fields(event.type, wrong) if wrong else ""

    def __str__(self) -> str:
        return with_fields(self.type, self.fields)


def with_fields(type: RunEventType, fields: dict[str, Any]) -> str:
    """`a function_call with name='get_weather'`."""
    shown = [f"{name}={_shown(value)}" for name, value in fields.items()]
    article = "an" if type == "agent_handoff" else "a"
    return f"{article} {type}" + (f" with {', '.join(shown)}" if shown else "")


def _shown(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)


def _field(event: RunEvent, name: str) -> Any:
    if isinstance(event, AgentHandoffEvent):
        return type(event.new_agent)
    value = getattr(event.item, name)
    if name != "arguments":
        return value
    try:
        return json.loads(value or "{}")
    except ValueError:
        return value  # what the model wrote isn't JSON: it is shown as it is


def _fits(name: str, expected: Any, found: Any) -> bool:
    if name == "new_agent_type":
        return issubclass(found, expected)
    if name == "arguments":
        return isinstance(found, dict) and all(key in found and found[key] == expected[key] for key in expected)
    return bool(expected == found)
