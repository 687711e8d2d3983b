"""The timeline panel: one turn as a waterfall, the session's percentiles, and what would have saved time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from agent_console.drawing.bars import merge, stretch
from agent_console.drawing.latency import LABELS, shares
from agent_console.drawing.text import Line, Span, clean, justify, wrap_spans
from agent_console.state import WHOLE, Histogram, Turn
from agent_console.state.advice import Saving
from agent_console.state.budgets import Budgets
from agent_console.state.timeline import Stage, worst

_LABEL: Final = 21
_NUMBER: Final = 8
_WORTH_WORDS: Final = 0.05
"""Share of the wait from which a part's cause is written under it."""
_SILENT: Final = 0.005
"""Seconds below which an answer was written and not spoken: there is no speaker."""
_TOLD: Final = 4
"""Changes that are told, the best first."""
_STARTED_BY: Final = {"text": "you typed", "say": "the agent spoke up", "generate_reply": "the agent's own turn"}
_UNASKED: Final = ("say", "generate_reply")
"""What begins turns whose answers nobody waits for: they have no budget."""


def turn_title(turn: Turn | None, total: float, budgets: Budgets, *, selected: bool) -> Line:
    """Which turn it is, and how long it waited, for the panel's heading."""
    if turn is None:
        return ()
    which = "selected" if selected else "newest" if turn.audible_at is not None else "now"
    line: Line = ((f"turn {turn.number} · {which}", "muted"),)
    if not total:
        return line
    if turn.by in _UNASKED:
        return (*line, (f"  {total:.2f} s", "value"))
    over = budgets.is_over(WHOLE, total)
    return (*line, (f"  {total:.2f} s {'✗' if over else '✓'}", "bad bold" if over else "good bold"))


def waterfall(turn: Turn, parts: Sequence[Stage], now: float, width: int, budgets: Budgets) -> list[Line]:
    """What the user said, each stretch of the wait with its cause, the whole, and what was heard."""
    lines: list[Line] = [_spoken(turn, parts, now, width)]
    if not parts:
        is_idle = turn.quiet_at is None and (turn.speech_started is None or turn.start is not None)
        waiting: list[Line] = [(("nothing was waited for", "faint"),)] if is_idle else []
        if turn.given_up_at is not None:
            waiting = _in_vain(turn, width)
        return [*lines, *waiting, *_remarks(turn, width)]
    total = parts[-1].end - parts[0].start
    most = worst(parts)
    for stage, hundredths in zip(parts, shares([part.seconds for part in parts], total), strict=True):
        lines += _stage(stage, hundredths / 100, parts[0].start, total, width, budgets, is_worst=stage is most)
    lines += _whole(turn, total, width, budgets, open_=parts[-1].is_open)
    return [*lines, *_blocked(turn, width), *_heard(turn, now, width), *_remarks(turn, width)]


def _blocked(turn: Turn, width: int) -> list[Line]:
    """The user's own lines that held everything up in this turn."""
    rows: list[Line] = []
    for place, seconds in turn.blocks:
        words: Line = (("✗ ", "bad"), (clean(place), "bad bold"), (" blocked the agent", "bad"))
        rows.append(justify(words, ((f"{seconds:.2f} s  ", "bad"),), width))
    if turn.stalled_by:
        rows.append((("✗ ", "bad"), (clean(turn.stalled_by), "bad bold"), (" blocks the agent now", "bad bold")))
    return rows


def _remarks(turn: Turn, width: int) -> list[Line]:
    """What was learnt and judged meanwhile."""
    lines: list[Line] = []
    for remark in turn.remarks:
        body = wrap_spans([(clean(remark), "muted")], width - 2)
        lines += [((("· " if index == 0 else "  "), "faint"), *line) for index, line in enumerate(body)]
    return lines


def _spoken(turn: Turn, parts: Sequence[Stage], now: float, width: int) -> Line:
    if turn.speech_started is None:
        return ((_STARTED_BY.get(turn.by or "", "the turn began"), "user"),)
    silent = turn.start if turn.start is not None else parts[0].start if parts else now
    length = max(0.0, silent - turn.speech_started)
    words = "you are speaking" if turn.start is None else "you spoke"
    return justify(((words, "user"),), ((f"{length:.2f} s", "muted"), ("  ", "")), width)


def _stage(
    stage: Stage, seconds: float, start: float, total: float, width: int, budgets: Budgets, *, is_worst: bool
) -> list[Line]:
    over = budgets.is_over(stage.name, seconds)
    style = "bad" if over else "fair" if is_worst else "bar"
    label, _ = LABELS[stage.name]
    head: Span = (f"{'▸ ' if is_worst else '  '}{label:<{_LABEL - 2}}", "text bold" if is_worst else "text")
    cells = max(4, width - _LABEL - _NUMBER)
    scale = total or 1.0
    bar = stretch((stage.start - start) / scale, (stage.end - start) / scale, cells, style)
    sign = " ✗" if over else " …" if stage.is_open else "  "
    number: Line = ((f" {seconds:5.2f}", "bad bold" if over else "value"), (sign, "bad" if over else "fair"))
    lines: list[Line] = [(head, *bar, *number)]
    if is_worst or over or stage.is_open or seconds >= _WORTH_WORDS * total:
        why = clean(stage.cause)
        budget = budgets.of(stage.name)
        if over and budget is not None:
            why += f" · over its budget of {budget:.2f} s"
        lines += [(("    ", ""), *line) for line in wrap_spans([(why, "muted" if is_worst else "faint")], width - 4)]
    return lines


