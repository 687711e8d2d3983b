"""The health panel: what held up or broke around the conversation."""

from __future__ import annotations

from typing import Final

from agent_console.drawing.status import clock_text
from agent_console.drawing.text import Line, Span, clean, fit, justify, wrap_spans
from agent_console.state import ConsoleState
from agent_console.state.health import Block, Health
from agent_console.state.sentences import count, turn_words
from agent_runtime.events import Circuit, EchoCancellation
from agent_runtime.records import record

STACK_LINES: Final = 4
"""Of a stack: two calls, each with its place and its source. `e` on the banner shows all of it."""
LATE: Final = 0.02
"""Seconds from which on a loop that comes late is heard: two frames of audio."""

_CIRCUITS: Final = {
    "closed": ("✓", "good", "asked"),
    "half_open": ("◌", "fair", "being tried"),
    "open": ("✗", "bad", "left alone"),
}
"""A circuit's sign, style and words."""


@record(frozen=True, slots=True)
class Drawing:
    """How the console itself does."""

    waiting: int
    """Events that no frame has taken yet."""
    frame: float
    """Seconds that the last frame took."""


def health_lines(state: ConsoleState, drawing: Drawing, width: int) -> list[Line]:
    """Loop, providers, audio, failures by source, the console itself."""
    health = state.health
    sections = (
        _loop(health, width),
        _providers(health, width),
        _audio(state, width),
        _failures(health, width),
        _restarts(health, width),
        _console(state, drawing, width),
    )
    lines: list[Line] = []
    for section in sections:
        lines += [(), *section] if lines and section else section
    return lines


def _loop(health: Health, width: int) -> list[Line]:
    lines: list[Line] = [(("RUNTIME LOOP", "heading"),)]
    if health.stall is not None:
        lines.append((("✗ blocked now by ", "bad bold"), (clean(health.stall.place), "bad bold")))
    if health.blocked:
        lines.append(((f"✗ blocked {health.blocked:,}x, {health.worst_block:.2f} s at worst", "bad bold"),))
    else:
        lines.append((("✓ never blocked", "good"),))
    if (lag := health.lag) is not None:
        words = f"p99 {_ms(lag.p99)} · worst {_ms(lag.worst)} in {lag.window:.0f} s"
        sign, style = ("✗ ", "bad") if lag.p99 >= LATE else ("", "value")
        lines.append(justify((("late by", "muted"),), ((sign + words, style),), width))
    for block in reversed(health.blocks):
        turn = f" · {turn_words(block.turn_id)}" if block.turn_id else ""
        left: Line = (
            (f"  {clock_text(block.time):>5} ", "faint"),
            (clean(block.place), "text"),
            (clean(turn), "faint"),
        )
        lines.append(justify(left, ((f"{block.seconds:.2f} s", "bad"),), width))
    return lines + _stack(health.stall or (health.blocks[-1] if health.blocks else None), width)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _stack(block: Block | None, width: int) -> list[Line]:
    """The innermost calls of the newest blockage: the last one is where it stood still."""
    calls = block.stack.rstrip("\n").split("\n")[-STACK_LINES:] if block is not None else []
    return [((fit(f"        {clean(call).strip()}", width), "muted"),) for call in calls if call.strip()]


def _providers(health: Health, width: int) -> list[Line]:
    """Those behind a fallback; nothing where there is none."""
    rows = [line for part, circuits in health.circuits.items() for c in circuits for line in _circuit(part, c, width)]
    return [(("PROVIDERS", "heading"),), *rows] if rows else []


def _circuit(part: str, circuit: Circuit, width: int) -> list[Line]:
    sign, style, words = _CIRCUITS[circuit.state]
    since = "" if circuit.state == "closed" and not circuit.problem else f" since {clock_text(circuit.since)}"
    right: Line = ((words + since, style),)
    name = fit(clean(circuit.name), max(4, width - len(words + since) - len(part) - 5))
    lines = [justify(((f"{sign} ", style), (f"{part} ", "muted"), (name, "text bold")), right, width)]
    if circuit.state != "closed" and circuit.problem:
        lines += [(("  ", ""), *line) for line in wrap_spans([(clean(circuit.problem), "muted")], width - 2)]
    return lines


