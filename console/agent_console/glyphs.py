"""For terminals without UTF-8: every glyph that can't be shown becomes an ASCII one of the same width."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from rich.cells import get_character_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

ASCII: Final[Mapping[str, str]] = {
    **dict.fromkeys("─┄┈╌⎯▔", "-"),
    **dict.fromkeys("━═╸╺▄▅▀", "="),
    **dict.fromkeys("│┃║▎▍▌▐▕┆┊‖", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯┏┓┗┛╔╗╚╝✓", "+"),
    **dict.fromkeys("▆▇█▉▊▋", "#"),
    **dict.fromkeys("▁▂…", "."),
    **dict.fromkeys("▃·\u2212\u2013\u2014", "-"),
    **dict.fromkeys("●◆■▶•", "*"),
    **dict.fromkeys("○◇□◌", "o"),
    **dict.fromkeys("→▸≥\u276f\u203a", ">"),
    **dict.fromkeys("\u2018\u2019", "'"),
    **dict.fromkeys("\u201c\u201d", '"'),
    **dict.fromkeys("▏°", " "),
    "✗": "x",
    "≈": "~",
    "←": "<",
    "↓": "v",
    "↑": "^",
}


def is_unicode(encoding: str | None) -> bool:
    """Whether a terminal of this encoding shows everything that we draw."""
    try:
        return codecs.lookup(encoding or "ascii").name.startswith("utf")
    except LookupError:
        return False


class PlainGlyphs(LineFilter):
    """Replaces what `encoding` can't carry, in everything that the app paints."""

    def __init__(self, encoding: str | None) -> None:
        super().__init__()
        try:
            self._encoding = codecs.lookup(encoding or "ascii").name
        except LookupError:
            self._encoding = "ascii"

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """See `LineFilter.apply`."""
        return [
            segment if segment.text.isascii() else Segment(plain(segment.text, self._encoding), segment.style)
            for segment in segments
        ]


@lru_cache(4096)
def plain(text: str, encoding: str = "ascii") -> str:
    """The text in characters of `encoding`, as wide as it was."""
    return "".join(_plain_character(character, encoding) for character in text)


def _plain_character(character: str, encoding: str) -> str:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        width = get_character_cell_size(character)
        letter = unicodedata.normalize("NFKD", character)[0]
        return ASCII.get(character) or (letter.ljust(width)[:width] if letter.isascii() else "?" * width)
    return character


def terminal_encoding(environ: Mapping[str, str], stream_encoding: str | None) -> str:
    """The encoding that a terminal most likely has.

    Python's UTF-8 mode and its locale coercion hide a plain C locale behind `utf-8`, so the variables that a person
    sets are asked first: the first of `LC_ALL`, `LC_CTYPE`, `LANG` that is set decides. A `LC_CTYPE` of `C.UTF-8`
    beside `LANG=C` is Python's own coercion.
    """
    if environ.get("TERM") == "dumb":
        return "ascii"
    coerced = environ.get("LC_CTYPE") == "C.UTF-8" and environ.get("LANG") in ("C", "POSIX")
    names = ("LC_ALL", "LANG") if coerced else ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next((environ[name] for name in names if environ.get(name)), "")
    if locale in ("C", "POSIX"):
        return "ascii"
    return stream_encoding or "ascii"
