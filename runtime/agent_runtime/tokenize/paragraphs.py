"""Where paragraphs end: at blank lines."""

from __future__ import annotations

import re


def split_paragraphs(text: str) -> list[tuple[str, int, int]]:
    """Give a text's paragraphs without the white space around them, with where they begin and end in it."""
    paragraphs = []
    start = 0
    for end, following in [(gap.start(), gap.end()) for gap in re.finditer(r"\n\s*\n", text)] + [
        (len(text), len(text))
    ]:
        paragraph = text[start:end].strip()
        if paragraph:
            at = text.index(paragraph, start)
            paragraphs.append((paragraph, at, at + len(paragraph)))
        start = following
    return paragraphs
