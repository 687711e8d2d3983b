"""What text goes through on its way to the voice: marks that are for the eye are taken out.

Each transform takes the text in pieces, cut anywhere, and gives the same text for any cutting. What comes after a piece
may change what it means, so some of it is held back: never more than the mark that is being written, and what it
encloses, at most `MAX_HELD` characters.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from typing import Final, TypeAlias

TextTransform: TypeAlias = Callable[[AsyncIterable[str]], AsyncIterable[str]]

MAX_HELD: Final = 256
"""Characters after which a mark that isn't closed is taken as it is written."""

_WAIT: Final = -1

_SPECIAL: Final = re.compile(r"[*_`~\[!\n]")
_LINE_MARK: Final = re.compile(r"#{1,6}[ \t]+|[ \t]*(?:[-+*]|>)[ \t]+")
_LINE_MARK_BEGUN: Final = re.compile(r"#{0,6}|#{1,6}[ \t]+|[ \t]*(?:[-+*>][ \t]*)?")
_RULE_BEGUN: Final = re.compile(r" {0,3}(?:(?:-[ \t]*)+|(?:\*[ \t]*)+|(?:_[ \t]*)+)")
_RUN: Final = {mark: re.compile(re.escape(mark) + "+") for mark in "*_`~"}
# Scripts that put emphasis without a space beside it
_FLUSH_SCRIPTS: Final = re.compile(
    r"[\u0e00-\u0e7f\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9d]"
)


async def filter_markdown(text: AsyncIterable[str]) -> AsyncIterator[str]:
    """Take Markdown's marks out and leave the words: emphasis, code, headings, lists, quotes, links, images and rules.

    Struck-through text isn't spoken at all. What only looks like a mark stays: 5 * 3, snake_case, an asterisk that
    nothing closes.
    """
    markdown = _Markdown()
    async for piece in text:
        if shown := markdown.push(piece):
            yield shown
    if shown := markdown.flush():
        yield shown


async def filter_emoji(text: AsyncIterable[str]) -> AsyncIterator[str]:
    """Take emoji and pictographs out, with the invisible characters that belong to them. Nothing is held back."""
    after_emoji = False
    async for piece in text:
        if piece.isascii():
            after_emoji = after_emoji and not piece
            yield piece
            continue
        kept = []
        for char in piece:
            if _EMOJI.match(char):
                after_emoji = True
            elif not (after_emoji and _JOINER.match(char)):
                # a joiner between letters shapes them, so it stays there
                after_emoji = False
                kept.append(char)
        if kept:
            yield "".join(kept)


def replace(replacements: Mapping[str, str], case_sensitive: bool = False) -> TextTransform:
    """Make a transform that replaces every occurrence of some texts, the longest where several begin.

    Args:
        replacements: what each becomes. A replacement is not searched again.
        case_sensitive: whether case tells texts apart.
    """
    keys = {key if case_sensitive else _folded(key): value for key, value in replacements.items() if key}
    beginnings = {key[:length] for key in keys for length in range(1, len(key))}
    longest_first = sorted(keys, key=len, reverse=True)

    def replaced(text: str, *, final: bool) -> tuple[str, str]:
        """What is certain, and what is held back."""
        searched = text if case_sensitive else _folded(text)
        shown: list[str] = []
        at = 0
        while at < len(text):
            if not final and searched[at:] in beginnings:
                break
            key = next((key for key in longest_first if searched.startswith(key, at)), None)
            shown.append(text[at] if key is None else keys[key])
            at += 1 if key is None else len(key)
        return "".join(shown), text[at:]

    async def transform(text: AsyncIterable[str]) -> AsyncIterator[str]:
        held = ""
        async for piece in text:
            shown, held = replaced(held + piece, final=False)
            if shown:
                yield shown
        if held:
            yield replaced(held, final=True)[0]

    return transform


class _Markdown:
    """Markdown as it comes. What was shown is forgotten, but for the character that came before."""

    def __init__(self) -> None:
        self._text = ""
        self._at_line_start = True
        self._before = ""  # the character before the text, as it was written

    def push(self, text: str) -> str:
        """Take more text and give what is certain."""
        self._text += text
        return self._advance(final=False)

    def flush(self) -> str:
        """Give what is left."""
        return self._advance(final=True)

    def _advance(self, *, final: bool) -> str:
        shown: list[str] = []
        at = 0
        while at < len(self._text):
            if self._at_line_start:
                end = _line_start(self._text, at, final=final)
                if end == _WAIT:
                    break
                self._at_line_start = False
                self._before = ""
                at = end
                continue
            words, end = _inline(self._text, at, self._before, final=final)
            if end == _WAIT:
                break
            shown.append(words)
            self._before = self._text[end - 1]
            self._at_line_start = self._before == "\n"
            at = end
        self._text = self._text[at:]
        return "".join(shown)


def _line_start(text: str, at: int, *, final: bool) -> int:
    """Where the words of a line begin, after its heading, list or quote marks; a rule has none."""
    end = text.find("\n", at)
    whole = final or end >= 0
    line = text[at:end] if end >= 0 else text[at:]
    if _RULE_BEGUN.fullmatch(line):
        if not whole:
            return _WAIT
        if sum(char in "-*_" for char in line) >= 3:
            return at + len(line)
    if not whole and _LINE_MARK_BEGUN.fullmatch(line):
        return _WAIT
    mark = _LINE_MARK.match(line)
    if mark is None:
        return at
    # a quote may hold a list or another quote
    return _line_start(text, at + mark.end(), final=final) if ">" in mark.group() else at + mark.end()


