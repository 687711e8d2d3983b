"""Percentiles of a session's waits, at the same cost after 10,000 turns as after 10."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from math import ceil
from typing import Final

from agent_runtime.events import TurnMeasured
from agent_runtime.records import record

LONGEST: Final = 6_000
"""Hundredths of a second; longer waits count as this long."""
WHOLE: Final = "whole"
"""The name under which a turn's whole wait is counted, beside the names of its parts."""


@record(frozen=True, slots=True)
class Histogram:
    """How often each wait was seen, to the hundredth of a second that people are shown."""

    counts: Mapping[int, int] = field(default_factory=dict)
    size: int = 0

    def add(self, seconds: float) -> Histogram:
        """One wait more."""
        hundredths = min(LONGEST, max(0, round(seconds * 100)))
        return Histogram({**self.counts, hundredths: self.counts.get(hundredths, 0) + 1}, self.size + 1)

    def percentile(self, share: float) -> float:
        """The nearest-rank percentile in seconds; 0.0 of nothing."""
        rank, seen = max(1, ceil(share * self.size)), 0
        for hundredths in sorted(self.counts):
            seen += self.counts[hundredths]
            if seen >= rank:
                return hundredths / 100
        return 0.0


def add_turn(waits: Mapping[str, Histogram], turn: TurnMeasured) -> Mapping[str, Histogram]:
    """The session's waits with one turn more: its whole, and each part that it had."""
    lengths: dict[str, float] = {WHOLE: turn.end - turn.start}
    for part in turn.parts:
        lengths[part.name] = lengths.get(part.name, 0.0) + part.end - part.start
    return {**waits, **{name: waits.get(name, Histogram()).add(length) for name, length in lengths.items()}}
