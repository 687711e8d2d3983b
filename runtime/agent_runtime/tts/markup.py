"""Marks in a text that say how it is spoken: taken out of what is read, and put into a voice's own words.

A language model writes one mark, `<expr type="…" label="…"/>`, whatever the voice: `expression`, `sound`, `break` and
`prosody` stand alone, `prosody` and `spell` may also enclose words. `tts.dialects` has what each voice makes of it.
Text may come in pieces, cut anywhere, and gives the same for any cutting.
"""

from __future__ import annotations

import functools
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, Final

from agent_runtime.tts.dialects import DIALECTS

if TYPE_CHECKING:
    from agent_runtime.tts.dialects import Dialect

MAX_MARK: Final = 256
"""Characters of a mark. What begins like one and is longer is text."""
EXPR: Final = "expr"

_SPACE: Final = " \t"
_ATTRIBUTE: Final = re.compile(r'([\w-]+)\s*=\s*"([^"]*)"')
_STANDS_ALONE: Final = ("expression", "sound", "break")

Replace = Callable[[str], str]
"""A mark as it is written → what is there in its place."""


class MarkReplacer:
    """Replaces marks in a text that comes piece by piece; one that vanishes takes the space it would double along.

    Args:
        names: the marks' names.
        replace: what comes instead.
    """

    def __init__(self, names: Iterable[str], replace: Replace) -> None:
        self._names = tuple(names)
        self._mark = _mark_pattern(self._names)
        self._replace = replace
        self._held = ""
        """What may become a mark."""
        self._before, self._after = "", ""
        """Spaces that aren't shown yet: before a mark that vanished, and after it."""
        self._vanished = False
        """Whether a mark did since the last word."""
        self._at_line_start = True

    def push(self, text: str) -> str:
        """Take more text and give what is certain."""
        return self._advance(self._held + text, final=False)

    def flush(self) -> str:
        """Give what is left. A new text may begin."""
        shown = self._advance(self._held, final=True)
        if not self._vanished:
            shown += self._before
        self._before = self._after = ""
        self._vanished, self._at_line_start = False, True
        return shown

    def _advance(self, text: str, *, final: bool) -> str:
        shown: list[str] = []
        at, self._held = 0, ""
        while at < len(text):
            begin = text.find("<", at)
            if begin != at:
                end = len(text) if begin < 0 else begin
                shown.append(self._words(text[at:end]))
                at = end
            elif (mark := self._mark.match(text, at)) and len(mark[0]) <= MAX_MARK:
                shown.append(self._put(self._replace(mark[0])))
                at = mark.end()
            elif not final and self._may_become_mark(text[at:]):
                self._held = text[at:]
                break
            else:
                shown.append(self._words("<"))
                at += 1
        return "".join(shown)

    def _may_become_mark(self, text: str) -> bool:
        inside = text[1:].removeprefix("/")
        if len(text) >= MAX_MARK or "<" in inside or ">" in inside:
            return False
        return any(
            name.startswith(inside) or (inside.startswith(name) and inside[len(name)] in " \t\r\n/")
            for name in self._names
        )

    def _words(self, text: str) -> str:
        words = text.lstrip(_SPACE)
        spaces = text[: len(text) - len(words)]
        if self._vanished:
            self._after += spaces
        else:
            self._before += spaces
        if not words:
            return ""
        shown = words.rstrip(_SPACE)
        lead = "" if self._vanished and shown.startswith("\n") else self._spaces()
        self._before, self._after, self._vanished = words[len(shown) :], "", False
        self._at_line_start = shown.endswith("\n")
        return lead + shown

    def _put(self, text: str) -> str:
        spaces = self._spaces()
        self._after = ""
        self._vanished = not text
        self._before = "" if text else spaces
        if text:
            self._at_line_start = False
        return spaces + text if text else ""

    def _spaces(self) -> str:
        if not self._vanished:
            return self._before
        return "" if self._at_line_start else self._before or self._after


def stripper() -> MarkReplacer:
    """Takes out every mark, a voice's own that a model made up included; enclosed words stay."""
    return MarkReplacer(_all_names(), lambda mark: "")


def strip_markup(text: str) -> str:
    """The words of a text alone."""
    if "<" not in text:
        return text
    marks = stripper()
    return marks.push(text) + marks.flush()


def strip_expr(text: str) -> str:
    """The same where only `<expr>` is a mark."""
    marks = MarkReplacer((EXPR,), lambda mark: "")
    return marks.push(text) + marks.flush()


def mark_attributes(mark: str) -> dict[str, str]:
    """What a mark says, by name."""
    return dict(_ATTRIBUTE.findall(mark))


def lowering(dialect: Dialect) -> MarkReplacer:
    """Puts `<expr>` into a voice's own words; what the voice can't do vanishes."""
    open_spans: list[str] = []

    def replace(mark: str) -> str:
        if mark.startswith("</"):
            return open_spans.pop() if open_spans else ""
        attributes = mark_attributes(mark)
        kind, label = attributes.get("type", ""), attributes.get("label", "").strip()
        if kind in _STANDS_ALONE or mark.rstrip("> \t\r\n").endswith("/"):
            return dialect.point(kind, label)
        before, after = dialect.span(kind, label)
        open_spans.append(after)
        return before

    return MarkReplacer((EXPR,), replace)


def convert(dialect: Dialect, text: str) -> str:
    """A whole text in a voice's own words."""
    marks = lowering(dialect)
    return marks.push(text) + marks.flush()


def close_marks(text: str) -> str:
    """Close those that stand alone and that a model left open."""

    def closed(match: re.Match[str]) -> str:
        mark = match[0]
        alone = dict(_ATTRIBUTE.findall(mark)).get("type") in _STANDS_ALONE
        return mark if not alone or mark.endswith("/>") else mark[:-1].rstrip() + "/>"

    return re.sub(r"<expr\b[^<>]*>", closed, text)


async def lowered(text: AsyncIterable[str], dialect: Dialect) -> AsyncIterator[str]:
    """Text that comes piece by piece in a voice's own words."""
    marks = lowering(dialect)
    async for piece in text:
        if words := marks.push(piece):
            yield words
    if words := marks.flush():
        yield words


@functools.cache
def _all_names() -> tuple[str, ...]:
    return (EXPR, *sorted({tag for dialect in DIALECTS.values() for tag in dialect.tags}))


@functools.cache
def _mark_pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(rf"</?(?:{'|'.join(map(re.escape, longest_first))})(?=[\s/>])[^<>]*>")
