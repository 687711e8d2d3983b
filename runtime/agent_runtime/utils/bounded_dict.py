"""A dict that forgets the oldest."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

K = TypeVar("K")
V = TypeVar("V")


class BoundedDict(OrderedDict[K, V]):
    """Holds at most `maxsize` entries, any number where it is None: a new one drives out the oldest."""

    def __init__(self, maxsize: int | None = None) -> None:
        if maxsize is not None and maxsize < 1:
            raise ValueError(f"maxsize is {maxsize}; it must be 1 or more")
        super().__init__()
        self.maxsize = maxsize

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        if self.maxsize is not None and len(self) > self.maxsize:
            self.popitem(last=False)

    def update_value(self, key: K, **kwargs: Any) -> V | None:
        """Set these attributes of the value, but for those that are None; None if there is no such key.

        An attribute that the value doesn't have is logged and left out.
        """
        value = self.get(key)
        if value is None:
            return None
        for name, new in kwargs.items():
            if new is None:
                continue
            if hasattr(value, name):
                setattr(value, name, new)
            else:
                logger.warning("a %s has no %s; it isn't set", type(value).__name__, name)
        return value

    def pop_if(self, predicate: Callable[[V], bool] | None = None) -> tuple[K | None, V | None]:
        """Take out the newest entry whose value is so, without a predicate the newest; (None, None) if none is."""
        for key in reversed(self):
            if predicate is None or predicate(self[key]):
                return key, self.pop(key)
        return None, None
