"""The agent panel: what the agent is told, what it can do, who it hands over to, what the last reload changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agent_console.drawing.latency import seconds
from agent_console.drawing.text import Line, clean, justify, wrap_spans
from agent_console.state import ConsoleState
from agent_runtime.events import ReloadFinished

_CHANGES: Final = {"added": ("+", "good"), "removed": ("-", "error"), "changed": ("~", "fair")}


def agent_lines(state: ConsoleState, width: int) -> list[Line]:
    """The whole panel."""
    blocks = [
        _instructions(state, width),
        _tools(state, width),
        _models(state, width),
        handoff_graph(state.handoffs, state.agent, width),
        reload_lines(state.last_reload, width),
    ]
    lines: list[Line] = []
    for block in blocks:
        lines += [(), *block] if block and lines else block
    return lines


def _instructions(state: ConsoleState, width: int) -> list[Line]:
    text = clean(state.instructions).strip()
    words = justify((("INSTRUCTIONS", "heading"),), ((f"{len(text):,} characters", "faint"),), width)
    return [words, *wrap_spans([(text, "text")] if text else [("none", "faint")], width)]


def _tools(state: ConsoleState, width: int) -> list[Line]:
    heading = justify((("TOOLS", "heading"),), ((str(len(state.tools)), "faint"),), width)
    names = "  ".join(clean(name) for name in state.tools)
    return [heading, *wrap_spans([(names, "tool")] if names else [("none", "faint")], width)]


def _models(state: ConsoleState, width: int) -> list[Line]:
    found = [("model", state.model), ("voice", state.voice)]
    return [((f"{word:<7}", "muted"), (clean(name), "text")) for word, name in found if name]


def handoff_graph(handoffs: Mapping[tuple[str, str], int], current: str, width: int) -> list[Line]:
    """Who gave the conversation to whom, and how often; the agent that has it is marked."""
    if not handoffs:
        return []
    lines: list[Line] = [(("HANDOFFS", "heading"),)]
    givers = dict.fromkeys(giver for giver, _ in handoffs)
    for giver in givers:
        mark = "● " if giver == current else "○ "
        lines.append(((mark, "agent"), (clean(giver), "agent bold" if giver == current else "text")))
        takers = [(taker, times) for (other, taker), times in handoffs.items() if other == giver]
        for number, (taker, times) in enumerate(takers, start=1):
            branch = "  └─▶ " if number == len(takers) else "  ├─▶ "
            style = "agent bold" if taker == current else "text"
            count = f"  {times}x" if times > 1 else ""
            here = "  has the conversation" if taker == current else ""
            lines.append(((branch, "track"), (clean(taker), style), (count, "muted"), (here, "faint")))
    return lines


def reload_lines(reload: ReloadFinished | None, width: int) -> list[Line]:
    """What the last reload changed, as a diff."""
    if reload is None:
        return []
    heading: Line = (("LAST RELOAD", "heading"),)
    lines = [justify(heading, ((f"{clean(reload.agent)} · {seconds(reload.duration)}", "faint"),), width)]
    if reload.instead_of:
        lines.append(((f"in the place of {clean(reload.instead_of)}", "muted"),))
    told = bool(reload.instructions or reload.tools or reload.options)
    lines += diff_lines(reload.instructions if told else reload.diff, width)
    for tool in reload.tools:
        sign, style = _CHANGES[tool.change]
        lines.append(((f"{sign} tool ", style), (clean(tool.name), "tool bold")))
        lines += [(("  ", ""), *line) for line in diff_lines(tool.diff, width - 2)] if tool.change == "changed" else []
    for option in reload.options:
        change = f" {clean(option.before) or 'unset'} → {clean(option.after) or 'unset'}"
        lines += wrap_spans([("~ ", "fair"), (clean(option.name), "key"), (change, "text")], width)
    if len(lines) == 1:
        lines.append((("nothing changed that the model sees", "faint"),))
    return lines


def diff_lines(diff: str, width: int) -> list[Line]:
    """A unified diff without its file names; signs beside the colours."""
    lines: list[Line] = []
    for text in clean(diff).rstrip("\n").split("\n") if diff else ():
        if text.startswith(("---", "+++", "@@")):
            continue
        style = {"+": "good", "-": "error"}.get(text[:1], "muted")
        lines += wrap_spans([(text, style)], width)
    return lines
