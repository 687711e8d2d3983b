"""Bars and strips: numbers as lengths and heights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agent_console.drawing.text import Line, Span

FLOOR: Final = -60.0
"""dBFS at the left end of a level bar; the right end is 0."""

_HEIGHTS: Final = " ▁▂▃▄▅▆▇█"


def stretch(start: float, end: float, width: int, style: str) -> Line:
    """A track of `width` cells with the stretch from `start` to `end` (0 to 1) drawn heavy, to half a cell.

    However short, a stretch has half a cell.
    """
    first = max(0, min(2 * width - 1, round(start * 2 * width)))
    last = max(first + 1, min(2 * width, round(end * 2 * width)))
    spans: list[Span] = []
    for cell in range(width):
        left, right = first <= 2 * cell < last, first <= 2 * cell + 1 < last
        if left and right:
            spans.append(("━", style))
        elif left:
            spans.append(("╸", style))
        elif right:
            spans.append(("╺", style))
        else:
            spans.append(("─", "track"))
    return merge(spans)


def progress(fraction: float, width: int, style: str = "bar") -> Line:
    """A track of `width` cells filled from the left."""
    return stretch(0.0, fraction, width, style) if fraction > 0 else (("─" * width, "track"),)


def level(dbfs: float) -> float:
    """Where a level stands on its bar, 0 to 1."""
    return max(0.0, min(1.0, 1 - dbfs / FLOOR))


def level_bar(rms: float, peak: float | None, width: int, *, style: str, clipped: bool = False) -> Line:
    """A level with its held peak as a tick; the last cell turns to `!` while it clips."""
    cells = [(character, name) for text, name in progress(level(rms), width, style) for character in text]
    if not cells:
        return ()
    if peak is not None and level(peak) > level(rms):
        cells[min(width - 1, int(level(peak) * width))] = ("│", "peak")
    if clipped:
        cells[-1] = ("!", "error bold")
    return merge(cells)


def strip(values: Sequence[float], width: int, threshold: float) -> Line:
    """The newest `width` values (0 to 1), the newest at the right; those past the threshold stand out."""
    shown = values[-width:]
    spans: list[Span] = [("▁" * (width - len(shown)), "track")]
    for value in shown:
        height = max(1, min(8, round(value * 8)))
        spans.append((_HEIGHTS[height], "speech" if value >= threshold else "track"))
    return merge(spans)


def tall_strip(values: Sequence[float], width: int, rows: int, threshold: float) -> list[Line]:
    """The same over several rows, with a dotted line where the threshold is."""
    shown = [0.0] * (width - len(values[-width:])) + list(values[-width:])
    mark = min(rows - 1, int(threshold * rows))
    lines: list[Line] = []
    for row in range(rows - 1, -1, -1):
        spans: list[Span] = []
        for index, value in enumerate(shown):
            height = max(0, min(8, round((value * rows - row) * 8)))
            if row == 0:
                height = max(1, height)
            if height == 0 and row == mark:
                spans.append(("·" if index % 2 else " ", "track"))
            else:
                spans.append((_HEIGHTS[height], "speech" if value >= threshold else "track"))
        lines.append(merge(spans))
    return lines


def merge(spans: Sequence[Span]) -> Line:
    """Neighbours of one style as one span."""
    result: list[Span] = []
    for text, style in spans:
        if not text:
            continue
        if result and result[-1][1] == style:
            result[-1] = (result[-1][0] + text, style)
        else:
            result.append((text, style))
    return tuple(result)
