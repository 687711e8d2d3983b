"""Replacing words in texts, whole or streamed."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from typing import overload

from agent_runtime.tokenize.tokenizer import is_punctuation
from agent_runtime.tokenize.words import WordCutter


@overload
def replace_words(*, text: str, replacements: Mapping[str, str]) -> str: ...


@overload
def replace_words(*, text: AsyncIterable[str], replacements: Mapping[str, str]) -> AsyncIterable[str]: ...


def replace_words(*, text: str | AsyncIterable[str], replacements: Mapping[str, str]) -> str | AsyncIterable[str]:
    """Replace words, whatever their case; punctuation after a word stays.

    Args:
        text: a whole text, or one that comes in pieces, cut anywhere.
        replacements: what each word becomes, as it is to be written.
    """
    folded = {word.lower(): replacement for word, replacement in replacements.items()}
    if isinstance(text, str):
        cutter = _cutter()
        return "".join(_replaced(word, folded) for word in [*cutter.push(text), *cutter.flush()]) + _trailing(text)
    return _replace_in_stream(text, folded)


async def _replace_in_stream(text: AsyncIterable[str], folded: Mapping[str, str]) -> AsyncIterator[str]:
    cutter, trailing = _cutter(), ""
    async for chunk in text:
        trailing = _trailing(trailing + chunk)
        for word in cutter.push(chunk):
            yield _replaced(word, folded)
    for word in cutter.flush():
        yield _replaced(word, folded)
    if trailing:
        yield trailing


def _cutter() -> WordCutter:
    return WordCutter(ignore_punctuation=False, retain_format=True, split_clauses=False)


def _trailing(text: str) -> str:
    """The white space at the end, which belongs to no word."""
    return text[len(text.rstrip()) :]


def _replaced(spaced: str, folded: Mapping[str, str]) -> str:
    """A word with the white space before it, replaced by the longest key that it is but for punctuation at its end."""
    word = spaced.lstrip()
    end = len(word)
    while word[:end].lower() not in folded:
        if end == 0 or not is_punctuation(word[end - 1]):
            return spaced
        end -= 1
    return spaced[: len(spaced) - len(word)] + folded[word[:end].lower()] + word[end:]
