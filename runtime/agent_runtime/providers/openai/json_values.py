"""Reading JSON that may not be as it should be: a value of the wrong kind counts as missing."""

from __future__ import annotations

import math
from typing import Any


def as_dict(value: object) -> dict[str, Any]:
    """An object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """A list, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: object) -> str:
    """A string, else an empty one."""
    return value if isinstance(value, str) else ""


def as_count(value: object) -> int:
    """A number of things, else 0."""
    return max(0, int(value)) if isinstance(value, int | float) and math.isfinite(value) else 0
