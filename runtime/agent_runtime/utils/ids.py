"""Names, identifiers and timestamps."""

from __future__ import annotations

import os
import platform
import time


def shortuuid(prefix: str = "") -> str:
    """An identifier for people to read in logs: the prefix and 12 random hexadecimal digits (48 bits)."""
    return prefix + os.urandom(6).hex()


def time_ms() -> int:
    """Milliseconds since the epoch."""
    return round(time.time() * 1000)


def nodename() -> str:
    """The machine's name in its network."""
    return platform.node()
