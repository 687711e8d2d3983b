"""The tools panel: what the agent can call, what stands in for it, and every call that was made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, Final, TypeAlias

from agent_console.drawing.entries import compact_arguments, took
from agent_console.drawing.text import Line, Span, clean, fit, justify, line_width, wrap_spans
from agent_console.state.bench import Bench, Call
from agent_console.state.sentences import STOOD_IN, turn_words
from agent_runtime.events import ToolFacts, ToolStoodIn
from agent_runtime.records import record

CALLS_SHOWN: Final = 200
_INDENT: Final = "   "


@record(frozen=True, slots=True)
class ToolRow:
    """A tool, and what stands in for it."""

    facts: ToolFacts
    stand_in: ToolStoodIn | None


@record(frozen=True, slots=True)
class Heading:
    """A title between rows."""

    text: str


Row: TypeAlias = ToolRow | Call | Heading


def rows_of(bench: Bench) -> list[Row]:
    """Tools first, then calls, the newest first."""
    known = {tool.name for tool in bench.tools}
    gone = [ToolFacts(name, "not a tool of this agent now", {}, (), "", "") for name in bench.stand_ins]
    tools = [*bench.tools, *(tool for tool in gone if tool.name not in known)]
    rows: list[Row] = [ToolRow(tool, bench.stand_ins.get(tool.name)) for tool in tools]
    if not rows:
        rows.append(Heading("The agent has no tools."))
    count = len(bench.calls)
    rows.append(Heading(f"CALLS  {count:,}" if count else "no calls yet: enter on a tool runs it by hand"))
    rows += reversed(bench.calls[max(0, count - CALLS_SHOWN) :])
    return rows


def key_of(row: Row) -> str:
    """What a row is told by when others come in before it."""
    if isinstance(row, ToolRow):
        return f"tool {row.facts.name}"
    return f"call {row.call_id}" if isinstance(row, Call) else "heading"


def row_lines(row: Row, width: int, opened: bool) -> Sequence[Line]:
    """A row; opened, with everything that is known of it."""
    if isinstance(row, Heading):
        return [(), ((f" {row.text}", "heading" if row.text.startswith("CALLS") else "faint"),)]
    return _tool(row, width, opened) if isinstance(row, ToolRow) else _call(row, width, opened)


def _tool(row: ToolRow, width: int, opened: bool) -> list[Line]:
    facts, stand_in = row.facts, row.stand_in
    mark: Line = (stand_in_words(stand_in),) if stand_in is not None else ((fit(facts.origin, 14), "faint"),)
    name = fit(clean(facts.name), max(8, width - 4 - line_width(mark)))
    sign = ("!", "fair bold") if stand_in is not None else (" ", "")
    lines = [justify(((" ", ""), sign, (" ", ""), (name, "tool bold")), mark, width)]
    if not opened:
        return lines
    told: list[Span] = [(clean(facts.description) or "no description", "text")]
    place = f"{PurePath(facts.file).name}:{facts.line}" if facts.file else ""
    duplicates = f"on_duplicate={facts.on_duplicate}" if facts.on_duplicate not in ("", "allow") else ""
    about = " · ".join(part for part in (place, *facts.flags, duplicates) if part)
    lines += _indented(told, width)
    lines += _indented([(clean(about), "faint")], width) if about else []
    for name, schema in facts.parameters.get("properties", {}).items():
        need = "" if name in facts.parameters.get("required", ()) else " optional"
        words = f" {type_of(schema)}{need}"
        what = f"  {schema['description']}" if isinstance(schema, dict) and schema.get("description") else ""
        lines += _indented([(clean(name), "key"), (clean(words), "muted"), (clean(what), "text")], width)
    if stand_in is not None and (text := stand_in.error if stand_in.error is not None else stand_in.result):
        lines += _indented([("instead: ", "fair"), (clean(text), "text")], width)
    return lines


def stand_in_words(stand_in: ToolStoodIn) -> Span:
    """`mocked`, `fails`, `+2 s`."""
    words = ["fails"] if stand_in.error is not None else ["mocked"] if stand_in.result is not None else []
    words += [f"+{stand_in.delay:g} s"] if stand_in.delay else []
    return (" ".join(words), "fair bold")


def type_of(schema: Any) -> str:
    """`string`, `integer or null`, `one of a, b`: a JSON schema in words."""
    if not isinstance(schema, dict):
        return "anything"
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    if any_of := schema.get("anyOf"):
        return " or ".join(type_of(part) for part in any_of)
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    kind = schema.get("type", "anything")
    return f"list of {type_of(schema.get('items', {}))}" if kind == "array" else str(kind)


def _call(call: Call, width: int, opened: bool) -> list[Line]:
    right = _marks(call)
    name = fit(clean(call.name), max(8, width // 2))
    room = max(0, width - 5 - len(name) - line_width(right))
    shown = fit(clean(compact_arguments(call.arguments)), room)
    lines = [justify((("   ", ""), (name, "tool"), ("  ", ""), (shown, "muted")), right, width)]
    if not opened:
        return lines
    where = "by hand" if call.by_hand else turn_words(call.turn_id or "")
    lines += _indented([(clean(where), "faint")], width)
    lines += _indented([(_pretty(call.arguments), "muted")], width)
    if call.output:
        lines += _indented([(_pretty(call.output), "error" if call.is_error else "text")], width)
    if call.details:
        lines += _indented([(clean(call.details).rstrip("\n"), "error")], width)
    return lines


def _marks(call: Call) -> Line:
    spans: list[Span] = []
    if call.by_hand:
        spans.append(("kept " if call.kept else "by hand ", "selected"))
    if call.stand_in:
        spans.append((f"{STOOD_IN[call.stand_in]} ", "fair"))
    if call.invalid:
        spans.append(("invalid ", "error"))
    if call.duration is None:
        return (*spans, ("runs ◌", "fair"))
    return (*spans, (f"{took(call.duration)} {'✗' if call.is_error else '✓'}", "error" if call.is_error else "good"))


def _indented(spans: Sequence[Span], width: int) -> list[Line]:
    return [((_INDENT, ""), *line) for line in wrap_spans(spans, max(8, width - len(_INDENT) - 1))]


def _pretty(text: str) -> str:
    try:
        return clean(json.dumps(json.loads(text), indent=2, ensure_ascii=False))
    except ValueError:
        return clean(text)


_EMPTY: Final = {"string": "", "integer": 0, "number": 0.0, "boolean": False, "array": [], "object": {}}


def skeleton(facts: ToolFacts) -> str:
    """Arguments to begin with: each parameter that is needed, with its default or an empty value of its type."""
    properties = facts.parameters.get("properties", {})
    needed = [name for name in properties if name in facts.parameters.get("required", ())]
    return json.dumps({name: _beginning(properties[name]) for name in needed}, indent=2, ensure_ascii=False)


def _beginning(schema: dict[str, Any]) -> Any:
    if "default" in schema:
        return schema["default"]
    return schema["enum"][0] if schema.get("enum") else _EMPTY.get(schema.get("type", ""))