def _audio(state: ConsoleState, width: int) -> list[Line]:
    health = state.health
    lines: list[Line] = [(("AUDIO", "heading"),)]
    for word, name, frames, kind in (
        ("microphone", state.microphone.state, state.dropped_input, "input"),
        ("speaker", state.speaker.state, state.dropped_output, "output"),
    ):
        values: list[Span] = [_device(name, typed=state.mode == "text"), *_lost(health, kind)]
        values += [(f" · {count(frames, 'frame')} dropped", "bad")] if frames else []
        lines.append(justify(((word, "muted"),), tuple(values), width))
    if health.lost.get("room"):
        lines.append(justify((("room", "muted"),), tuple(_lost(health, "room", between="")), width))
    return [*lines, justify((("echo cancellation", "muted"),), echo(health.echo), width)]


def _device(name: str, *, typed: bool) -> Span:
    """A microphone's or speaker's state; none was looked for where one types, or yet."""
    if name == "unknown":
        return ("not used: you type", "muted") if typed else ("not opened yet", "faint")
    return name, "good" if name == "opened" else "fair"


def _lost(health: Health, kind: str, between: str = " · ") -> list[Span]:
    lost, back = health.lost.get(kind, 0), health.reconnects.get(kind, 0)
    return [(f"{between}lost {lost}x, back {back}x", "fair")] if lost else []


def echo(told: EchoCancellation | None) -> Line:
    """What is done about the agent's voice in the microphone: `on · 62 ms · 31 dB taken out`."""
    if told is None:
        return (("-", "faint"),)
    if told.state == "off":
        return (("off: audio.echo_cancellation", "fair"),)
    if told.state == "no_speaker":
        return (("on · no speaker to take out", "muted"),)
    if told.state == "no_echo":
        return (("on", "good"), (" · the speaker isn't heard", "value"))
    removed = "nothing to take out yet" if told.removed is None else f"{told.removed:.0f} dB taken out"
    return (("on", "good"), (f" · {_ms(told.delay)} · {removed}", "value"))


def _failures(health: Health, width: int) -> list[Line]:
    lines: list[Line] = [(("FAILURES", "heading"),)]
    if not health.troubles:
        lines.append((("✓ none", "good"),))
    for source, trouble in health.troubles.items():
        right: Line = ((f"{trouble.count}x, last at {clock_text(trouble.last)}", "muted"),)
        sign, style = ("!", "fair") if trouble.recoverable else ("✗", "bad")
        lines.append(justify(((f"{sign} ", style), (fit(clean(source), width - 26), "text bold")), right, width))
        lines += [(("  ", ""), *line) for line in wrap_spans([(clean(trouble.message), "muted")], width - 2)]
    return lines


def _restarts(health: Health, width: int) -> list[Line]:
    reloads: Line = ((f"{health.reloads:,}" if health.reloads else "none", "value"),)
    if health.failed_reloads:
        reloads = (*reloads, (f" · {health.failed_reloads:,} failed", "bad"))
    begun = ", ".join(f"{part} {count:,}x" for part, count in health.restarts.items())
    restarts: Line = ((begun, "fair"),) if begun else (("none", "good"),)
    return [justify((("restarts", "muted"),), restarts, width), justify((("reloads", "muted"),), reloads, width)]


def _console(state: ConsoleState, drawing: Drawing, width: int) -> list[Line]:
    return [
        (("CONSOLE", "heading"),),
        justify((("events", "muted"),), ((f"{state.event_count:,} · {drawing.waiting:,} waiting", "value"),), width),
        justify((("last frame", "muted"),), ((f"{drawing.frame * 1000:.0f} ms", "value"),), width),
    ]
