"""What a trace is made of, before any tracing library sees it. Times are seconds on the session's clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from agent_runtime.records import record

Attributes: TypeAlias = dict[str, str | int | float | bool]


@record(frozen=True, slots=True)
class Moment:
    """Something that happened within a span."""

    name: str
    time: float
    attributes: Attributes


@dataclass(slots=True)
class Span:
    """A stretch of time with a name, and the stretches within it."""

    name: str
    start: float
    end: float
    attributes: Attributes = field(default_factory=dict)
    children: list[Span] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    failed: bool = False

    def child(self, name: str, start: float, attributes: Attributes | None = None) -> Span:
        """A span within this one, which for now ends where it starts."""
        span = Span(name, start, start, attributes or {})
        self.children.append(span)
        return span

    def note(self, name: str, time: float, attributes: Attributes | None = None) -> None:
        """Something happened."""
        self.moments.append(Moment(name, time, attributes or {}))

    def enclose(self) -> None:
        """Reach as far as its children do."""
        self.start = min([self.start, *(child.start for child in self.children)])
        self.end = max([self.end, *(child.end for child in self.children)])


@record(frozen=True, slots=True)
class Turn:
    """A turn that is over."""

    turn_id: str
    root: Span
    continues: bool
    """Whether a part of the turn was told before: the agent spoke once more after it had seemed to be over."""
