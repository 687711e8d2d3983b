"""What lies on the workbench: tools and their calls, what stands in for them, the conversation as sent, branches."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any, Final, Literal

from agent_console.state.sequence import Seq
from agent_runtime import events as ev
from agent_runtime.events import AnyEvent
from agent_runtime.records import record
from agent_runtime.token_estimate import ESTIMATE, FRAME, estimate_tokens

CALLS_KEPT: Final = 200
INSTRUCTIONS: Final = "lk.agent_task.instructions"
"""The id of the instructions' message, which LiveKit Agents gives it."""
_SAME_CONVERSATION: Final = ("reload", "update_agent")
"""Causes of a change of agents after which the conversation is the same."""


@record(frozen=True, slots=True)
class Call:
    """A call of a tool, by the model or by hand. `duration` is None while it runs."""

    call_id: str
    name: str
    arguments: str
    turn_id: str | None
    time: float
    by_hand: bool = False
    output: str = ""
    is_error: bool = False
    details: str = ""
    duration: float | None = None
    invalid: bool = False
    stand_in: Literal["", "result", "error", "delay"] = ""
    kept: bool = False
    """A run by hand that was put into the conversation."""


@record(frozen=True, slots=True)
class Bench:
    """See the module."""

    tools: tuple[ev.ToolFacts, ...] = ()
    calls: Seq[Call] = field(default_factory=Seq)
    stand_ins: Mapping[str, ev.ToolStoodIn] = field(default_factory=dict)
    items: Seq[ev.ContextItem] = field(default_factory=Seq)
    """The conversation of the agent that has it."""
    tokens: int = 0
    tool_tokens: int = 0
    counted_by: str = ESTIMATE
    exact: bool = False
    problem: str = ""
    revision: int = 0
    """Goes up where the picture of the conversation may be out of date."""
    branches: tuple[ev.Branch, ...] = ()
    branch: str = ""


def lay_out(bench: Bench, event: AnyEvent) -> Bench:
    """The bench after an event; the same object if it tells nothing of that."""
    change = _CHANGES.get(type(event.data))
    return bench if change is None else change(bench, event, event.data)


# --- tools -----------------------------------------------------------------------------------------------------------


def _listed(bench: Bench, event: AnyEvent, data: ev.ToolsListed) -> Bench:
    return replace(bench, tools=data.tools)


def _stood_in(bench: Bench, event: AnyEvent, data: ev.ToolStoodIn) -> Bench:
    others = {name: stand_in for name, stand_in in bench.stand_ins.items() if name != data.name}
    is_set = data.result is not None or data.error is not None or data.delay > 0
    return replace(bench, stand_ins={**others, data.name: data} if is_set else others)


def _started(bench: Bench, event: AnyEvent, data: ev.ToolStarted) -> Bench:
    return _add(bench, Call(data.call_id, data.name, data.arguments, event.turn_id, event.time))


def _tried(bench: Bench, event: AnyEvent, data: ev.ToolTried) -> Bench:
    return _add(bench, Call(data.try_id, data.name, data.arguments, event.turn_id, event.time, by_hand=True))


def _add(bench: Bench, call: Call) -> Bench:
    calls = bench.calls.append(call)
    return replace(bench, calls=calls.trim(CALLS_KEPT) if len(calls) > 2 * CALLS_KEPT else calls)


def _finished(bench: Bench, event: AnyEvent, data: ev.ToolFinished) -> Bench:
    return _end(bench, data.call_id, data, stand_in=data.stand_in)


def _try_finished(bench: Bench, event: AnyEvent, data: ev.ToolTryFinished) -> Bench:
    return _end(bench, data.try_id, data)


def _end(bench: Bench, call_id: str, data: ev.ToolFinished | ev.ToolTryFinished, **changes: Any) -> Bench:
    return _change(
        bench,
        call_id,
        output=data.output,
        is_error=data.is_error,
        details=data.details,
        duration=data.duration,
        invalid=data.invalid,
        **changes,
    )


