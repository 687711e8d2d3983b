"""Draws a state diagram as SVG: states at given places, curved arrows between them, each with what leads along it."""

from __future__ import annotations

import math
from xml.sax.saxutils import escape

Places = dict[str, tuple[int, int]]

USER_PLACES: Places = {
    "SPEAKING": (740, 110),
    "LISTENING": (150, 330),
    "PAUSED": (500, 390),
    "PREDICTING": (1060, 230),
    "ENDPOINTING": (1060, 540),
    "ASIDE": (880, 690),
    "COMMITTING": (500, 690),
    "Any": (130, 690),
    "TALKING": (130, 850),
    "CLOSED": (500, 850),
}
FLOOR_PLACES: Places = {
    "OPEN": (140, 110),
    "REPLYING": (520, 110),
    "SPEAKING": (960, 110),
    "HELD": (960, 450),
    "YIELDING": (520, 450),
    "Any": (140, 310),
    "CLOSED": (140, 480),
}

_WIDTH, _HEIGHT = 142, 44
_BEND = 0.16
_STYLE = (
    "text{font-family:ui-sans-serif,system-ui,'Helvetica Neue',Arial,sans-serif;fill:#1c2430}"
    ".state{fill:#e8eef7;stroke:#48648f;stroke-width:1.6}.any{fill:#f4f1e6;stroke:#8d7b3b;stroke-dasharray:5 4}"
    ".name{font-size:16px;font-weight:600;text-anchor:middle}.arrow{fill:none;stroke:#7a889c;stroke-width:1.5}"
    ".label{font-size:12.5px;text-anchor:middle;paint-order:stroke;stroke:#fbfcfe;stroke-width:5px;stroke-linejoin:round}"
    ".title{font-size:20px;font-weight:600}"
)


def picture(title: str, edges: dict[tuple[str, str], list[str]], places: Places) -> str:
    """The diagram. Raises KeyError for a state that has no place."""
    width = max(x for x, _ in places.values()) + _WIDTH
    height = max(y for _, y in places.values()) + _HEIGHT * 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L10 5L0 10z" fill="#7a889c"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#fbfcfe"/>',
        f'<text class="title" x="30" y="44">{escape(title)}</text>',
    ]
    curves = [_curve(places[source], places[to]) for source, to in edges]
    parts += [f'<path class="arrow" marker-end="url(#tip)" d="{path}"/>' for path, _ in curves]
    parts += [_state(name, place) for name, place in places.items()]
    for (_, at), inputs in zip(curves, edges.values(), strict=True):
        parts.append(_label(at, inputs))
    return "\n".join([*parts, "</svg>", ""])


def _state(name: str, place: tuple[int, int]) -> str:
    x, y = place
    kind = "state any" if name == "Any" else "state"
    corner = f'x="{x - _WIDTH // 2}" y="{y - _HEIGHT // 2}"'
    return (
        f'<rect class="{kind}" {corner} width="{_WIDTH}" height="{_HEIGHT}" rx="10"/>'
        f'<text class="name" x="{x}" y="{y + 6}">{name}</text>'
    )


def _curve(source: tuple[int, int], to: tuple[int, int]) -> tuple[str, tuple[float, float]]:
    """An arrow that bends to its left, so that the two directions lie apart; and the place of its label."""
    (x0, y0), (x1, y1) = source, to
    middle = ((x0 + x1) / 2 + (y1 - y0) * _BEND, (y0 + y1) / 2 - (x1 - x0) * _BEND)
    start, end = _border(source, middle), _border(to, middle)
    path = f"M{start[0]:.0f} {start[1]:.0f}Q{middle[0]:.0f} {middle[1]:.0f} {end[0]:.0f} {end[1]:.0f}"
    t = 0.34
    at = tuple((1 - t) ** 2 * a + 2 * t * (1 - t) * m + t**2 * b for a, m, b in zip(start, middle, end, strict=True))
    return path, (at[0], at[1])


def _border(place: tuple[int, int], towards: tuple[float, float]) -> tuple[float, float]:
    """Where a line from the middle of a state leaves it."""
    dx, dy = towards[0] - place[0], towards[1] - place[1]
    scale = min(
        (_WIDTH / 2 + 3) / abs(dx) if dx else math.inf,
        (_HEIGHT / 2 + 3) / abs(dy) if dy else math.inf,
    )
    return place[0] + dx * scale, place[1] + dy * scale


def _label(at: tuple[float, float], inputs: list[str]) -> str:
    x, y = at[0], at[1] - 7 * (len(inputs) - 1) + 4
    lines = [f'<text class="label" x="{x:.0f}" y="{y + 15 * i:.0f}">{name}</text>' for i, name in enumerate(inputs)]
    return "".join(lines)
