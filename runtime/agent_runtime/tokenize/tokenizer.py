"""The interfaces of tokenizers: whole texts at once, or a stream of text as a model writes it."""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from agent_runtime.utils.aio import Chan

PUNCTUATIONS: Final = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~±—‘’“”…")  # noqa: RUF001 - curly quotes are meant
"""Punctuation and the symbols that are treated as such."""

_PUNCTUATIONS: Final = frozenset(PUNCTUATIONS)


def is_punctuation(c: str) -> bool:
    """Whether a character is punctuation of any script, or one of the symbols in `PUNCTUATIONS`."""
    return c in _PUNCTUATIONS or unicodedata.category(c).startswith("P")


@dataclass
class TokenData:
    """A sentence or a word, and the id of the text between two flushes that it belongs to."""

    segment_id: str = ""
    token: str = ""


class TokenStream(ABC):
    """Text goes in as it comes, tokens come out as soon as they are certain. Iterate over it to get them."""

    def __init__(self) -> None:
        self._event_ch = Chan[TokenData]()

    @abstractmethod
    def push_text(self, text: str) -> None:
        """Take more text. Raises RuntimeError once it is closed."""

    @abstractmethod
    def flush(self) -> None:
        """End the segment: what is held back comes out as it is. Raises RuntimeError once it is closed."""

    @abstractmethod
    def end_input(self) -> None:
        """Flush, and end the iteration after the last token."""

    @abstractmethod
    async def aclose(self) -> None:
        """End the iteration. What is held back is lost."""

    @property
    def closed(self) -> bool:
        """Whether no more text is taken."""
        return self._event_ch.closed

    def _do_close(self) -> None:
        self._event_ch.close()

    def _check_not_closed(self) -> None:
        if self._event_ch.closed:
            raise RuntimeError(f"{type(self).__module__}.{type(self).__name__} is closed")

    def __aiter__(self) -> AsyncIterator[TokenData]:
        return self

    async def __anext__(self) -> TokenData:
        return await self._event_ch.__anext__()


class SentenceStream(TokenStream):
    """A stream whose tokens are sentences."""


class WordStream(TokenStream):
    """A stream whose tokens are words."""


class SentenceTokenizer(ABC):
    """Cuts text into sentences."""

    @abstractmethod
    def tokenize(self, text: str, *, language: str | None = None) -> list[str]:
        """Give the sentences of a whole text."""

    @abstractmethod
    def stream(self, *, language: str | None = None) -> SentenceStream:
        """Start a stream."""


class WordTokenizer(ABC):
    """Cuts text into words."""

    @abstractmethod
    def tokenize(self, text: str, *, language: str | None = None) -> list[str]:
        """Give the words of a whole text."""

    @abstractmethod
    def stream(self, *, language: str | None = None) -> WordStream:
        """Start a stream."""

    def format_words(self, words: list[str]) -> str:
        """Join words into a text."""
        return " ".join(words)
