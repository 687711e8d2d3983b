"""Where sentences end.

Every mark that may end a sentence is judged by the text before it and by as little of the text after it as settles the
matter: mostly one character. While that isn't there yet the judgement waits, so a text gives the same sentences however
it is cut into pieces, and each comes out as early as it can.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Final

from agent_runtime.tokenize.abbreviations import BEFORE_NUMBER, LEADING, STARTERS, TRAILING

# ruff: noqa: RUF001 - the marks of many scripts are the subject
_CANDIDATE: Final = re.compile(r"[.!?…。！？｡؟۔।॥]+|\n")
# Marks of scripts that put no space after them, or that mark nothing but a sentence's end
_CERTAIN: Final = frozenset("。！？｡؟۔।॥")
_QUOTES: Final = frozenset("\"'”’»」』")
_CLOSERS: Final = _QUOTES | frozenset(")]}）】》*_")
_UNSPACED: Final = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d]")
_WORD_EDGES: Final = frozenset("([{“‘\"'—–")
_ADDRESS_MARK: Final = re.compile(r"[:/=.@]")
_NEXT_WORD: Final = re.compile(r"\s+[(\[“‘\"']*(\w*)")
_ACRONYM: Final = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]")


class Verdict(Enum):
    """What is known about a mark."""

    ENDS = auto()
    GOES_ON = auto()
    WAIT = auto()
    """More text will tell."""


class SentenceCutter:
    """Cuts one text into sentences as it comes.

    Args:
        min_len: characters that a token has at least; shorter sentences are joined with the next one.
        min_context: characters that are there before anything is judged.
        retain_format: keep all white space, that between two sentences at the beginning of the second one; otherwise
            line breaks become spaces.
        max_len: a token longer than this is not made by joining; a sentence that is longer by itself stays whole.
        markup: don't cut inside an XML element.
    """

    def __init__(
        self,
        *,
        min_len: int = 20,
        min_context: int = 10,
        retain_format: bool = False,
        max_len: int | None = None,
        markup: bool = False,
    ) -> None:
        self._min_len = min_len
        self._min_context = min_context
        self._retain_format = retain_format
        self._max_len = max_len
        self._markup = markup
        self._reset()

    def push(self, text: str) -> list[str]:
        """Take more text and give the tokens that are certain now."""
        self._text += text
        if len(self._text) - self._token_start < self._min_context:
            return []
        return list(self._cut(final=False))

    def flush(self) -> list[str]:
        """Give what is left, and begin a new text."""
        tokens = list(self._cut(final=True))
        rest = self._shown(self._token_start, len(self._text))
        self._reset()
        return [*tokens, rest] if rest else tokens

    def _reset(self) -> None:
        self._text = ""
        self._token_start = 0  # where the next token begins
        self._sentence_start = 0  # where the sentence that is being looked at begins
        self._at = 0  # what is before has been judged

    def _cut(self, *, final: bool) -> Iterator[str]:
        while (end := self._next_end(final=final)) is not None:
            if self._max_len and self._token_start < self._sentence_start and end - self._token_start > self._max_len:
                yield from self._token(self._sentence_start)
            self._sentence_start = end
            token = self._text[self._token_start : end]
            if len(token.strip()) >= self._min_len and not (self._markup and has_open_markup(token)):
                yield from self._token(end)

    def _next_end(self, *, final: bool) -> int | None:
        while match := _CANDIDATE.search(self._text, self._at):
            verdict, end = judge(self._text, self._sentence_start, match, final=final)
            if verdict is Verdict.WAIT:
                self._at = match.start()
                return None
            self._at = end
            if verdict is Verdict.ENDS:
                return end
        self._at = len(self._text)
        return None

    def _token(self, end: int) -> Iterator[str]:
        shown = self._shown(self._token_start, end)
        self._token_start = end
        if shown:
            yield shown

    def _shown(self, start: int, end: int) -> str:
        token = self._text[start:end]
        if self._retain_format:
            return token if token.strip() else ""
        return re.sub(r"\s*\n\s*", " ", token.strip())


def judge(text: str, start: int, mark: re.Match[str], *, final: bool) -> tuple[Verdict, int]:
    """Say whether the sentence that begins at `start` ends with a mark, and where what was judged ends.

    Args:
        text: what is known of the text.
        start: where the sentence begins.
        mark: one or more sentence marks, or a line break.
        final: nothing follows `text`.
    """
    if mark.group() == "\n":
        return _judge_line_break(text, start, mark.start(), final=final)
    end = mark.end()
    while end < len(text) and text[end] in _CLOSERS:
        end += 1
    if end == len(text):
        return (Verdict.ENDS if final else Verdict.WAIT), end
    following = text[end]
    if mark.group()[-1] in _CERTAIN or _UNSPACED.match(following):
        return Verdict.ENDS, end
    if not following.isspace():
        return _judge_glued(text, mark, end)
    quoted = any(closer in _QUOTES for closer in text[mark.end() : end])
    if quoted or "…" in mark.group() or ".." in mark.group():
        # "Stop!" he said; well... maybe
        return _goes_on_if(str.islower, text, end, final=final), end
    if mark.group() == ".":
        return _judge_period(text, start, mark.start(), end, final=final), end
    return Verdict.ENDS, end


def has_open_markup(text: str) -> bool:
    """Whether a text ends inside an XML tag or element."""
    depth = 0
    for match in re.finditer(r"<(?P<close>/?)[A-Za-z][\w:-]*[^<>]*?(?P<alone>/?)>", text):
        if match["close"]:
            depth = max(0, depth - 1)
        elif not match["alone"]:
            depth += 1
    return depth > 0 or re.search(r"<(?:/|[A-Za-z][^<>]*)?\Z", text) is not None


def _judge_line_break(text: str, start: int, at: int, *, final: bool) -> tuple[Verdict, int]:
    """A line break ends a sentence, unless the next line goes on in lower case."""
    after = at
    while after < len(text) and text[after].isspace():
        after += 1
    if not text[start:at].strip():
        return Verdict.GOES_ON, at + 1
    if text.count("\n", at, after) > 1:
        return Verdict.ENDS, at
    if after == len(text) and not final:
        return Verdict.WAIT, at
    if after < len(text) and text[after].islower():
        return Verdict.GOES_ON, after
    return Verdict.ENDS, at


def _judge_glued(text: str, mark: re.Match[str], end: int) -> tuple[Verdict, int]:
    """No space follows: 8.5, example.com, e.g. But a model that forgets one after "Hi!" means a new sentence."""
    address = _ADDRESS_MARK.search(_word_before(text, 0, mark.start()))
    forgotten = mark.group()[-1] in "!?" and text[end].isupper() and address is None
    return (Verdict.ENDS if forgotten else Verdict.GOES_ON), end


def _judge_period(text: str, start: int, dot: int, end: int, *, final: bool) -> Verdict:
    """A single period and a space: most end a sentence, an abbreviation's may not."""
    word = _word_before(text, start, dot)
    folded = word.lower()
    if folded in LEADING:
        return Verdict.GOES_ON
    if folded.isdigit():
        # "1. Buy milk" numbers an item; "in 2024." ends a sentence.
        return Verdict.ENDS if text[start : dot - len(word)].strip() else Verdict.GOES_ON
    if folded in BEFORE_NUMBER:
        return _goes_on_if(str.isdigit, text, end, final=final)
    is_initial = len(word) == 1 and word.isalpha()
    if not is_initial and folded not in TRAILING and not _ACRONYM.fullmatch(word):
        return Verdict.ENDS
    following = _NEXT_WORD.match(text, end)
    if following is None or (following.end() == len(text) and not final):
        return Verdict.WAIT
    return Verdict.ENDS if following.group(1) in STARTERS else Verdict.GOES_ON


def _goes_on_if(sign: Callable[[str], bool], text: str, end: int, *, final: bool) -> Verdict:
    """Let the first character after the white space tell."""
    after = end
    while after < len(text) and text[after].isspace():
        after += 1
    if after == len(text):
        return Verdict.ENDS if final else Verdict.WAIT
    return Verdict.GOES_ON if sign(text[after]) else Verdict.ENDS


def _word_before(text: str, start: int, end: int) -> str:
    at = end
    while at > start and not text[at - 1].isspace() and text[at - 1] not in _WORD_EDGES:
        at -= 1
    return text[at:end]