def _inline(text: str, at: int, before: str, *, final: bool) -> tuple[str, int]:
    """What the text at `at` shows, and where that ends."""
    special = _SPECIAL.search(text, at)
    if special is None:
        return text[at:], len(text)
    if special.start() > at:
        return text[at : special.start()], special.start()
    mark = text[at]
    if mark == "\n":
        return mark, at + 1
    if mark == "!":
        return _image(text, at, final=final)
    if mark == "[":
        return _link(text, at, final=final)
    if mark in "*_" and _in_word(mark, before):
        return mark, at + 1
    run = _RUN[mark].match(text, at)
    width = len(run.group()) if run else 1
    if at + width == len(text) and not final:
        return "", _WAIT
    if mark in "*_":
        return _emphasis(text, at, width, final=final)
    if mark == "~":
        return _struck(text, at, width, final=final)
    if width >= 3:
        return _fence(text, at + width, before, final=final)
    return _code(text, at, width, final=final)


def _emphasis(text: str, at: int, width: int, *, final: bool) -> tuple[str, int]:
    mark, start = text[at], at + width
    if width > 3 or start == len(text) or text[start].isspace():
        return text[at:start], start
    for run in _RUN[mark].finditer(text, start, _line_end(text, start)):
        if len(run.group()) != width or text[run.start() - 1].isspace():
            continue
        after = text[run.end() : run.end() + 1]
        if not after and not final:
            return "", _WAIT
        if not _in_word(mark, after):
            return _shown(text[start : run.start()]), run.end()
    return _unclosed(text, at, start, final=final)


def _fence(text: str, start: int, before: str, *, final: bool) -> tuple[str, int]:
    """A fence shows nothing, nor does the language that stands alone beside it."""
    end = start
    while end < len(text) and not text[end].isspace() and text[end] != "`":
        end += 1
    if end == len(text) and not final:
        return "", _WAIT
    alone = end == len(text) or text[end] == "\n" or (not before and text[end] != "`")
    return "", end if alone else start


def _code(text: str, at: int, width: int, *, final: bool) -> tuple[str, int]:
    """Code shows as it is written, without its marks."""
    start = at + width
    for run in _RUN["`"].finditer(text, start, _line_end(text, start)):
        if run.end() == len(text) and not final:
            return "", _WAIT
        if len(run.group()) == width:
            return text[start : run.start()], run.end()
    return _unclosed(text, at, start, final=final)


def _struck(text: str, at: int, width: int, *, final: bool) -> tuple[str, int]:
    start = at + width
    if width != 2 or start >= len(text) or text[start].isspace():
        return text[at:start], start
    for run in _RUN["~"].finditer(text, start, _line_end(text, start)):
        if run.end() == len(text) and not final:
            return "", _WAIT
        if len(run.group()) == 2 and not text[run.start() - 1].isspace():
            return "", run.end()
    return _unclosed(text, at, start, final=final)


def _image(text: str, at: int, *, final: bool) -> tuple[str, int]:
    """An image shows its description."""
    if at + 1 == len(text) and not final:
        return "", _WAIT
    if text[at + 1 : at + 2] != "[":
        return "!", at + 1
    shown, end = _link(text, at + 1, final=final)
    return (shown, end) if end == _WAIT or text[end - 1] == ")" else ("!", at + 1)


def _link(text: str, at: int, *, final: bool) -> tuple[str, int]:
    """A link shows its words."""
    limit = _line_end(text, at)
    close = text.find("]", at, limit)
    if close < 0:
        return _unclosed(text, at, at + 1, final=final)
    if close + 1 == len(text) and not final:
        return "", _WAIT
    if text[close + 1 : close + 2] != "(":
        return "[", at + 1
    end = text.find(")", close, limit)
    return _unclosed(text, at, at + 1, final=final) if end < 0 else (_shown(text[at + 1 : close]), end + 1)


def _unclosed(text: str, at: int, start: int, *, final: bool) -> tuple[str, int]:
    """A mark that nothing has closed: wait while something may, then show it."""
    may_be_closed = not final and _line_end(text, start) == len(text)
    return ("", _WAIT) if may_be_closed else (text[at:start], start)


def _line_end(text: str, start: int) -> int:
    """How far a mark that opens at `start` is looked for: to the end of its line, and not too far."""
    end = text.find("\n", start, start + MAX_HELD)
    return end if end >= 0 else min(len(text), start + MAX_HELD)


def _shown(text: str) -> str:
    """What the inside of a mark shows."""
    shown: list[str] = []
    at, before = 0, ""
    while at < len(text):
        words, at = _inline(text, at, before, final=True)
        shown.append(words)
        before = text[at - 1]
    return "".join(shown)


def _in_word(mark: str, beside: str) -> bool:
    """Whether a mark with this character beside it stands inside a word, or belongs to a longer run."""
    if mark == "*":
        return beside == "*" or (bool(re.match(r"\w", beside)) and not _FLUSH_SCRIPTS.match(beside))
    return bool(re.match(r"\w", beside))


def _folded(text: str) -> str:
    """The text in lower case, as long as it was: a few letters become two."""
    return "".join(lower if len(lower := char.lower()) == 1 else char for char in text)


# Blocks of https://unicode.org/Public/UNIDATA/Blocks.txt, and the emoji outside of them
_EMOJI: Final = re.compile(
    r"[\U0001f000-\U0001fbff\u2600-\u27bf\u2b00-\u2bff\u231a\u231b\u2328\u23cf\u23e9-\u23fa\u25fd\u25fe\ufe00-\ufe0f\u20e3]"
)
_JOINER: Final = re.compile(r"[\u200d\U000e0020-\U000e007f]")
