"""An immutable sequence that stays cheap to append to when it is long."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar, overload

T = TypeVar("T")

_CHUNK = 128


class Seq(Generic[T]):
    """Full chunks, which versions share, and a short tail.

    Appending or replacing near the end copies the tail and the list of chunks: a few hundred pointers at 10,000 turns.
    """

    __slots__ = ("_chunks", "_tail")

    def __init__(self, chunks: tuple[tuple[T, ...], ...] = (), tail: tuple[T, ...] = ()) -> None:
        self._chunks = chunks
        self._tail = tail

    @classmethod
    def of(cls, items: Iterable[T]) -> Seq[T]:
        """A sequence of what is given."""
        everything = tuple(items)
        whole = len(everything) // _CHUNK * _CHUNK
        return cls(tuple(everything[i : i + _CHUNK] for i in range(0, whole, _CHUNK)), everything[whole:])

    def append(self, item: T) -> Seq[T]:
        """One item more."""
        tail = (*self._tail, item)
        return Seq((*self._chunks, tail), ()) if len(tail) == _CHUNK else Seq(self._chunks, tail)

    def replace(self, index: int, item: T) -> Seq[T]:
        """Another item at `index`, counted from 0."""
        number, offset = divmod(index, _CHUNK)
        if number == len(self._chunks):
            return Seq(self._chunks, _put(self._tail, offset, item))
        chunk = _put(self._chunks[number], offset, item)
        return Seq((*self._chunks[:number], chunk, *self._chunks[number + 1 :]), self._tail)

    def without(self, index: int) -> Seq[T]:
        """The item at `index` left out; costs as many copies as items follow it."""
        start = index // _CHUNK
        rest = Seq.of((*self[start * _CHUNK : index], *self[index + 1 :]))
        return Seq((*self._chunks[:start], *rest._chunks), rest._tail)

    def trim(self, limit: int) -> Seq[T]:
        """Without its oldest chunks, as many as leave at least `limit` items."""
        spare = (len(self) - limit) // _CHUNK
        return Seq(self._chunks[spare:], self._tail) if spare > 0 else self

    def rindex(self, wanted: Callable[[T], bool], *, within: int = sys.maxsize) -> int | None:
        """The index of the last item that is `wanted`, among the last `within`."""
        start = max(0, len(self) - within)
        for offset, chunk in self._backwards():
            for index in range(len(chunk) - 1, max(start - offset, 0) - 1, -1):
                if wanted(chunk[index]):
                    return offset + index
            if offset <= start:
                break
        return None

    def _backwards(self) -> Iterator[tuple[int, tuple[T, ...]]]:
        yield len(self._chunks) * _CHUNK, self._tail
        for number in range(len(self._chunks) - 1, -1, -1):
            yield number * _CHUNK, self._chunks[number]

    def first_difference(self, other: Seq[T]) -> int:
        """Where this differs first from an earlier or later version of it, by identity; skips what they share."""
        number = 0
        for mine, theirs in zip(self._chunks, other._chunks, strict=False):
            if mine is not theirs:
                break
            number += 1
        index = 0
        for mine_now, theirs_now in zip(self._part(number), other._part(number), strict=False):
            if mine_now is not theirs_now:
                break
            index += 1
        return number * _CHUNK + index

    def _part(self, number: int) -> tuple[T, ...]:
        return self._chunks[number] if number < len(self._chunks) else self._tail

    @property
    def last(self) -> T | None:
        """The newest item, if there is any."""
        if self._tail:
            return self._tail[-1]
        return self._chunks[-1][-1] if self._chunks else None

    def __len__(self) -> int:
        return len(self._chunks) * _CHUNK + len(self._tail)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...

    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        number, offset = divmod(index, _CHUNK)
        return self._tail[offset] if number == len(self._chunks) else self._chunks[number][offset]

    def __iter__(self) -> Iterator[T]:
        for chunk in self._chunks:
            yield from chunk
        yield from self._tail

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Seq) and self._chunks == other._chunks and self._tail == other._tail

    def __hash__(self) -> int:
        return hash((self._chunks, self._tail))

    def __repr__(self) -> str:
        return f"Seq({list(self)!r})"


def _put(items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    return (*items[:index], item, *items[index + 1 :])
