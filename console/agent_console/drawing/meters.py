"""The meters panel: what is heard, how sure the detectors are, and what the turn waits for."""

from __future__ import annotations

from math import ceil
from typing import Final

from agent_console.drawing import bars, status
from agent_console.drawing.health import echo
from agent_console.drawing.text import Line, clean, justify, wrap_spans
from agent_console.state import ConsoleState, Endpointing

_ROOMY: Final = 22
"""Rows from which there are blank lines and a scale."""


def meter_lines(state: ConsoleState, now: float, width: int, height: int) -> list[Line]:
    """The whole panel; closer together where there is little room."""
    roomy = height >= _ROOMY
    gap: list[Line] = [()] if roomy else []
    meters = state.meters
    held = f"peak {meters.held_peak:.0f} dB" if meters.held_peak > bars.FLOOR else ""
    dropped = state.dropped_input + state.dropped_output
    if (hint := _nothing_heard(state)) is not None:
        return [
            (("MICROPHONE", "heading"),),
            *wrap_spans([(hint, "muted")], width),
            (),
            (("SPEAKER", "heading"),),
            status.speaker_meter(state, width),
        ]
    return [
        justify((("MICROPHONE", "heading"),), ((held, "faint"),), width),
        status.microphone_meter(state, now, width),
        *([_scale(width - 7)] if roomy else []),
        *gap,
        (("SPEAKER", "heading"),),
        status.speaker_meter(state, width),
        *gap,
        justify((("SPEECH", "heading"),), status.probability(state), width),
        *bars.tall_strip(meters.vad_history, width, 5 if roomy else 3, meters.vad_threshold),
        *gap,
        *_end_of_turn(state.endpointing, now, width),
        *gap,
        justify((("echo cancellation", "muted"),), echo(state.health.echo), width),
        justify((("dropped frames", "muted"),), _dropped(state) if dropped else (("none", "good"),), width),
    ]


def _nothing_heard(state: ConsoleState) -> str | None:
    """Why there is nothing to measure, and what to do; None while there is."""
    if state.room.here:
        return None
    if state.mode == "text":
        return "Not used: you type. Started without --text, the console listens."
    if state.microphone.state == "unavailable":
        return "None was found. Plug one in and pick it with d, or go on by typing."
    return None


def _scale(width: int) -> Line:
    """Decibels under a level bar."""
    cells = [" "] * width
    for level in (-60, -40, -20, 0):
        text = str(level)
        at = min(width - len(text), round(bars.level(float(level)) * width))
        cells[max(0, at) : max(0, at) + len(text)] = text
    return (("".join(cells)[:width], "faint"),)


def _end_of_turn(countdown: Endpointing | None, now: float, width: int) -> list[Line]:
    if countdown is None:
        return [
            justify((("END OF TURN", "heading"),), (("no countdown", "faint"),), width),
            (("─" * width, "track"),),
        ]
    left = max(0.0, countdown.deadline - now)
    lines = [
        justify((("END OF TURN", "heading"),), ((f"in {ceil(left * 100) / 100:.2f} s", "value bold"),), width),
        bars.progress(left / countdown.delay if countdown.delay > 0 else 0.0, width, "fair"),
    ]
    if countdown.probability is not None and countdown.threshold is not None:
        sure = countdown.probability >= countdown.threshold
        verdict = "seems done" if sure else "might go on"
        sign = "≥" if sure else "<"
        numbers = f"{countdown.probability:.2f} {sign} {countdown.threshold:.2f}"
        lines.append(
            justify((("turn detector ", "muted"), (verdict, "good" if sure else "fair")), ((numbers, "value"),), width)
        )
        bar = bars.progress(countdown.probability, width, "good" if sure else "fair")
        lines.append(_at(bar, min(width - 1, int(countdown.threshold * width))))
    if countdown.why:
        lines.append(
            justify(
                (("waits for ", "muted"), (clean(countdown.why), "text")),
                ((f"{countdown.delay:.2f} s", "muted"),),
                width,
            )
        )
    return lines


def _at(bar: Line, cell: int) -> Line:
    cells = [(character, style) for text, style in bar for character in text]
    cells[cell] = ("│", "peak")
    return bars.merge(cells)


def _dropped(state: ConsoleState) -> Line:
    return ((f"✗ {state.dropped_input:,} in · {state.dropped_output:,} out", "bad bold"),)
