"""Two runs of an exchange as lines: side by side where there is room, else one under the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

from agent_console.drawing.text import Line, clean, crop, fit, justify, line_width, wrap
from agent_console.replay.report import cells
from agent_runtime.bundle.comparison import SLOWER, Comparison, Pair

SIDE_BY_SIDE: Final = 100
"""Cells from which two columns are easier to read than two rows."""
_NAME: Final = 12
_RUN: Final = 7
_PENDING: Final = "…"


def pair_lines(number: int, pair: Pair, width: int, *, stacked: bool, running: bool, selected: bool) -> list[Line]:
    """The lines of one exchange, a blank one at the end.

    Args:
        number: counted from 1.
        pair: it.
        width: cells.
        stacked: one run under the other.
        running: whether the second run may still come to it.
        selected: whether the keys are at it.
    """
    before, after = cells(pair.before), cells(pair.after)
    pending = running and pair.after is None
    lines = [_heading(number, pair, width, pending, selected)]
    for name in before | after:
        differs = "turn" in pair.differences or name in pair.differences
        old, new = _text(before.get(name)), _PENDING if pending else _text(after.get(name))
        draw = _stacked if stacked else _beside
        lines += draw(name, old, new, width, differs)
    return [*lines, ()]


def column_heads(comparison: Comparison, width: int, *, stacked: bool) -> Line:
    """What the two columns are."""
    after = "after, running" if comparison.running else "after"
    if stacked:
        return ((fit(f" before: {comparison.before}", width), "muted"),)
    column = _column(width)
    before = fit(f"before: {comparison.before}", column)
    return ((" " * (_NAME + 2), ""), (f"{before:<{column}}", "heading"), (" │ ", "track"), (after, "heading"))


def verdict(comparison: Comparison) -> Line:
    """What came of it."""
    different = sum(1 for pair in comparison.pairs if pair.differences)
    so_far = " so far" if comparison.running else ""
    if not different:
        return ((f"nothing differs{so_far}", "good"),)
    return ((f"{different} of {len(comparison.pairs)} exchanges differ{so_far}", "bad bold"),)


def _heading(number: int, pair: Pair, width: int, pending: bool, selected: bool) -> Line:
    left: Line = ((f"{'▸' if selected else ' '} {number} ", "selected bold" if selected else "heading"),)
    if pending:
        right: Line = (("not yet ", "faint"),)
    elif pair.differences:
        what = "only in one of them" if "turn" in pair.differences else ", ".join(pair.differences)
        right = ((f"! {what} ", "bad bold"),)
    else:
        right = (("the same ", "good"),)
    if not pending and pair.delay is not None and abs(pair.delay) >= SLOWER:
        late = f"{abs(pair.delay):.2f} s {'later' if pair.delay > 0 else 'earlier'}  "
        right = ((late, "fair" if pair.delay > 0 else "muted"), *right)
    rule = "─" * max(0, width - line_width(left) - line_width(right) - 1)
    return justify((*left, (rule, "track")), right, width)


def _beside(name: str, old: str, new: str, width: int, differs: bool) -> list[Line]:
    column = _column(width)
    style = "value bold" if differs else "text"
    lines: list[Line] = []
    for place, (left, right) in enumerate(zip_longest(_rows(old, column), _rows(new, column), fillvalue="")):
        space = " " * max(0, column - line_width(((left, ""),)))
        lines.append((*_mark(name, differs, place), (left + space, style), (" │ ", "track"), (right, style)))
    return lines


def _stacked(name: str, old: str, new: str, width: int, differs: bool) -> list[Line]:
    both = [("before", old or "nothing"), ("after", new or "nothing")]
    rows = [("", old)] if old == new or new == _PENDING else both
    lines: list[Line] = []
    for run, text in rows:
        room = width - _NAME - 2 - (_RUN if run else 0)
        for place, row in enumerate(_rows(text, room)):
            label = (f"{run if place == 0 else '':<{_RUN}}" if run else "", "muted")
            mark = _mark(name, differs, len(lines))
            lines.append((*mark, label, (row, "value bold" if differs and run == "after" else "text")))
    return lines


def _mark(name: str, differs: bool, place: int) -> Line:
    return ("! " if differs else "  ", "bad bold"), (f"{name if place == 0 else '':<{_NAME}}", "muted")


def _column(width: int) -> int:
    return max(10, (width - _NAME - 5) // 2)


def _text(texts: Sequence[str] | None) -> str:
    return clean("\n".join(texts or ()))


def _rows(text: str, width: int) -> list[str]:
    return [crop(((text[start:end], ""),), width)[0][0] for start, end in wrap(text, width)]
