"""How much memory this process has."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

_STATM: Final = Path("/proc/self/statm")
_ROLLUP: Final = Path("/proc/self/smaps_rollup")
_SHARE: Final = re.compile(rb"^Pss:\s+(\d+) kB$", re.MULTILINE)
_MB: Final = 2**20
_COUNTED_EVERY: Final = 8


def resident_mb() -> float | None:
    """Megabytes that are in memory; None where the system doesn't tell."""
    try:
        pages = int(_STATM.read_bytes().split()[1])
    except OSError:
        return None
    return round(pages * os.sysconf("SC_PAGE_SIZE") / _MB, 1)


class OwnMemory:
    """Megabytes that are this process's part: of a page that several processes have, each has its share.

    Shares add up to what all take, which resident memory does not where processes were forked from one. Where the
    system doesn't tell shares, all that is in memory counts as this process's.
    """

    def __init__(self) -> None:
        self._asked = 0
        self._of_others = 0.0

    def mb(self) -> float | None:
        """What it is now; None where the system doesn't tell.

        What it takes for itself is seen at once. The others' share changes slowly and takes the system milliseconds to
        count, in which nothing else runs here: it is counted every eighth time.
        """
        resident = resident_mb()
        if resident is None:
            return None
        if self._asked % _COUNTED_EVERY == 0:
            self._of_others = max(0.0, resident - (_share_mb() or resident))
        self._asked += 1
        return round(max(0.0, resident - self._of_others), 1)


def _share_mb() -> float | None:
    try:
        found = _SHARE.search(_ROLLUP.read_bytes())
    except OSError:
        return None
    return int(found[1]) * 1024 / _MB if found else None
