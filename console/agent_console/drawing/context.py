"""The context panel: the conversation as the model gets it, item by item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agent_console.drawing.entries import compact_arguments
from agent_console.drawing.text import Line, Span, clean, fit, justify, line_width, wrap_spans
from agent_console.state.bench import Bench
from agent_console.state.sentences import turn_words
from agent_runtime.events import ContextItem

_STYLES: Final = {"user": "user", "assistant": "agent", "system": "muted", "developer": "muted"}
_SENT: Final = {"changed": "~ changed ", "added": "+ added ", "left_out": "- left out "}
_NAMES: Final = {"function_call": "call", "function_call_output": "result"}
_WHO: Final = 9


def item_lines(item: ContextItem, width: int, opened: bool) -> Sequence[Line]:
    """One line; opened, all of the item with its id and turn."""
    marks: list[Span] = []
    if item.sent != "kept":
        marks.append((_SENT[item.sent], "fair"))
    right: Line = (*marks, (f"{item.tokens:,}" if item.tokens else "not sent", "muted" if item.tokens else "faint"))
    who, style = _who(item)
    body = "cut" if item.sent == "left_out" else "text" if item.tokens else "faint"
    if not opened:
        text = item.text
        if item.kind == "function_call":
            text = f"{item.label}  {compact_arguments(item.text)}".rstrip()
        room = max(4, width - _WHO - 3 - line_width(right))
        return [justify(((f" {who:<{_WHO}} ", style), (fit(clean(text), room), body)), right, width)]
    where = " · ".join(part for part in (turn_words(item.turn_id or ""), item.id) if part)
    head = justify(((f" {who:<{_WHO}} ", style), (fit(clean(where), width - _WHO - 12), "faint")), right, width)
    text = item.text if item.kind == "message" else f"{item.label}  {item.text}".strip()
    return [head, *((("   ", ""), *line) for line in wrap_spans([(clean(text), body)], max(8, width - 4)))]


def _who(item: ContextItem) -> tuple[str, str]:
    if item.kind == "message":
        return fit(clean(item.label), _WHO), _STYLES.get(item.label, "muted")
    if item.kind in _NAMES:
        return _NAMES[item.kind], "tool"
    return fit(clean(item.label), _WHO), "faint"


def summary(bench: Bench) -> Line:
    """`412 tokens + 96 of tools`, for the heading."""
    about = "" if bench.exact else "≈"
    tools = f" + {bench.tool_tokens:,} of tools" if bench.tool_tokens else ""
    return ((f"{about}{bench.tokens:,} tokens{tools}", "value"),)


def foot_lines(bench: Bench, width: int) -> list[Line]:
    """How tokens are counted, what went wrong on the way to the model, and the branches."""
    lines: list[Line] = []
    if bench.problem:
        lines.append((("! ", "fair bold"), (fit(clean(bench.problem), width - 2), "fair")))
    counted = f"counted by {bench.counted_by}" + ("" if bench.exact else ", an estimate")
    spans: list[Span] = [(counted, "faint")]
    if bench.branches:
        spans = [("branches ", "muted")]
        for branch in bench.branches:
            here = branch.id == bench.branch
            since = f" after {turn_words(branch.from_turn)}" if branch.from_turn else ""
            shared = " (userdata shared)" if branch.userdata == "shared" else ""
            spans.append(
                (f"{'● ' if here else '○ '}{clean(branch.id)}{since}{shared}  ", "selected" if here else "text")
            )
    return [*lines, *wrap_spans(spans, width)][-3:]