def _whole(turn: Turn, total: float, width: int, budgets: Budgets, *, open_: bool) -> list[Line]:
    label = "  so far" if open_ else "  as heard" if turn.given_up_at is None else "  in vain"
    cells = max(4, width - _LABEL - _NUMBER)
    if turn.by in _UNASKED:
        sign = "…" if open_ else " "
        whole: Line = (*stretch(0.0, 1.0, cells, "bar"), (f" {total:5.2f} {sign}", "value bold"))
        return [((f"{label:<{_LABEL}}", "text bold"), *whole)]
    over = budgets.is_over(WHOLE, total)
    style = "bad" if over else "good"
    scale = max(total, budgets.answer) or 1.0
    bar = stretch(0.0, total / scale, cells, style)
    mark = min(cells - 1, int(budgets.answer / scale * cells))
    sign = "…" if open_ else "✗" if over else "✓"
    words = f"over the budget of {budgets.answer:.2f} s" if over else f"budget {budgets.answer:.2f} s"
    return [
        ((f"{label:<{_LABEL}}", "text bold"), *_at(bar, mark, "│"), (f" {total:5.2f} {sign}", f"{style} bold")),
        justify((), ((f"{words}  ", "bad" if over else "faint"),), width),
    ]


def _at(bar: Line, cell: int, mark: str) -> Line:
    spans = [(character, style) for text, style in bar for character in text]
    spans[cell] = (mark, "peak")
    return merge(spans)


def _heard(turn: Turn, now: float, width: int) -> list[Line]:
    if turn.audible_at is None:
        return _in_vain(turn, width) if turn.given_up_at is not None else []
    until = turn.quiet_at if turn.quiet_at is not None else now
    seconds = max(0.0, until - turn.audible_at)
    if turn.quiet_at is not None and seconds < _SILENT:
        return []
    words = f"{seconds:.2f} s"
    how = ", cut short" if turn.interrupted else "" if turn.quiet_at is not None else " …"
    return [justify((("agent heard", "agent"), (how, "fair")), ((words, "muted"), ("  ", "")), width)]


def _in_vain(turn: Turn, width: int) -> list[Line]:
    words = f"dropped: {turn.dropped_by}" if turn.dropped_by else "the answer was given up before it was heard"
    return list(wrap_spans([(words, "fair")], width))


# --- the session -----------------------------------------------------------------------------------------------------


def percentiles(waits: Mapping[str, Histogram], width: int, budgets: Budgets) -> list[Line]:
    """p50, p95 and p99 of the answers and of each part."""
    whole = waits.get(WHOLE)
    if whole is None:
        return []
    heading = justify(
        ((f"SESSION · {_count(whole.size, 'answer')}", "heading"),), (("  p50   p95   p99  ", "faint"),), width
    )
    lines = [heading, _percentile_row("as heard", WHOLE, whole, width, budgets)]
    for name, (label, _) in LABELS.items():
        if name in waits:
            lines.append(_percentile_row(label, name, waits[name], width, budgets))
    return lines


def _percentile_row(label: str, name: str, histogram: Histogram, width: int, budgets: Budgets) -> Line:
    numbers: list[Span] = []
    signs = ""
    for share in (0.5, 0.95, 0.99):
        value = histogram.percentile(share)
        over = budgets.is_over(name, value)
        signs = " ✗" if over else signs
        numbers.append((f"{value:6.2f}", "bad bold" if over else "value"))
    text = "text bold" if name == WHOLE else "muted"
    return justify(((f"  {label}", text),), (*numbers, (signs or "  ", "bad")), width)


def advice(savings: Sequence[Saving], width: int) -> list[Line]:
    """What would have saved time, counted on this session's turns."""
    if not savings:
        return []
    lines: list[Line] = [(("WHAT WOULD SAVE TIME", "heading"),)]
    for saving in savings[:_TOLD]:
        body = wrap_spans(_saving(saving), width - 4)
        lines += [((("  " if index == 0 else "    "), ""), *line) for index, line in enumerate(body)]
    return lines


def _saving(saving: Saving) -> list[Span]:
    turns = f" on {saving.turns} of {_count(saving.of, 'turn')}"
    if saving.value is None:
        return [
            (clean(saving.setting), "key"),
            (": up to ", "muted"),
            (f"{saving.seconds:.2f} s", "value"),
            (turns, "muted"),
        ]
    spans: list[Span] = [
        (f"{clean(saving.setting)} {saving.value:.1f}", "key"),
        (f" instead of {saving.now:.1f} would have saved ", "muted"),
        (f"{saving.seconds:.2f} s", "value"),
        (turns, "muted"),
    ]
    if saving.cuts:
        return [*spans, (f"; on {_count(saving.cuts, 'turn')} you went on within it", "fair")]
    return [*spans, ("; you never went on within it", "faint")]


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
