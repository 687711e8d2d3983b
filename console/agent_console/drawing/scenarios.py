"""The scenarios panel: files, their scenarios, and of the selected one each step with what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from agent_console.drawing.latency import seconds
from agent_console.drawing.text import Line, Span, clean, fit, justify, line_width, wrap_spans
from agent_console.state.scenarios import ScenarioBook, ScenarioFileSeen, ScenarioSeen, StepSeen

Row: TypeAlias = ScenarioFileSeen | ScenarioSeen

_MARKS: Final[dict[str, Span]] = {
    "new": ("·", "faint"),
    "waiting": ("○", "muted"),
    "running": ("◌", "fair bold"),
    "passed": ("✓", "good bold"),
    "failed": ("✗", "error bold"),
}
_INDENT: Final = "     "


def rows_of(book: ScenarioBook) -> list[Row]:
    """A file, then its scenarios."""
    rows: list[Row] = []
    for file in book.files:
        rows += (file, *file.scenarios)
    return rows


def key_of(row: Row) -> tuple[str, str]:
    """What a row is told by when it changes."""
    return (row.path, "") if isinstance(row, ScenarioFileSeen) else (row.file, row.name)


def summary(book: ScenarioBook) -> Line:
    """`✗ 1  ✓ 3  on save`."""
    spans: list[Span] = []
    for status in ("failed", "passed", "running"):
        if number := sum(scenario.status == status for scenario in book.scenarios):
            sign, style = _MARKS[status]
            spans.append((f"{sign} {number}  ", style))
    if not spans and book.looked:
        count = len(book.scenarios)
        spans.append((f"{count} scenario{'' if count == 1 else 's'}  ", "muted"))
    return (*spans, ("on save", "key")) if book.repeats else tuple(spans)


def row_lines(row: Row, width: int, opened: bool, budget: float) -> Sequence[Line]:
    """A row; a scenario that is opened has its steps under it. `budget`: seconds that an answer may take."""
    if isinstance(row, ScenarioFileSeen):
        agent: Line = ((f"runs {fit(clean(row.agent), width // 2)}", "faint"),) if row.agent is not None else ()
        lines: list[Line] = [(), justify(((f" {clean(row.shown)}", "heading"),), agent, width)]
        return [*lines, *_indented([(clean(row.problem), "error")], width)] if row.problem else lines
    held, count = row.held
    took: list[Span] = [(f"{held}/{count}", "good" if held == count else "error")] if count else []
    took += [(f"  {seconds(row.seconds)}", "muted")] if row.seconds is not None else []
    name = fit(clean(row.name), max(8, width - 5 - line_width(tuple(took))))
    lines = [justify(((" ", ""), (" ", ""), _MARKS[row.status], (f" {name}", "text")), tuple(took), width)]
    if opened:
        for number, step in enumerate(row.steps, start=1):
            lines += _step_lines(number, step, width, budget)
        lines += _indented([(clean(row.problem), "error")], width) if row.problem else []
        lines += [line for said in row.said for line in _indented([(f"| {clean(said)}", "faint")], width)]
    return lines


def _step_lines(number: int, step: StepSeen, width: int, budget: float) -> list[Line]:
    waited = _waited(step, budget)
    lines = _indented([(f"{number} {step.verb} ", "muted"), (clean(step.text), "user")], width - line_width(waited) - 1)
    if step.verb == "expect" and step.checks:
        lines = []
    elif waited:
        lines[0] = justify(lines[0], waited, width)
    for check in step.checks:
        sign: Span = ("✗ ", "error bold") if check.problem else ("✓ ", "good")
        why = f": {clean(check.problem)}" if check.problem else ""
        lines += _indented([(f"{number} ", "muted"), sign, (clean(check.what), "text"), (why, "error")], width)
    return lines


def _waited(step: StepSeen, budget: float) -> Line:
    """`0.42 s of 2 s`: by the scenario's own expectation, else by the console's budget for an answer."""
    if step.latency is None:
        return ()
    limit = budget if step.budget is None else step.budget
    over = step.latency > limit
    sign = "! " if over else ""
    return ((f"{sign}{seconds(step.latency)}", "bad bold" if over else "good"), (f" of {limit:g} s", "muted"))


def _indented(spans: Sequence[Span], width: int) -> list[Line]:
    return [((_INDENT, ""), *line) for line in wrap_spans(spans, max(8, width - len(_INDENT) - 1))]
