"""Compares what we offer with what LiveKit Agents offers, name by name, and writes `docs/parity.md`.

    uv run python -m tests.parity              # compare with the stored dump, write docs/parity.md
    uv run python -m tests.parity --reference  # make the dump again, in an environment of its own

A difference is either in `deviations.toml`, with its reason, or it is a row that says what is missing.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

HERE = Path(__file__).parent
Parameter = list[str]
State = Literal["same", "more", "deviation", "missing", "differs"]


@dataclass(frozen=True, slots=True)
class Row:
    """How one name, or one member of it, compares."""

    module: str
    name: str
    state: State
    note: str = ""


def compare(reference: dict[str, Any], ours: dict[str, Any], deviations: dict[str, str]) -> list[Row]:
    """One row a name that is the same; one row for each difference of a name that isn't."""
    rows: list[Row] = []
    for module, names in reference.items():
        for name, theirs in names.items():
            mine = ours.get(module, {}).get(name)
            found = list(_differences(name, theirs, mine))
            rows += [_row(module, where, state, note, deviations) for where, state, note in found]
            if not found:
                rows.append(Row(module, name, "same"))
    return rows


def _row(module: str, where: str, state: State, note: str, deviations: dict[str, str]) -> Row:
    for key in (f"{module}.{where}", f"{module}.{where.split('.')[0]}"):
        if key in deviations:
            return Row(module, where, "deviation", deviations[key])
    return Row(module, where, state, note)


def _differences(name: str, theirs: dict[str, Any], mine: dict[str, Any] | None) -> Iterator[tuple[str, State, str]]:
    if mine is None:
        yield name, "missing", ""
        return
    if theirs["kind"] not in ("value", mine["kind"]):
        yield name, "differs", f"a {mine['kind']} here, a {theirs['kind']} there"
        return
    if note := _signature_note(theirs.get("signature"), mine.get("signature")):
        yield name, "differs", note
    for field, default in (theirs.get("fields") or {}).items():
        our_fields = mine.get("fields") or {}
        if field not in our_fields and field not in mine.get("members", {}):
            yield f"{name}.{field}", "missing", ""
        elif field in our_fields and default not in ("", "factory") and our_fields[field] != default:
            yield f"{name}.{field}", "differs", f"default {our_fields[field]}, there {default}"
    for member, described in (theirs.get("members") or {}).items():
        own = (mine.get("members") or {}).get(member)
        if own is None:
            if member not in (mine.get("fields") or {}):
                yield f"{name}.{member}", "missing", ""
        elif note := _signature_note(described.get("signature"), own.get("signature")):
            yield f"{name}.{member}", "differs", note


def _signature_note(theirs: list[Parameter] | None, mine: list[Parameter] | None) -> str:
    """What a caller of theirs would trip over here; a parameter more, with a default, is no difference."""
    if theirs is None or mine is None:
        return ""
    own = {p[0]: p for p in mine}
    takes_any = any(p[1] == "var_keyword" for p in mine)
    notes = []
    for name, kind, default in theirs:
        if kind.startswith("var_"):
            continue
        if name not in own:
            if not takes_any:
                notes.append(f"no `{name}`")
        elif own[name][2] != default:
            notes.append(f"`{name}` defaults to {own[name][2]}, there {default}")
        elif kind == "positional_or_keyword" and own[name][1] == "keyword_only":
            notes.append(f"`{name}` is keyword-only")
    required = [p[0] for p in mine if p[2] is None and not p[1].startswith("var_")]
    notes += [f"needs `{name}`" for name in required if name not in {p[0] for p in theirs}]
    return ", ".join(notes)


def load_deviations() -> dict[str, str]:
    """`module.Name` or `module.Name.member` → the reason why it is otherwise here."""
    data = tomllib.loads((HERE / "deviations.toml").read_text("utf-8"))
    return {f"{module}.{name}": reason for module, names in data.items() for name, reason in names.items()}


def load_reference() -> dict[str, Any]:
    """The stored dump of the reference."""
    reference: dict[str, Any] = json.loads((HERE / "reference.json").read_text("utf-8"))
    return reference


def as_markdown(rows: list[Row], version: str) -> str:
    """The page: a count of each state, then every name by module."""
    states: list[State] = ["same", "deviation", "differs", "missing"]
    lines = [
        f"# Parity with LiveKit Agents for Python {version}",
        "",
        "Made by `uv run python -m tests.parity`, which compares signatures, fields and defaults. Don't edit it: a",
        "deviation and its reason go to `tests/parity/deviations.toml`.",
        "",
        "| state | rows |",
        "|---|---|",
        *(f"| {state} | {sum(row.state == state for row in rows)} |" for state in states),
        "",
    ]
    for module in dict.fromkeys(row.module for row in rows):
        same = [f"`{row.name}`" for row in rows if row.module == module and row.state == "same"]
        lines += [f"## `{'livekit.agents' if module == 'agents' else f'livekit.agents.{module}'}`", ""]
        if same:
            lines += [f"Same: {', '.join(same)}.", ""]
        if others := [row for row in rows if row.module == module and row.state != "same"]:
            lines += ["| name | state | |", "|---|---|---|"]
            lines += [f"| `{row.name}` | {row.state} | {row.note} |" for row in others]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"
