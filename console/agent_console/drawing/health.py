"""The health panel: what held up or broke around the conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agent_console.drawing.status import clock_text
from agent_console.drawing.text import Line, Span, clean, fit, justify, wrap_spans
from agent_console.state import ConsoleState
from agent_console.state.health import Block

STACK_LINES: Final = 4
"""Of a stack: two calls, each with its place and its source. `e` on the banner shows all of it."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """How the console itself does."""

    waiting: int
    """Events that no frame has taken yet."""
    frame: float
    """Seconds that the last frame took."""


def health_lines(state: ConsoleState, drawing: Drawing, width: int) -> list[Line]:
    """Loop, audio, devices, failures by source, the console itself."""
    health = state.health
    lines: list[Line] = [(("RUNTIME LOOP", "heading"),)]
    style = "bad bold" if health.blocked else "good"
    words = (
        f"✗ blocked {health.blocked:,}x, {health.worst_block:.2f} s at worst" if health.blocked else "✓ never blocked"
    )
    if health.stall is not None:
        lines.append((("✗ blocked now by ", "bad bold"), (clean(health.stall.place), "bad bold")))
    lines.append(((words, style),))
    for block in reversed(health.blocks):
        turn = f" · {block.turn_id}" if block.turn_id else ""
        left: Line = (
            (f"  {clock_text(block.time):>5} ", "faint"),
            (clean(block.place), "text"),
            (clean(turn), "faint"),
        )
        lines.append(justify(left, ((f"{block.seconds:.2f} s", "bad"),), width))
    lines += _stack(health.stall or (health.blocks[-1] if health.blocks else None), width)
    lines += [(), (("AUDIO", "heading"),)]
    for word, name, frames, kind in (
        ("microphone", state.microphone.state, state.dropped_input, "input"),
        ("speaker", state.speaker.state, state.dropped_output, "output"),
    ):
        lost, back = health.lost.get(kind, 0), health.reconnects.get(kind, 0)
        values: list[Span] = [(name, "good" if name == "opened" else "fair")]
        values += [(f" · lost {lost}x, back {back}x", "fair")] if lost else []
        values += [(f" · {frames:,} frames dropped", "bad")] if frames else []
        lines.append(justify(((word, "muted"),), tuple(values), width))
    lines += [(), (("FAILURES", "heading"),)]
    if not health.troubles:
        lines.append((("✓ none", "good"),))
    for source, trouble in health.troubles.items():
        right: Line = ((f"{trouble.count}x, last at {clock_text(trouble.last)}", "muted"),)
        sign, style = ("!", "fair") if trouble.recoverable else ("✗", "bad")
        lines.append(justify(((f"{sign} ", style), (fit(clean(source), width - 26), "text bold")), right, width))
        lines += [(("  ", ""), *line) for line in wrap_spans([(clean(trouble.message), "muted")], width - 2)]
    reloads: Line = ((f"{health.reloads:,}", "value"),)
    if health.failed_reloads:
        reloads = (*reloads, (f" · {health.failed_reloads:,} failed", "bad"))
    return [*lines, (), justify((("reloads", "muted"),), reloads, width), *_console(state, drawing, width)]


def _stack(block: Block | None, width: int) -> list[Line]:
    """The innermost calls of the newest blockage: the last one is where it stood still."""
    calls = block.stack.rstrip("\n").split("\n")[-STACK_LINES:] if block is not None else []
    return [((fit(f"        {clean(call).strip()}", width), "muted"),) for call in calls if call.strip()]


def _console(state: ConsoleState, drawing: Drawing, width: int) -> list[Line]:
    return [
        (),
        (("CONSOLE", "heading"),),
        justify((("events", "muted"),), ((f"{state.event_count:,} · {drawing.waiting:,} waiting", "value"),), width),
        justify((("last frame", "muted"),), ((f"{drawing.frame * 1000:.0f} ms", "value"),), width),
    ]
