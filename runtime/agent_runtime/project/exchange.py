"""Values in dictionaries that everybody shares, put in place together and put back together."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

MISSING: Final[Any] = object()
"""The value of a key that isn't there."""


class Exchange:
    """Changes to `sys.modules`, to packages' attributes, to the environment, all made or none."""

    def __init__(self) -> None:
        self._changes: list[tuple[MutableMapping[str, Any], str, Any, Any]] = []
        self.in_place = False

    def add(self, where: MutableMapping[str, Any], key: str, before: Any, after: Any) -> None:
        """One more change; `MISSING` stands for a key that isn't there."""
        self._changes.append((where, key, before, after))

    def put_in_place(self) -> None:
        """Every key has its new value."""
        if not self.in_place:
            self.in_place = True
            for where, key, _, after in self._changes:
                _set(where, key, after)

    def settle(self) -> None:
        """It stays in place for good, and what was there before can go."""
        self.put_in_place()
        self._changes.clear()

    def put_back(self) -> None:
        """Every key has its old value."""
        if self.in_place:
            self.in_place = False
            for where, key, before, _ in reversed(self._changes):
                _set(where, key, before)


def _set(where: MutableMapping[str, Any], key: str, value: Any) -> None:
    if value is MISSING:
        where.pop(key, None)
    else:
        where[key] = value
