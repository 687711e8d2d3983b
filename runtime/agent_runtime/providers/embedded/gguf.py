"""The beginning of a GGUF file, which holds a model's weights: its vocabulary, and where its token embeddings are."""

from __future__ import annotations

import mmap
import struct
from typing import Any

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_Q8_0 = 8


class Header:
    """What a file says of itself (GGUF v3).

    Raises ValueError if it isn't one.
    """

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 4
        if data[:4] != b"GGUF":
            raise ValueError("it is not a GGUF file")
        self._read("I")  # the version
        self._tensors, pairs = self._read("Q"), self._read("Q")
        self.values: dict[str, Any] = {self._string(): self._value(self._read("I")) for _ in range(pairs)}
        self._end = self._at

    @property
    def tokens(self) -> list[str]:
        """The vocabulary; a token's number is its place."""
        tokens: list[str] = self.values["tokenizer.ggml.tokens"]
        return tokens

    def embeddings(self) -> tuple[int, int, int]:
        """How long a token's vector is, how many there are, and where in the file they begin.

        Raises ValueError if there are none as Q8_0.
        """
        found = None
        self._at = self._end
        for _ in range(self._tensors):
            name = self._string()
            sizes = [self._read("Q") for _ in range(self._read("I"))]
            kind, offset = self._read("I"), self._read("Q")
            if name == "token_embd.weight" and kind == _Q8_0:
                found = sizes[0], sizes[1], offset
        if found is None:
            raise ValueError("its token embeddings are not stored as Q8_0")
        alignment = self.values.get("general.alignment", 32)
        start = -(-self._at // alignment) * alignment
        return found[0], found[1], start + found[2]

    def _read(self, form: str) -> Any:
        (value,) = struct.unpack_from("<" + form, self._data, self._at)
        self._at += struct.calcsize("<" + form)
        return value

    def _string(self) -> str:
        length = self._read("Q")
        self._at += length
        return self._data[self._at - length : self._at].decode(errors="replace")

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            kind, count = self._read("I"), self._read("Q")
            return [self._value(kind) for _ in range(count)]
        return self._read(_SCALARS[kind])
