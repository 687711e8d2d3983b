"""Tells when files have been saved, whatever way an editor saves them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

QUIET: Final = 0.12
"""Seconds without a further change before a save is told: editors write in steps, and formatters save again."""
LONGEST_WAIT: Final = 1.5
"""Seconds after which a change is told though files go on changing."""


class FileWatcher:
    """Watches files from a thread of its own.

    It watches their folders, since an editor that saves atomically puts another file in the old one's place.
    `on_change` is called in the watcher's thread with the files that changed; a burst of saves is one call.
    """

    def __init__(self, files: Iterable[Path], on_change: Callable[[frozenset[Path]], None]) -> None:
        self._files = frozenset(path.resolve() for path in files)
        self._on_change = on_change
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="file-watcher", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self, *, wait: bool = True) -> None:
        """Stop watching; returns once the thread is gone, or at once."""
        self._stop.set()
        if wait and self._thread.is_alive():
            self._thread.join(LONGEST_WAIT)

    def _run(self) -> None:
        try:
            self._watch(force_polling=None)
        except OSError as exc:  # a network file system, or no watches left
            logger.warning("watching files by asking again and again, since the system can't tell: %s", exc)
            self._watch(force_polling=True)

    def _watch(self, *, force_polling: bool | None) -> None:
        from watchfiles import watch

        changes = watch(
            *{path.parent for path in self._files},
            watch_filter=lambda _, path: Path(path).resolve() in self._files,
            step=10,
            debounce=50,
            rust_timeout=int(QUIET * 1000),
            yield_on_timeout=True,
            stop_event=self._stop,
            recursive=False,
            force_polling=force_polling,
            raise_interrupt=False,
        )
        pending: set[Path] = set()
        since = 0.0
        for change in changes:
            if not pending:
                since = time.monotonic()
            pending.update(Path(path).resolve() for _, path in change)
            # An empty change is a timeout: nothing was written for a while.
            if pending and (not change or time.monotonic() - since > LONGEST_WAIT):
                self._tell(pending)
                pending = set()

    def _tell(self, changed: set[Path]) -> None:
        # Between the two steps of an atomic save there is no file; its arrival is a change of its own.
        present = frozenset(path for path in changed if path.exists())
        if present:
            self._on_change(present)
