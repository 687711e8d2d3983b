"""Values that outlive a reload: connections, caches, loaded models."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")

_lock = threading.RLock()
_values: Final[dict[str, Any]] = {}


def keep(name: str, factory: Callable[[], T]) -> T:
    """Give the value that was kept under `name`; the first call makes it with `factory`.

    A module starts anew when it is reloaded, and so do its variables, but for what it keeps:

        orders = keep("orders", dict)

    The name is the process's: two modules that keep the same name share the value. A factory that raises keeps nothing.
    """
    with _lock:
        if name not in _values:
            _values[name] = factory()
        kept: T = _values[name]
        return kept


def kept_values() -> list[Any]:
    """Everything that is kept."""
    with _lock:
        return list(_values.values())
