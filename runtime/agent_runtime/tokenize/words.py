"""Where words end."""

from __future__ import annotations

import re
from typing import Final

from agent_runtime.tokenize.tokenizer import is_punctuation

# ruff: noqa: RUF001, RUF003 - the marks of many scripts are the subject
_CLAUSE_MARKS: Final = frozenset("，。！？；：、")
_CJK: Final = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_CHARACTER_WORD: Final = re.compile(rf"[{_CJK}\u0e00-\u0e7f]")
"""Scripts without spaces, Thai included."""
_BEFORE_CLAUSE_MARK: Final = re.compile(rf"[{_CJK}\u3000-\u303f\uf900-\ufaff\uac00-\ud7af\uff00-\uffef]")

Word = tuple[str, int, int]
"""A word, and where it begins and ends in its text."""


class WordCutter:
    """Cuts one text into words as it comes.

    Args:
        ignore_punctuation: take the punctuation out of the words; a word of nothing else is left out.
        split_character: each character of a script without spaces (Chinese, Japanese, Thai) is a word.
        retain_format: a word keeps the white space before it.
        split_clauses: full-width punctuation after such a script ends a word too, and stays on it.
    """

    def __init__(
        self,
        *,
        ignore_punctuation: bool = True,
        split_character: bool = False,
        retain_format: bool = False,
        split_clauses: bool = True,
    ) -> None:
        self._ignore_punctuation = ignore_punctuation
        self._split_character = split_character
        self._retain_format = retain_format
        self._split_clauses = split_clauses
        self._reset()

    def push(self, text: str) -> list[str]:
        """Take more text and give the words that have ended."""
        return [word for word, _, _ in self.push_spans(text)]

    def flush(self) -> list[str]:
        """Give the last word, and begin a new text."""
        return [word for word, _, _ in self.flush_spans()]

    def push_spans(self, text: str) -> list[Word]:
        """Take more text and give the words that have ended, with their places in the whole text."""
        words: list[Word] = []
        for char in text:
            self._take(char, words)
        return words

    def flush_spans(self) -> list[Word]:
        """Give the last word with its place, and begin a new text."""
        words: list[Word] = []
        self._end_word(words)
        self._reset()
        return words

    def _reset(self) -> None:
        self._pending = ""  # the word so far
        self._at = 0  # where the next character is
        self._previous = ""
        self._clause_ended = False  # the word so far ends with a clause mark; another one may follow

    def _take(self, char: str, words: list[Word]) -> None:
        if self._ends_clause(char):
            self._clause_ended = True
            self._add(char)
        elif char.isspace():
            if self._pending.strip():
                self._end_word(words)
            self._add(char)
            if not self._retain_format:
                self._pending = ""
        else:
            is_word = self._split_character and _CHARACTER_WORD.match(char) is not None
            if self._clause_ended or (is_word and self._pending.strip()):
                self._end_word(words)
            self._add(char)
            if is_word:
                self._end_word(words)

    def _add(self, char: str) -> None:
        self._pending += char
        self._previous = char
        self._at += 1

    def _ends_clause(self, char: str) -> bool:
        if not self._split_clauses or char not in _CLAUSE_MARKS or not _BEFORE_CLAUSE_MARK.match(self._previous):
            return False
        # １，０００ and １０：３０ are one number
        return not (char in "，：" and self._previous.isdigit())

    def _end_word(self, words: list[Word]) -> None:
        word = self._pending
        if self._ignore_punctuation:
            word = "".join(char for char in word if not is_punctuation(char))
        if word.strip():
            words.append((word, self._at - len(self._pending), self._at))
        self._pending = ""
        self._clause_ended = False


def split_words(
    text: str,
    *,
    ignore_punctuation: bool = True,
    split_character: bool = False,
    retain_format: bool = False,
    split_cjk_clauses: bool = False,
) -> list[Word]:
    """Give a text's words with where they begin and end in it; the options are those of `WordCutter`."""
    cutter = WordCutter(
        ignore_punctuation=ignore_punctuation,
        split_character=split_character,
        retain_format=retain_format,
        split_clauses=split_cjk_clauses,
    )
    return [*cutter.push_spans(text), *cutter.flush_spans()]
