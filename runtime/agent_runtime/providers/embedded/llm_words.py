"""How alike two words are, by the vectors that a language model's file holds for its tokens: no computation needed."""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agent_runtime.providers.embedded.gguf import Header

Vector = npt.NDArray[np.float32]

FREQUENT = 3000
"""Tokens are numbered from the most to the least frequent; a word of this number weighs one half."""

FUNCTION_WORD = 0.05
"""What a function word weighs."""

_FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an the to of in on at for and or is it i you me my we do does did be am are was were this that "
        "with please can could would will shall there here from by as if so up what",
    )
)
_SPACE = "Ġ"  # how a byte-level vocabulary writes the space before a word
_Q8_0_BYTES, _BLOCK = 34, 32


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case, without what is contracted to them ("what's" is "what")."""
    text = re.sub(r"['\u2019](s|re|ll|d|m|ve)\b", " ", text.lower())
    return re.findall(r"[a-z]+|\d+", text.replace("n't", " not"))


class WordVectors:
    """Word vectors from the token embeddings of a GGUF file.

    The mean and the two main directions, which tell how frequent a token is and not what it means, are taken out of
    them: Mu and Viswanath, "All-but-the-Top", 2018.
    """

    def __init__(self, path: Path) -> None:
        """Read the vocabulary (0.1 s) and find what is to be taken out (0.2 s). The vectors stay in the file.

        Raises:
            ValueError: the file has no token embeddings as Q8_0.
        """
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        header = Header(self._map)
        size, count, offset = header.embeddings()
        self._tokens = {token: number for number, token in enumerate(header.tokens)}
        rows = np.frombuffer(self._map, np.uint8, count * size // _BLOCK * _Q8_0_BYTES, offset)
        self._rows = rows.reshape(count, size // _BLOCK, _Q8_0_BYTES)
        sample = self._embeddings(np.arange(0, count, 8))
        self._mean = sample.mean(axis=0)
        centered = sample - self._mean
        self._main = np.linalg.eigh(centered.T @ centered)[1][:, -2:]
        self._known: dict[str, tuple[Vector, float]] = {}

    def vector(self, word: str) -> Vector:
        """A unit vector for a word in lower case. One that is several tokens gets their mean."""
        return self._look_up(word)[0]

    def weight(self, word: str) -> float:
        """How much a word tells, from 0 to 1: function words nothing, rare words most."""
        return FUNCTION_WORD if word in _FUNCTION_WORDS else self._look_up(word)[1]

    def similarity(self, a: str, b: str) -> float:
        """From 0 to 1; forms of one word count as nearly the same."""
        if a == b:
            return 1.0
        if stem(a) == stem(b):
            return 0.95
        return max(0.0, float(self.vector(a) @ self.vector(b)) - 0.05) / 0.95

    def mean(self, words: list[str]) -> Vector:
        """The weighted mean direction of some words."""
        total = np.sum([self.weight(word) * self.vector(word) for word in words], axis=0)
        return np.asarray(total / (np.linalg.norm(total) + 1e-6), np.float32)

    def _look_up(self, word: str) -> tuple[Vector, float]:
        if word not in self._known:
            ids = self._split(word)
            vectors = self._embeddings(np.array(ids)) - self._mean
            vectors -= (vectors @ self._main) @ self._main.T
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            vector = vectors.mean(axis=0)
            rarest = max(ids)
            self._known[word] = vector / np.linalg.norm(vector), rarest / (rarest + FREQUENT)
        return self._known[word]

    def _split(self, word: str) -> list[int]:
        """The longest tokens that make up a word, from its beginning."""
        ids, rest = [], _SPACE + word
        while rest:
            length = next(n for n in range(len(rest), 0, -1) if rest[:n] in self._tokens)
            ids.append(self._tokens[rest[:length]])
            rest = rest[length:]
        return ids

    def _embeddings(self, ids: npt.NDArray[Any]) -> Vector:
        blocks = self._rows[ids]
        scales = np.ascontiguousarray(blocks[..., :2]).view(np.float16).astype(np.float32)
        values: Vector = (blocks[..., 2:].view(np.int8) * scales).reshape(len(ids), -1)
        return values


def stem(word: str) -> str:
    """A word without the endings that its forms have."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending).rstrip("e")
    return word.rstrip("e") if len(word) > 3 else word