def _kept(bench: Bench, event: AnyEvent, data: ev.ToolTryKept) -> Bench:
    return _change(bench, data.try_id, kept=True)


def _change(bench: Bench, call_id: str, **changes: Any) -> Bench:
    index = bench.calls.rindex(lambda call: call.call_id == call_id)
    if index is None:
        return bench
    return replace(bench, calls=bench.calls.replace(index, replace(bench.calls[index], **changes)))


# --- the conversation ------------------------------------------------------------------------------------------------


def _shown(bench: Bench, event: AnyEvent, data: ev.ContextShown) -> Bench:
    old = {item.id: item for item in bench.items}
    # What is the same stays the same object, so that it needn't be drawn again.
    items = Seq.of(old[item.id] if old.get(item.id) == item else item for item in data.items)
    return replace(
        bench,
        items=items,
        tokens=data.tokens,
        tool_tokens=data.tool_tokens,
        counted_by=data.counted_by,
        exact=data.exact,
        problem=data.problem,
    )


def _item_added(bench: Bench, event: AnyEvent, data: ev.ItemAdded) -> Bench:
    """Counted by estimate until the next picture; a recording without one has this alone."""
    kind, item_id = data.item["type"], data.item["id"]
    if bench.items.rindex(lambda item: item.id == item_id, within=20) is not None:
        return bench
    label, text = _described(data.item)
    tokens = FRAME + estimate_tokens(text) if kind not in ("agent_handoff", "agent_config_update") else 0
    item = ev.ContextItem(item_id, kind, label, text, tokens, event.turn_id)
    is_answer = kind == "message" and label == "assistant"
    return replace(
        bench,
        items=bench.items.append(item),
        tokens=bench.tokens + tokens,
        exact=bench.exact and not tokens,
        revision=bench.revision + is_answer,
    )


def _described(item: Mapping[str, Any]) -> tuple[str, str]:
    if item["type"] == "message":
        return item["role"], "\n".join(p if isinstance(p, str) else f"[{p.get('type', '')}]" for p in item["content"])
    if item["type"] == "agent_handoff":
        return "handoff", f"{item.get('old_agent_id') or 'start'} → {item['new_agent_id']}"
    if item["type"] == "agent_config_update":
        return "change", json.dumps({name: item[name] for name in ("tools_added", "tools_removed") if item.get(name)})
    return item.get("name", ""), item.get("arguments", item.get("output", ""))


def _agent_changed(bench: Bench, event: AnyEvent, data: ev.AgentChanged) -> Bench:
    """Another agent has a memory of its own: what is known of it is what it is told."""
    told = ev.ContextItem(
        INSTRUCTIONS, "message", "system", data.instructions, FRAME + estimate_tokens(data.instructions)
    )
    if event.cause in _SAME_CONVERSATION and len(bench.items):
        items = bench.items.replace(0, told) if bench.items[0].id == INSTRUCTIONS else bench.items
    else:
        items = Seq.of([told])
    tokens = sum(item.tokens for item in items)
    # Their facts follow, but in recordings that are older than they.
    tools = tuple(ev.ToolFacts(name, "", {}, (), "", "agent") for name in data.tools)
    return replace(bench, tools=tools, items=items, tokens=tokens, exact=False, revision=bench.revision + 1)


def _branches(bench: Bench, event: AnyEvent, data: ev.BranchesChanged) -> Bench:
    return replace(bench, branches=data.branches, branch=data.current)


_CHANGES: Final[dict[type, Callable[..., Bench]]] = {
    ev.ToolsListed: _listed,
    ev.ToolStoodIn: _stood_in,
    ev.ToolStarted: _started,
    ev.ToolFinished: _finished,
    ev.ToolTried: _tried,
    ev.ToolTryFinished: _try_finished,
    ev.ToolTryKept: _kept,
    ev.ContextShown: _shown,
    ev.ItemAdded: _item_added,
    ev.AgentChanged: _agent_changed,
    ev.BranchesChanged: _branches,
}
