"""Two runs of the same conversation beside each other, turn by turn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from itertools import zip_longest
from typing import Any, Final, Literal, TypeAlias

from agent_runtime.bundle.turns import RecordedTurn, exchanges
from agent_runtime.records import record

Aspect: TypeAlias = Literal["turn", "user", "tools", "arguments", "results", "handoffs", "reply"]

SLOWER: Final = 0.3
"""Seconds by which an answer has to come later or earlier to be worth a word; machines are not steadier."""


@record(frozen=True, slots=True)
class Pair:
    """The same exchange in both runs; None where a run has no such one."""

    before: RecordedTurn | None
    after: RecordedTurn | None
    differences: tuple[Aspect, ...]
    """What of it is not the same. Time doesn't count."""

    @property
    def delay(self) -> float | None:
        """Seconds by which the answer came later than before; None if one of them wasn't measured."""
        if self.before is None or self.after is None or self.before.latency is None or self.after.latency is None:
            return None
        return self.after.latency - self.before.latency


@record(frozen=True, slots=True)
class Comparison:
    """All of them."""

    pairs: tuple[Pair, ...]
    before: str = ""
    """Where the first run is recorded."""
    after: str = ""
    """Where the second one is."""
    notes: tuple[str, ...] = field(default=())
    """What else is to be known: a run that was given up, an error."""
    running: bool = False
    """Whether the second run goes on: what it hasn't come to yet is no difference."""

    @property
    def same(self) -> bool:
        """Whether the second run did all that the first one did, and ended in order."""
        return not self.notes and not any(pair.differences for pair in self.pairs)


def compare(
    first: Iterable[RecordedTurn],
    second: Iterable[RecordedTurn],
    *,
    before: str = "",
    after: str = "",
    notes: Iterable[str] = (),
    running: bool = False,
) -> Comparison:
    """Put two runs beside each other: greeting by greeting, and each user's turn by its number."""
    old: list[RecordedTurn | None] = [*exchanges(first)]
    new: list[RecordedTurn | None] = [*exchanges(second)]
    if old and new and (greets := _greets(old[0])) != _greets(new[0]):
        (new if greets else old).insert(0, None)
    over = len(new) - 1 if running else max(len(old), len(new))
    pairs = (
        Pair(a, b, differences(a, b) if place < over else ()) for place, (a, b) in enumerate(zip_longest(old, new))
    )
    return Comparison(tuple(pairs), before, after, tuple(notes), running)


def _greets(exchange: RecordedTurn | None) -> bool:
    return exchange is not None and not exchange.user


def differences(before: RecordedTurn | None, after: RecordedTurn | None) -> tuple[Aspect, ...]:
    """What of an exchange is not the same."""
    if before is None or after is None:
        return ("turn",)
    aspects: dict[Aspect, tuple[Any, Any]] = {
        "user": (_words(before.user), _words(after.user)),
        "tools": ([use.name for use in before.tools], [use.name for use in after.tools]),
        "arguments": ([use.arguments for use in before.tools], [use.arguments for use in after.tools]),
        "results": (
            [(use.output, use.is_error) for use in before.tools],
            [(use.output, use.is_error) for use in after.tools],
        ),
        "handoffs": (before.handoffs, after.handoffs),
        "reply": (_words(before.reply), _words(after.reply)),
    }
    found: list[Aspect] = [aspect for aspect, (old, new) in aspects.items() if old != new]
    if "tools" in found:  # then the rest of them can't be compared
        return tuple(aspect for aspect in found if aspect not in ("arguments", "results"))
    return tuple(found)


def _words(text: str) -> list[str]:
    return text.split()
