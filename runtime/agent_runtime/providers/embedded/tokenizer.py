"""How the embedded language model cuts a text into tokens: byte-level byte-pair encoding, from its own file."""

from __future__ import annotations

import mmap
import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final

from agent_runtime.providers.embedded.gguf import Header

MARKS: Final = 4
"""Tokens of ChatML around a message beside its role: two marks and two line ends."""

# Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", 2016, on bytes as in GPT-2. Texts are
# cut into words first, numbers into digits before that; a pair of tokens never spans two words.
_WORD: Final = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W_]+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")


class Tokenizer:
    """Counts tokens as llama.cpp does for this model.

    Args:
        path: a GGUF file.

    Raises:
        ValueError: the file has no byte-level vocabulary with merges.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            values = Header(data).values
        merges = values.get("tokenizer.ggml.merges")
        if values.get("tokenizer.ggml.model") != "gpt2" or not merges:
            raise ValueError(f"{path.name} has no byte-level vocabulary")
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._tokens_of = lru_cache(maxsize=4096)(self._count_word)

    def count(self, text: str) -> int:
        """The tokens of a text; marks in it count as plain text."""
        return sum(self._tokens_of(word) for word in words_of(text))

    def frame(self, role: str) -> int:
        """The tokens around a message."""
        return MARKS + self.count(role)

    def _count_word(self, word: str) -> int:
        parts = [_BYTES[byte] for byte in word.encode("utf-8", "replace")]
        while len(parts) > 1:
            ranks = [self._ranks.get(f"{a} {b}", len(self._ranks)) for a, b in pairwise(parts)]
            first = min(ranks)
            if first == len(self._ranks):
                break
            at = ranks.index(first)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return len(parts)


def words_of(text: str) -> list[str]:
    """The words that a text is cut into: every digit is one, and a word has the space before it."""
    words: list[str] = []
    start = 0
    for index, character in enumerate(text):
        if unicodedata.category(character).startswith("N"):
            words += _WORD.findall(text, start, index)
            words.append(character)
            start = index + 1
    return words + _WORD.findall(text, start)


def _byte_letters() -> list[str]:
    """The letter that stands for each byte: itself where it is printable, one beyond Latin-1 elsewhere."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


_BYTES: Final = _byte_letters()
