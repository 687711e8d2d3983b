"""A turn's latency: one badge, one line, or a waterfall; the parts as shown add up to the total as shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor
from typing import Final

from agent_console.drawing.bars import stretch
from agent_console.drawing.text import Line, Span, clean, fit, justify, line_width
from agent_console.state import Latency
from agent_runtime.events import TurnPart

LABELS: Final = {
    "endpointing": ("end-of-turn wait", "wait"),
    "transcription": ("STT final", "stt"),
    "hook": ("hook", "hook"),
    "llm": ("LLM first token", "llm"),
    "tools": ("tools", "tools"),
    "llm_sentence": ("LLM first sentence", "sentence"),
    "tts": ("TTS first byte", "tts"),
    "floor": ("wait for the floor", "floor"),
    "playout": ("to the speaker", "out"),
}
GOOD, FAIR = 1.0, 2.0
"""Seconds: up to GOOD a talk flows, past FAIR people think that they weren't heard."""


def seconds(value: float) -> str:
    """`0.82 s`."""
    return f"{value:.2f} s"


def grade(total: float) -> str:
    """The style of a total."""
    return "good" if total <= GOOD else "fair" if total <= FAIR else "bad"


def shares(parts: Sequence[float], total: float) -> list[int]:
    """The parts in hundredths of a second that add up to the rounded total, each at most one off its own rounding."""
    exact = [max(0.0, part) * 100 for part in parts]
    rounded = [floor(value) for value in exact]
    missing = round(total * 100) - sum(rounded)
    for index in sorted(range(len(exact)), key=lambda i: rounded[i] - exact[i])[: max(0, missing)]:
        rounded[index] += 1
    return rounded


def latency_line(latency: Latency, width: int) -> Line:
    """`0.82 s = stt 0.21 + wait 0.29 + llm 0.14 …`; with the parts drawn together to four where that is too long."""
    total: Span = (seconds(latency.total), f"{grade(latency.total)} bold")
    line: Line = (total,)
    for grouping in (_BY_NAME, _BY_STAGE):
        line = (total, *_sum(latency, grouping))
        if line_width(line) <= width:
            return line
    return (total,)


_BY_NAME: Final = {name: label for name, (_, label) in LABELS.items()}
_BY_STAGE: Final = {
    **dict.fromkeys(("endpointing", "transcription", "hook"), "hear"),
    **dict.fromkeys(("llm", "tools", "llm_sentence"), "llm"),
    "tts": "tts",
    "floor": "out",
    "playout": "out",
}


def _sum(latency: Latency, grouping: Mapping[str, str]) -> Line:
    sums: dict[str, float] = {}
    for part in latency.parts:
        label = grouping[part.name]
        sums[label] = sums.get(label, 0.0) + part.end - part.start
    spans: list[Span] = []
    for label, hundredth in zip(sums, shares(list(sums.values()), latency.total), strict=True):
        if hundredth:
            spans += [(" + " if spans else " = ", "faint"), (f"{label} ", "muted"), (f"{hundredth / 100:.2f}", "value")]
    return tuple(spans)


def waterfall(latency: Latency, width: int, rows: int = 99) -> list[Line]:
    """A row for each part that shows in hundredths of a second, its bar where its time was, and what was waited for.

    Where there are more than `rows` lines, the shortest parts are left out.
    """
    label_width = 18
    bars = max(6, width - label_width - 7)
    lines: list[Line] = []
    hundredths = shares([part.end - part.start for part in latency.parts], latency.total)
    worst = max(latency.parts, key=lambda part: part.end - part.start, default=None)
    room = max(1, rows - 1 - (worst is not None and bool(worst.setting)))
    longest = sorted(range(len(hundredths)), key=lambda i: -hundredths[i])[:room]
    for index, (part, hundredth) in enumerate(zip(latency.parts, hundredths, strict=True)):
        if not hundredth or index not in longest:
            continue
        style = "fair" if part is worst and len(latency.parts) > 1 else "bar"
        label = (f"{LABELS[part.name][0]:<{label_width}} ", "text" if part is worst else "muted")
        lines.append((label, *_stretch(latency, part, bars, style), (f" {hundredth / 100:5.2f}", "value")))
        if part.setting and part is worst:
            lines.append((("  ", ""), (fit(clean(part.setting), width - 2), "faint")))
    total: Span = (f"{latency.total:.2f}", f"{grade(latency.total)} bold")
    lines.append(justify((("as heard", "text"),), (total,), width))
    return lines


def _stretch(latency: Latency, part: TurnPart, width: int, style: str) -> Line:
    total = latency.total or 1.0
    return stretch((part.start - latency.start) / total, (part.end - latency.start) / total, width, style)
