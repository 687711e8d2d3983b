"""Events as lines: when, what, and what they say in plain words; opened, field by field too."""

from __future__ import annotations

from typing import Final

from agent_console.drawing.text import Line, clean, fit, wrap_spans
from agent_console.state.history import Weight, weight
from agent_console.state.sentences import facts, sentence, turn_words
from agent_runtime.events import AnyEvent

_STYLES: Final[dict[Weight, tuple[str, str]]] = {
    "debug": (" ", "faint"),
    "info": ("·", "text"),
    "warning": ("!", "fair"),
    "error": ("✗", "error"),
}
_NAME: Final = 20
_NARROW_NAME: Final = 16
_ROOMY: Final = 70
"""Cells from which names have all the room that they need."""


def name_of(event: AnyEvent) -> str:
    """`turn started`."""
    return event.data.type.replace("_", " ")


def event_lines(event: AnyEvent, width: int, *, opened: bool) -> list[Line]:
    """One line, or as many as it takes to say everything."""
    sign, style = _STYLES[weight(event)]
    name, cells = name_of(event), _NAME
    if width < _ROOMY and not opened:
        name, cells = name.removesuffix(" changed"), _NARROW_NAME
    head: Line = (
        (f"{event.time:7.2f} ", "faint"),
        (f"{sign} ", style),
        (f"{fit(name, cells):<{cells}} ", style),
    )
    said = clean(sentence(event))
    room = max(8, width - 11 - cells)
    if not opened:
        return [(*head, (fit(said, room), "muted"))]
    where = f"{turn_words(event.turn_id or 'no turn')} · seq {event.seq}"
    spans = [(said, "text"), ("\n", ""), (clean(facts(event)), "muted"), ("\n", ""), (where, "faint")]
    body = wrap_spans(spans, width - 5)
    return [head, *((("     ", ""), *line) for line in body)]
