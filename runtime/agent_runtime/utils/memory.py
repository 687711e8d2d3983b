"""How much memory this process has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_STATM: Final = Path("/proc/self/statm")
_MB: Final = 2**20


def resident_mb() -> float | None:
    """Megabytes that are in memory; None where the system doesn't tell."""
    try:
        pages = int(_STATM.read_bytes().split()[1])
    except OSError:
        return None
    return round(pages * os.sysconf("SC_PAGE_SIZE") / _MB, 1)
