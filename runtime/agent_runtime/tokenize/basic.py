"""Tokenizers by rules, without models or data. The rules know English best; other scripts' marks are known too."""

from __future__ import annotations

from agent_runtime.tokenize import tokenizer
from agent_runtime.tokenize.hyphenation import hyphenate_word
from agent_runtime.tokenize.paragraphs import split_paragraphs
from agent_runtime.tokenize.sentences import SentenceCutter
from agent_runtime.tokenize.streams import CutterSentenceStream, CutterWordStream
from agent_runtime.tokenize.words import WordCutter, split_words

__all__ = ["SentenceTokenizer", "WordTokenizer", "hyphenate_word", "split_words", "tokenize_paragraphs"]


class SentenceTokenizer(tokenizer.SentenceTokenizer):
    """Cuts text into sentences.

    Args:
        language: kept for LiveKit Agents' signature; the rules are the same for every language.
        min_sentence_len: characters; shorter sentences are joined with the next one.
        stream_context_len: characters that are there before a stream cuts anything.
        retain_format: keep line breaks and the white space between sentences.
    """

    def __init__(
        self,
        *,
        language: str = "english",
        min_sentence_len: int = 20,
        stream_context_len: int = 10,
        retain_format: bool = False,
    ) -> None:
        self._min_sentence_len = min_sentence_len
        self._stream_context_len = stream_context_len
        self._retain_format = retain_format

    def tokenize(self, text: str, *, language: str | None = None) -> list[str]:
        """Give the sentences of a whole text."""
        cutter = self._cutter()
        return [*cutter.push(text), *cutter.flush()]

    def stream(self, *, language: str | None = None) -> tokenizer.SentenceStream:
        """Start a stream."""
        return CutterSentenceStream(self._cutter())

    def _cutter(self) -> SentenceCutter:
        return SentenceCutter(
            min_len=self._min_sentence_len,
            min_context=self._stream_context_len,
            retain_format=self._retain_format,
        )


class WordTokenizer(tokenizer.WordTokenizer):
    """Cuts text into words.

    Args:
        ignore_punctuation: take the punctuation out of the words.
        split_character: each character of a script without spaces is a word.
        retain_format: a word keeps the white space before it.
    """

    def __init__(
        self, *, ignore_punctuation: bool = True, split_character: bool = False, retain_format: bool = False
    ) -> None:
        self._ignore_punctuation = ignore_punctuation
        self._split_character = split_character
        self._retain_format = retain_format

    def tokenize(self, text: str, *, language: str | None = None) -> list[str]:
        """Give the words of a whole text."""
        cutter = self._cutter()
        return [*cutter.push(text), *cutter.flush()]

    def stream(self, *, language: str | None = None) -> tokenizer.WordStream:
        """Start a stream."""
        return CutterWordStream(self._cutter())

    def _cutter(self) -> WordCutter:
        return WordCutter(
            ignore_punctuation=self._ignore_punctuation,
            split_character=self._split_character,
            retain_format=self._retain_format,
        )


def tokenize_paragraphs(text: str) -> list[str]:
    """Give the paragraphs of a text, which blank lines part."""
    return [paragraph for paragraph, _, _ in split_paragraphs(text)]
