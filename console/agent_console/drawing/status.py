"""Lines that tell how things stand: header, instruments, banners, panels."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Final

from rich.cells import cell_len

from agent_console.drawing import bars
from agent_console.drawing.latency import grade, latency_line, seconds, waterfall
from agent_console.drawing.room import room_devices, room_mark
from agent_console.drawing.text import Line, Span, clean, fit, justify, line_width, wrap
from agent_console.state import WHOLE, Banner, ConsoleState, Device, Endpointing, Latency, Loading
from agent_console.state.sentences import count

CLIP_SHOWN: Final = 1.5
"""Seconds that a clipped sample stays on the meter."""

_AGENT: Final = {
    "initializing": ("◌", "fair"),
    "idle": ("○", "muted"),
    "listening": ("○", "good"),
    "thinking": ("◌", "fair"),
    "speaking": ("●", "agent"),
}
_USER: Final = {"speaking": ("●", "user"), "listening": ("○", "muted"), "away": ("◌", "faint")}


def clock_text(elapsed: float) -> str:
    """`3:21`, or `1:03:21` from an hour."""
    minutes, secs = divmod(int(elapsed), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def header(state: ConsoleState, now: float, width: int) -> list[Line]:
    """Two lines: who and how; through what."""
    user_glyph, user_style = _USER[state.user_state]
    agent_glyph, agent_style = _AGENT[state.agent_state]
    agent_word: str = "loading" if state.agent_state == "initializing" else state.agent_state
    if state.closed:
        agent_glyph, agent_style, agent_word = "○", "muted", "closed"
    states: Line = (
        (f"{user_glyph} ", user_style),
        ("you ", "muted"),
        (f"{state.user_state:<9}", user_style),
        ("  ", ""),
        (f"{agent_glyph} ", agent_style),
        ("agent ", "muted"),
        (f"{agent_word:<9}", f"{agent_style} bold"),
        (f"  {clock_text(now):>6} ", "text"),
    )
    name = fit(clean(state.agent), max(8, width // 3)) or "agent-console"
    where = room_mark(state.room)
    left: Line = ((" ", ""), ("◆ ", "agent"), (name, "bold"), *((("  ", ""), *where) if where else ()))
    if not where or state.mode == "replay":
        left = (*left, (f"  {state.mode}", "muted"))
    if state.recording is not None:
        left = (*left, ("  ● rec", "error bold"))
    if state.reloading:
        left = (*left, ("  reloading", "fair"))
    turn = f"turn {state.turn_number}" if state.turn_number else "no turns yet"
    right: Line = (*bench_marks(state), (turn + " ", "muted"))
    space = width - line_width(right) - 5
    speaker = _device("speaker", state.speaker, width)
    mic = _device("mic", state.microphone, max(space // 2, space - line_width(speaker)), muted=state.muted)
    speaker = _device("speaker", state.speaker, space - line_width(mic))
    devices: Line = ((" ", ""), *mic, ("   ", ""), *speaker)
    if state.room.here:
        devices = ((" ", ""), *room_devices(state.room, width - line_width(right) - 2, muted=state.muted))
    elif state.mode == "text":
        devices = ((" no microphone and no speaker: you type", "muted"),)
    return [justify(left, states, width), justify(devices, right, width)]


def bench_marks(state: ConsoleState) -> Line:
    """What was done by hand and isn't what the agent's code does: tools that are stood in for, another branch."""
    count, branch = len(state.bench.stand_ins), state.bench.branch
    mocked: Line = ((f"! {count} mocked", "fair bold"), ("  ", "")) if count else ()
    return (*mocked, (fit(clean(branch), 20), "selected"), ("  ", "")) if branch not in ("", "main") else mocked


def _device(word: str, device: Device, width: int, *, muted: bool = False) -> Line:
    if muted and device.state == "opened":
        return ((f"{word} ", "muted"), ("muted", "error bold"))
    text, style = {
        "opened": (clean(device.name), "text"),
        "lost": ("lost, trying again", "error bold"),
        "unavailable": ("none", "fair"),
        "closed": ("closed", "faint"),
        "unknown": ("…", "faint"),
    }[device.state]
    return ((f"{word} ", "muted"), (fit(text, max(4, width - len(word) - 1)), style))


_HIDES: Final = "esc hides "


def banner_lines(banners: Sequence[Banner], width: int, limit: int = 3) -> list[Line]:
    """The newest, that last: what happened and what to do; how many more there are stands behind the first.

    One takes a line, or two if there is nothing to do about it but what it says itself. The last is the one that
    escape puts away.
    """
    lines: list[Line] = []
    shown = banners[-limit:]
    for banner in shown:
        glyph, style = ("✗", "error") if banner.level == "error" else ("!", "fair")
        more = f" · {len(banners) - limit} more, esc goes on" if banner is shown[0] and len(banners) > limit else ""
        hint = f" · {clean(banner.hint)}{more} " if banner.hint else f"{more} "
        text = clean(banner.text).replace("\n", " ")
        room = max(20, width - 5 - min(len(hint), width // 2))
        end = len(text)
        if not banner.hint and cell_len(text) > room:
            room, hint = width - 5, ""
            end = wrap(text, room)[0][1]
        first, second = fit(text[:end], room), fit(text[end:].strip(), width - 5 - len(more))
        rest = fit(hint, max(0, width - 4 - cell_len(first)))
        line: Line = ((f" {glyph} ", f"{style} bold"), (first, style), (rest, "muted"))
        if banner is shown[-1] and line_width(line) + len(_HIDES) < width:
            line = justify(line, ((_HIDES, "faint"),), width)
        lines.append(line)
        if not hint and (second or more):
            lines.append((("   ", ""), (second, style), (more, "muted")))
    return lines


def loading_line(items: Sequence[Loading], width: int) -> Line:
    """Every model on its way, on one line; empty once all are there."""
    if all(item.fraction >= 1 or item.error for item in items):
        return ()
    spans: list[Span] = [(" loading ", "muted")]
    cells = max(4, min(14, (width - 10) // max(1, len(items)) - 12))
    for item in items:
        label = item.part.replace("turn_detector", "turn")
        spans.append((f" {label} ", "text"))
        if item.error:
            spans.append(("✗ ", "error"))
        elif item.fraction >= 1:
            spans.append(("✓ ", "good"))
        else:
            spans += bars.progress(item.fraction, cells)
            spans.append((f"{item.fraction * 100:3.0f}% ", "value"))
    return tuple(spans)


# --- instruments ---------------------------------------------------------------------------------------------------


def microphone_meter(state: ConsoleState, now: float, width: int) -> Line:
    """The input level with its held peak; a word instead where there is nothing to measure."""
    meters = state.meters
    if state.muted:
        return (("muted", "error bold"), (" " * max(0, width - 5), ""))
    if _is_off(state, state.microphone):
        return (("off".ljust(width), "faint"),)
    clipped = meters.clipped_at is not None and now - meters.clipped_at < CLIP_SHOWN
    number: Span = ("   clip", "error bold") if clipped else (f" {_db(meters.input_rms)}", "muted")
    style = "fair" if clipped else "level"
    return (
        *bars.level_bar(meters.input_rms, meters.held_peak, width - 7, style=style, clipped=clipped),
        number,
    )


def speaker_meter(state: ConsoleState, width: int) -> Line:
    """The output level; a word instead where there is no speaker."""
    if _is_off(state, state.speaker):
        return (("off".ljust(width), "faint"),)
    return (
        *bars.level_bar(state.meters.output_rms, None, width - 7, style="agent"),
        (f" {_db(state.meters.output_rms)}", "muted"),
    )


def _is_off(state: ConsoleState, device: Device) -> bool:
    """Whether there is nothing to measure: no device, or none is looked for because one types."""
    return not state.room.here and (state.mode == "text" or device.state not in ("opened", "unknown"))


def _db(level: float) -> str:
    return f"{max(bars.FLOOR, level):3.0f} dB" if level > bars.FLOOR else "   -  "


def probability(state: ConsoleState) -> Line:
    """`0.92 ≥ 0.50`: the newest VAD probability against its threshold."""
    meters = state.meters
    if meters.vad_probability is None:
        return (("-", "faint"),)
    above = meters.vad_probability >= meters.vad_threshold
    return (
        (f"{meters.vad_probability:.2f}", "speech bold" if above else "muted"),
        (f" {'≥' if above else '<'} {meters.vad_threshold:.2f}", "faint"),
    )


def endpointing_line(state: ConsoleState, now: float, width: int) -> Line:
    """The countdown to the end of the turn on one line: why it is that long, and how much is left."""
    countdown = state.endpointing
    if countdown is None:
        return ()
    why = f" {clean(countdown.why)}" if countdown.why else ""
    spans: list[Span] = [("end of turn ", "muted"), *_certainty(countdown), (f"{why}  ", "faint")]
    left, fraction = _remaining(countdown, now)
    cells = max(4, min(24, width - line_width(tuple(spans)) - 7))
    return (*spans, *bars.progress(fraction, cells, "fair"), (f" {left:.2f} s", "value"))


def _certainty(countdown: Endpointing) -> Line:
    if countdown.probability is None or countdown.threshold is None:
        return ()
    sure = countdown.probability >= countdown.threshold
    return ((f"{countdown.probability:.2f} {'≥' if sure else '<'} {countdown.threshold:.2f}", "value"),)


def _remaining(countdown: Endpointing, now: float) -> tuple[float, float]:
    left = max(0.0, countdown.deadline - now)
    return ceil(left * 100) / 100, left / countdown.delay if countdown.delay > 0 else 0.0


def instruments(state: ConsoleState, now: float, width: int) -> list[Line]:
    """All instruments on two lines, for screens without room for a column of them."""
    third = max(18, (width - 2) // 3)
    vad = probability(state)
    strip_width = max(4, third - 5 - line_width(vad) - 2)
    spare = width - 2 - 3 * third
    first: Line = (
        (" mic ", "muted"),
        *microphone_meter(state, now, third - 6),
        ("  vad ", "muted"),
        *bars.strip(state.meters.vad_history, max(1, strip_width + spare), state.meters.vad_threshold),
        (" ", ""),
        *vad,
        ("  out ", "muted"),
        *speaker_meter(state, third - 5),
    )
    return [first, _second_line(state, now, width)]


def _second_line(state: ConsoleState, now: float, width: int) -> Line:
    right: Line = ()
    if state.dropped_input or state.dropped_output:
        right = ((f"{count(state.dropped_input + state.dropped_output, 'frame')} dropped ", "error"),)
    space = width - line_width(right) - 2
    left = endpointing_line(state, now, space)
    if not left and state.latencies.last is not None:
        latency = state.latencies.last
        label = f"turn {latency.number}  "
        left = ((label, "muted"), *latency_line(latency, space - len(label)))
    return justify(((" ", ""), *left), right, width)


# --- panels ----------------------------------------------------------------------------------------------------------


def heading(title: str, width: int, right: Line = ()) -> Line:
    """The title of a panel."""
    return justify(((title, "heading"),), right, width)


def audio_panel(state: ConsoleState, now: float, width: int) -> list[Line]:
    """Levels, the VAD strip, and the end-of-turn countdown."""
    return [
        heading("AUDIO", width),
        (("mic      ", "muted"), *microphone_meter(state, now, width - 9)),
        (("speaker  ", "muted"), *speaker_meter(state, width - 9)),
        (),
        justify((("speech probability", "muted"),), probability(state), width),
        *bars.tall_strip(state.meters.vad_history, width, 3, state.meters.vad_threshold),
        (),
        *_countdown(state.endpointing, now, width),
    ]


def _countdown(countdown: Endpointing | None, now: float, width: int) -> list[Line]:
    if countdown is None:
        return [(("end of turn ", "muted"), ("no countdown", "faint")), (("─" * width, "track"),)]
    left, fraction = _remaining(countdown, now)
    words: Line = (("end of turn ", "muted"), *_certainty(countdown))
    why: Line = ((f"{clean(countdown.why)} ", "faint"),) if countdown.why else ()
    return [
        justify(words, ((f"{left:.2f} s", "value"),), width),
        (*why, *bars.progress(fraction, max(1, width - line_width(why)), "fair")),
    ]


def latency_panel(latency: Latency | None, width: int, height: int, *, live: bool) -> list[Line]:
    """The waterfall of one turn, with a line to spare for what is under it."""
    if latency is None:
        waiting = "From your last word to the agent's first sound: shown here after the first answer."
        text = waiting if live else "The selected turn holds no answer whose wait was measured."
        return [heading("LATENCY", width), *(((text[a:b], "faint"),) for a, b in wrap(text, width))]
    which = "newest" if live else "selected"
    return [
        heading("LATENCY", width, ((f"turn {latency.number}, {which}", "faint"),)),
        *waterfall(latency, width, height - 2),
    ]


def session_panel(state: ConsoleState, width: int) -> list[Line]:
    """The session in numbers."""
    usage = state.usage
    lines: list[Line] = [heading("SESSION", width)]
    if waits := state.waits.get(WHOLE):
        answers: list[Span] = []
        for name, share in (("p50", 0.5), ("p95", 0.95)):
            value = waits.percentile(share)
            gap = "  " if answers else ""
            answers += [(f"{gap}{name} ", "muted"), (seconds(value), grade(value))]
        lines.append(_fact("answers", tuple(answers), width))
    about = "≈" if usage.estimated else ""
    tokens = f"{about}{usage.prompt_tokens:,} in · {about}{usage.completion_tokens:,} out"
    lines.append(_fact("tokens", ((tokens, "value"),), width))
    errors: Line = ((f" · {usage.tool_errors} failed", "error"),) if usage.tool_errors else ()
    lines.append(_fact("tool calls", ((str(usage.tool_calls), "value"), *errors), width))
    lines.append(_fact("interruptions", ((str(usage.interruptions), "value"),), width))
    dropped = state.dropped_input + state.dropped_output
    lines.append(_fact("dropped frames", ((str(dropped), "error bold" if dropped else "value"),), width))
    return lines


def agent_panel(state: ConsoleState, width: int, height: int) -> list[Line]:
    """The agent: its instructions, its tools, its models."""
    lines: list[Line] = [heading("AGENT", width, ((fit(clean(state.agent), width - 8), "agent"),))]
    instructions = clean(state.instructions).strip()
    room = max(2, height - 7 - len(state.tools))
    rows = [instructions[start:end] for start, end in wrap(instructions, width)] if instructions else []
    if len(rows) > room:
        rows = [*rows[: room - 1], fit(rows[room - 1] + " …", width)]
    lines += [((row, "muted"),) for row in rows]
    lines.append(())
    for number, name in enumerate(state.tools):
        lines.append((("tools " if number == 0 else "      ", "faint"), (fit(clean(name), width - 6), "tool")))
    for word, value in (("model", state.model), ("voice", state.voice)):
        if value:
            lines.append(((f"{word} ", "faint"), (fit(clean(value), width - 6), "text")))
    if state.reload_duration is not None:
        lines.append((("code  ", "faint"), (f"reloaded in {seconds(state.reload_duration)}", "text")))
    return lines


def _fact(name: str, value: Line, width: int) -> Line:
    return justify(((name, "muted"),), value, width)
