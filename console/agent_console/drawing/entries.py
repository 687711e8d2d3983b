"""Entries of the transcript as lines: a gutter with who, the text, and a column for numbers at the right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len

from agent_console.drawing.latency import grade, seconds, waterfall
from agent_console.drawing.text import Line, Span, clean, fit, justify, line_width, wrap_spans
from agent_console.state import AgentSaid, Entry, Latency, Note, Rule, ToolCall, UserSaid
from agent_console.state.sentences import REPLIES, STOOD_IN, why
from agent_runtime.records import record

GUTTER: Final = 9
NUMBERS: Final = 9
TEXT_LIMIT: Final = 88
"""Cells beyond which lines of prose get hard to read."""
FOLDED: Final = 2
"""Lines of a tool's result that show before it is opened."""

_CAUSES: Final = {
    "voice": "by your voice",
    "text": "by your message",
    "key": "by key",
    "push_to_talk": "by push-to-talk",
    "api": "by code",
    "close": "by closing",
}


@record(frozen=True, slots=True)
class Look:
    """How an entry is to be drawn."""

    width: int
    opened: bool = False
    latency: Latency | None = None
    """Shown beside the agent's first message of the turn."""
    gap: bool = False
    """A blank line before it."""
    now: float = 0.0


def draw(entry: Entry, look: Look) -> list[Line]:
    """The lines of one entry."""
    if isinstance(entry, UserSaid):
        lines = _user(entry, look)
    elif isinstance(entry, AgentSaid):
        lines = _agent(entry, look)
    elif isinstance(entry, ToolCall):
        lines = _tool(entry, look)
    elif isinstance(entry, Rule):
        lines = _rule(entry, look)
    else:
        lines = _note(entry, look)
    return [(), *lines] if look.gap else lines


def _text_width(look: Look) -> int:
    return max(8, min(TEXT_LIMIT, look.width - GUTTER - NUMBERS))


def _who(name: str, style: str) -> Span:
    return (f"{name:>{GUTTER - 2}}  ", style)


def _block(who: Span, body: list[Line], look: Look, number: Span | None = None) -> list[Line]:
    """A gutter on the first line, the body hanging beside it, and a number at the right of the first line."""
    indent: Span = (" " * GUTTER, "")
    lines: list[Line] = [((who if index == 0 else indent), *line) for index, line in enumerate(body)]
    if number is not None:
        column = GUTTER + _text_width(look) + NUMBERS - 1
        lines[0] = justify(lines[0], (number,), min(column, look.width))
    return lines


def _user(said: UserSaid, look: Look) -> list[Line]:
    text, interim = clean(said.text), clean(said.interim)
    spans: list[Span] = [(text, "text" if said.state != "discarded" else "cut")]
    if interim:
        spans.append(((" " if text else "") + interim, "interim"))
    if said.state == "open":
        spans.append((" …" if text or interim else "…", "interim"))
    elif not text and not interim:
        # A realtime model answers to the sound; the words come later, or never.
        spans.append(("heard by the model", "faint"))
    if said.state == "discarded":
        spans.append((f" discarded · {why(said.why)}" if said.why else " discarded", "faint"))
    number = (f"{said.number}", "faint") if said.number else None
    return _block(_who("you", "user bold"), wrap_spans(spans, _text_width(look)), look, number)


def _agent(said: AgentSaid, look: Look) -> list[Line]:
    text = clean(said.text)
    heard, rest = text[: said.heard], text[said.heard :]
    spans: list[Span] = [(heard, "text")]
    if said.state == "interrupted":
        cause = _CAUSES.get(said.cut_by or "", "")
        spans += [("‖", "cut-mark"), (rest.rstrip(), "cut"), (f" stopped {cause}".rstrip(), "cut-mark")]
    else:
        spans.append((rest, "unheard"))
    if said.state == "paused":
        spans.append((" ‖ holding", "fair"))
    number = None
    if look.latency is not None:
        number = (seconds(look.latency.total), grade(look.latency.total))
    lines = _block(_who("agent", "agent bold"), wrap_spans(spans, _text_width(look)), look, number)
    if look.opened and look.latency is not None:
        indent: Span = (" " * GUTTER, "")
        lines += [(indent, *line) for line in waterfall(look.latency, min(64, look.width - GUTTER - 1))]
    return lines


