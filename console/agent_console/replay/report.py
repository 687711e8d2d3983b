"""How two runs of a conversation are shown beside each other."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict
from itertools import zip_longest
from typing import Any

from agent_runtime.bundle.comparison import SLOWER, Comparison, Pair
from agent_runtime.bundle.turns import RecordedTurn


def report_text(comparison: Comparison, width: int = 100) -> str:
    """Two columns, before and after, with `!` beside each line of what isn't the same."""
    column = (width - 5) // 2
    lines = [f"  {'BEFORE':<{column}} | AFTER"]
    for number, pair in enumerate(comparison.pairs, start=1):
        lines += ["", *_pair_lines(number, pair, column)]
    different = sum(1 for pair in comparison.pairs if pair.differences)
    lines += ["", *(f"! {note}" for note in comparison.notes)]
    lines.append(f"{different} of {len(comparison.pairs)} exchanges differ" if different else "nothing differs")
    if comparison.after:
        lines.append(f"recorded: {comparison.after}")
    return "\n".join(lines)


def report_json(comparison: Comparison) -> str:
    """The same for a program."""
    pairs = [
        {
            "before": _as_data(pair.before),
            "after": _as_data(pair.after),
            "differences": list(pair.differences),
            "delay": pair.delay,
        }
        for pair in comparison.pairs
    ]
    report = {
        "same": comparison.same,
        "before": comparison.before,
        "after": comparison.after,
        "notes": list(comparison.notes),
        "exchanges": pairs,
    }
    return json.dumps(report, indent=2, ensure_ascii=False)


def _as_data(turn: RecordedTurn | None) -> dict[str, Any] | None:
    if turn is None:
        return None
    data = asdict(turn)
    del data["answers"], data["items"]
    return {**data, "reply": turn.reply}


def _pair_lines(number: int, pair: Pair, column: int) -> list[str]:
    lines = [f"-- {number} " + "-" * (2 * column)]
    before, after = cells(pair.before), cells(pair.after)
    for name in before | after:
        differs = "turn" in pair.differences or name in pair.differences
        left, right = (_wrapped(name, found.get(name, []), column) for found in (before, after))
        lines += [
            f"{'!' if differs else ' '} {a:<{column}} | {b}".rstrip() for a, b in zip_longest(left, right, fillvalue="")
        ]
    if pair.delay is not None and abs(pair.delay) >= SLOWER:
        lines.append(f"  the answer came {abs(pair.delay):.2f} s {'later' if pair.delay > 0 else 'earlier'}")
    return lines


def cells(turn: RecordedTurn | None) -> dict[str, list[str]]:
    """What there is to show of a turn, by the aspect that a difference is named by."""
    if turn is None:
        return {}
    found = {"user": [turn.user] if turn.user else []}
    found["tools"] = [f"{use.name}()" for use in turn.tools]
    found["arguments"] = [json.dumps(use.arguments, ensure_ascii=False) for use in turn.tools if use.arguments]
    found["results"] = [f"{'error: ' if use.is_error else ''}{use.output}" for use in turn.tools if use.output]
    found["handoffs"] = [f"{old} to {new}" for old, new in turn.handoffs]
    found["reply"] = [turn.reply] if turn.replies else []
    if turn.latency is not None:
        found["time"] = [f"{turn.latency:.2f} s"]
    return {name: texts for name, texts in found.items() if texts}


def _wrapped(name: str, texts: list[str], column: int) -> list[str]:
    lines: list[str] = []
    for text in texts:
        lines += textwrap.wrap(" ".join(text.split()), column - 11) or [""]
    return [f"{name if place == 0 else '':<10} {line}" for place, line in enumerate(lines)]
