"""Compares what we offer with what LiveKit Agents offers, name by name, and writes `docs/parity.md`.

    uv run python -m tests.parity              # compare with the stored dump, write docs/parity.md
    uv run python -m tests.parity --reference  # make the dump again, in an environment of its own

What a file written for LiveKit Agents finds is compared: `livekit.agents` by way of `agent_runtime.compat`. A
difference is either in `deviations.toml`, with its reason, or it is a row that says what is missing.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

HERE = Path(__file__).parent
Parameter = list[str]
State = Literal["same", "deviation", "differs", "missing"]
STATES: tuple[State, ...] = ("same", "deviation", "differs", "missing")


@dataclass(frozen=True, slots=True)
class Row:
    """How one name, or one member of it, compares."""

    module: str
    name: str
    state: State
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why a name is otherwise, or isn't there yet. Keys are `Name`, `Name.member`, `Name.*`, or after a module."""

    deviation: dict[str, str]
    missing: dict[str, str]
    behaviour: dict[str, str]
    """What no signature shows: subject → how it is here."""


def compare(reference: dict[str, Any], ours: dict[str, Any], reasons: Reasons) -> list[Row]:
    """One row a name that is the same; one row for each difference of a name that isn't.

    A name that is offered again by a later module, alike on both sides, has its rows in the first one.
    """
    rows: list[Row] = []
    seen: list[tuple[str, Any, Any]] = []
    for module, names in reference.items():
        for name, theirs in names.items():
            mine = ours.get(module, {}).get(name)
            if (name, theirs, mine) in seen and theirs["kind"] != "module":
                continue
            seen.append((name, theirs, mine))
            found = list(_differences(name, theirs, mine))
            rows += [_row(module, where, state, note, reasons) for where, state, note in found]
            if not found:
                rows.append(Row(module, name, "same"))
    return rows


def _row(module: str, where: str, state: State, note: str, reasons: Reasons) -> Row:
    for key in keys(module, where):
        for found, why in (("deviation", reasons.deviation), ("missing", reasons.missing)):
            if key in why:
                return Row(module, where, cast("State", found), f"{note}: {why[key]}" if note else why[key])
    return Row(module, where, state, note)


def keys(module: str, where: str) -> tuple[str, ...]:
    """What a reason for a row may be filed under."""
    members = f"{where.split('.')[0]}.*"
    exact = (f"{module}.{where}", where)
    return (*exact, f"{module}.{members}", members) if "." in where else exact


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
        elif field in our_fields and not _same_default(our_fields[field], default):
            yield f"{name}.{field}", "differs", f"default {our_fields[field]}, there {default}"
    for member, described in (theirs.get("members") or {}).items():
        own = (mine.get("members") or {}).get(member)
        if own is None:
            if member not in (mine.get("fields") or {}):
                yield f"{name}.{member}", "missing", ""
        elif note := _signature_note(described.get("signature"), own.get("signature")):
            yield f"{name}.{member}", "differs", note


def _same_default(mine: str, theirs: str) -> bool:
    # A default that is made by a function says nothing by the function's name.
    return theirs in ("", "factory", mine) or (theirs.endswith("()") and mine.endswith("()"))


def _signature_note(theirs: list[Parameter] | None, mine: list[Parameter] | None) -> str:
    """What a caller of theirs would trip over here; a parameter more, with a default, is no difference."""
    if theirs is None or mine is None:
        return ""
    own = {p[0]: p for p in mine}
    takes_any = any(p[1] == "var_keyword" for p in mine)
    takes_more = any(p[1] == "var_positional" for p in mine)
    notes = []
    for name, kind, default in theirs:
        if kind.startswith("var_"):
            continue
        if name not in own:
            if not takes_any and not (takes_more and kind.startswith("positional")):
                notes.append(f"no `{name}`")
        elif own[name][2] is not None and default is not None and own[name][2] != default:
            notes.append(f"`{name}` defaults to {own[name][2]}, there {default}")
        elif kind == "positional_or_keyword" and own[name][1] == "keyword_only":
            notes.append(f"`{name}` is keyword-only")
    optional = {p[0] for p in mine if p[2] is not None or p[1].startswith("var_")}
    required_there = {p[0] for p in theirs if p[2] is None}
    notes += [f"needs `{p[0]}`" for p in mine if p[0] not in optional | required_there]
    return ", ".join(notes)


def load_reasons() -> Reasons:
    """Read `deviations.toml`."""
    data = tomllib.loads((HERE / "deviations.toml").read_text("utf-8"))

    def by_name(kind: str) -> dict[str, str]:
        return {name: group["reason"] for group in data.get(kind, []) for name in group["names"]}

    return Reasons(by_name("deviation"), by_name("missing"), data.get("behaviour", {}))


def load_reference() -> dict[str, Any]:
    """The stored dump of the reference."""
    reference: dict[str, Any] = json.loads((HERE / "reference.json").read_text("utf-8"))
    return reference


def as_markdown(rows: list[Row], reasons: Reasons, version: str) -> str:
    """The page: a count of each state, what behaves otherwise, then every name by module."""
    lines = [
        f"# Parity with LiveKit Agents for Python {version}",
        "",
        "Made by `uv run python -m tests.parity`, which compares signatures, fields and defaults with what a file that",
        "imports `livekit.agents` finds here. Don't edit it: a deviation and its reason go to",
        "`tests/parity/deviations.toml`.",
        "",
        "| state | rows |",
        "|---|---|",
        *(f"| {state} | {sum(row.state == state for row in rows)} |" for state in STATES),
        "",
        "## What behaves otherwise",
        "",
        *(f"- **{subject}**: {how}" for subject, how in reasons.behaviour.items()),
        "",
    ]
    for module in dict.fromkeys(row.module for row in rows):
        of_module = [row for row in rows if row.module == module]
        lines += [f"## `{'livekit.agents' if module == 'agents' else f'livekit.agents.{module}'}`", ""]
        if same := [f"`{row.name}`" for row in of_module if row.state == "same"]:
            lines += [f"Same: {', '.join(same)}.", ""]
        if others := [row for row in of_module if row.state != "same"]:
            lines += ["| name | state | |", "|---|---|---|"]
            lines += [f"| `{row.name}` | {row.state} | {row.note} |" for row in others]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"