def _tool(call: ToolCall, look: Look) -> list[Line]:
    if call.duration is None:
        number: Span = (f"{max(0.0, look.now - call.time):.1f} s ◌", "fair")
    else:
        mark = f"{STOOD_IN[call.stand_in]} " if call.stand_in else ""
        style = "error" if call.is_error else "fair" if call.stand_in else "good"
        number = (f"{mark}{took(call.duration)} {'✗' if call.is_error else '✓'}", style)
    width = _text_width(look)
    if look.opened:
        body = wrap_spans([(clean(call.name), "tool bold")], width)
        body += wrap_spans([(_pretty(call.arguments), "muted")], width)
        for text, style in ((_pretty(call.output), "text"), (call.details, "error")):
            body += wrap_spans([(clean(text).rstrip("\n"), style)], width) if text else []
        body += _progress(call, call.updates, width)
    else:
        body = [_call_line(call, width - line_width((number,)) + NUMBERS - 2)]
        result = [line for line in wrap_spans([(clean(call.output).strip(), "muted")], width) if line]
        if call.is_error:
            result = [tuple((text, "error") for text, _ in line) for line in result]
        if len(result) > FOLDED:
            result = [*result[: FOLDED - 1], (*result[FOLDED - 1], (" …", "faint"))]
        body += result + _progress(call, call.updates[-1:] if call.duration is None else (), width)
    return _block(_who("tool", "tool"), body, look, number)


def _progress(call: ToolCall, updates: Sequence[str], width: int) -> list[Line]:
    """What a call told while it ran, and what became of the reply that tells what came of it."""
    lines: list[Line] = []
    for update in updates:
        lines += wrap_spans([("… ", "faint"), (clean(update), "muted")], width)
    if call.reply:
        lines += wrap_spans([("→ ", "faint"), (REPLIES[call.reply], "muted")], width)
    return lines


def took(duration: float) -> str:
    """`<1 ms`, `412 ms`, `2.00 s`."""
    if duration < 0.001:
        return "<1 ms"
    return f"{duration * 1000:.0f} ms" if duration < 0.9995 else seconds(duration)


def _call_line(call: ToolCall, width: int) -> Line:
    name = fit(clean(call.name), width - 2)
    arguments = fit(clean(compact_arguments(call.arguments)), width - cell_len(name) - 2)
    return ((name, "tool bold"), ("  ", ""), (arguments, "muted"))


def compact_arguments(arguments: str) -> str:
    """`city="Oslo", days=2` of the JSON that a model wrote; what isn't an object is shown as it is."""
    try:
        values = json.loads(arguments or "{}")
    except ValueError:
        return arguments
    if not isinstance(values, dict):
        return arguments
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in values.items())


def _pretty(text: str) -> str:
    try:
        return clean(json.dumps(json.loads(text), indent=2, ensure_ascii=False))
    except ValueError:
        return clean(text)


def _rule(rule: Rule, look: Look) -> list[Line]:
    style = {"reload_failed": "error", "handoff": "agent", "reload": "good"}.get(rule.kind, "muted")
    label = f" {fit(clean(rule.text), look.width - 12)} "
    tail = max(2, look.width - 6 - cell_len(label))
    lines: list[Line] = [(("──── ", "faint"), (label.strip(), style), (" " + "─" * tail, "faint"))]
    if look.opened and rule.details:
        for text in clean(rule.details).rstrip("\n").split("\n"):
            change = {"+": "good", "-": "error"}.get(text[:1], "muted") if rule.kind == "reload" else "muted"
            lines += [((" " * 5, ""), *line) for line in wrap_spans([(text, change)], look.width - 7)]
    return lines


def _note(note: Note, look: Look) -> list[Line]:
    style = {"error": "error", "warning": "fair"}.get(note.level, "muted")
    who = {"error": "error", "warning": "note"}.get(note.level, "note")
    body = wrap_spans([(clean(note.text), style)], _text_width(look))
    if look.opened and note.details:
        body += wrap_spans([(clean(note.details).rstrip("\n"), "muted")], _text_width(look))
    return _block(_who(who, style), body, look)
