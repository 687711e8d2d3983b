"""Tells a file that is being written from one whose writer was killed: a writer holds a lock as long as it lives."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, Any


def lock(file: IO[Any]) -> None:
    """Lock a file that is open for writing until it is closed. Where files can't be locked it does nothing."""
    if sys.platform == "win32":  # its locks would keep readers out
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return  # a network's file system without locks


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock; False where that can't be found out."""
    if sys.platform == "win32":
        return False
    import fcntl

    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False
