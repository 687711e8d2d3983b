"""Lines of styled text: measured in terminal cells, wrapped, cut and set side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from rich.cells import cell_len, get_character_cell_size

Span: TypeAlias = tuple[str, str]
"""Text and the names of its styles, separated by spaces; the theme says what they look like."""
Line: TypeAlias = tuple[Span, ...]

_UNSAFE: Final = {
    **dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], "\ufffd"),
    # Halves of a character that a decoder broke; no terminal takes them.
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
    # Direction overrides could make text lie about its order.
    **dict.fromkeys([0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd"),
    0x09: " ",
    0x0A: "\n",
    0x0D: " ",
}


_BREAKS: Final = frozenset("/\\:;,.-_=&?)]}")
"""Signs after which a word that is too wide for a line is broken."""


def clean(text: str) -> str:
    """Text that can't steer the terminal; keeps every character's index."""
    return text.translate(_UNSAFE)


def line_width(line: Line) -> int:
    """Cells that a line takes."""
    return sum(cell_len(text) for text, _ in line)


def fit(text: str, width: int) -> str:
    """Text on one line of at most `width` cells; what doesn't fit ends in an ellipsis."""
    text = text.replace("\n", " ")
    if cell_len(text) <= width:
        return text
    if width < 1:
        return ""
    used = 0
    for index, character in enumerate(text):
        used += get_character_cell_size(character)
        if used > width - 1:
            return text[:index].rstrip() + "…"
    return text


def crop(line: Line, width: int) -> Line:
    """A line cut to `width` cells."""
    result: list[Span] = []
    for text, style in line:
        size = cell_len(text)
        if size > width:
            result.append((fit(text, width), style))
            break
        result.append((text, style))
        width -= size
    return tuple(result)


def justify(left: Line, right: Line, width: int) -> Line:
    """Two lines on one, at both ends of `width` cells; the left one gives way."""
    space = width - line_width(right)
    left = crop(left, max(0, space - 1))
    return (*left, (" " * max(0, space - line_width(left)), ""), *right)


def wrap(text: str, width: int) -> list[tuple[int, int]]:
    """Where each line of `text` starts and ends when it is broken at spaces into lines of at most `width` cells.

    A word that is wider than a line is broken inside, after a sign if it has one there, as paths do. Newlines break
    too. There is always at least one line.
    """
    width = max(2, width)
    if len(text) <= width and "\n" not in text and cell_len(text) <= width:
        return [(0, len(text))]
    lines: list[tuple[int, int]] = []
    start = 0
    for paragraph in text.split("\n"):
        lines.extend(_wrap_paragraph(text, start, start + len(paragraph), width))
        start += len(paragraph) + 1
    return lines


def _wrap_paragraph(text: str, start: int, end: int, width: int) -> Iterable[tuple[int, int]]:
    used, index = 0, start
    space: int | None = None
    sign: int | None = None
    while index < end:
        size = get_character_cell_size(text[index])
        if text[index] == " ":
            space = index
        if used + size > width:
            stop = space if space is not None and space > start else sign or index
            yield start, stop
            start = stop
            while start < end and text[start] == " ":
                start += 1
            index, used, space, sign = start, 0, None, None
            continue
        used += size
        index += 1
        if text[index - 1] in _BREAKS:
            sign = index
    yield start, max(start, end)


def wrap_spans(spans: Sequence[Span], width: int) -> list[Line]:
    """Styled text, wrapped as one text."""
    text = "".join(part for part, _ in spans)
    bounds, at = [], 0
    for part, style in spans:
        bounds.append((at, at + len(part), style))
        at += len(part)
    return [
        tuple(
            (text[max(start, first) : min(end, last)], style)
            for first, last, style in bounds
            if max(start, first) < min(end, last)
        )
        for start, end in wrap(text, width)
    ]
