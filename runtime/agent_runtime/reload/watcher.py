"""Tells when files have been saved, whatever way an editor saves them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from agent_runtime.project import WatchList
from agent_runtime.project.opened_files import Stamp, stamp

logger = logging.getLogger(__name__)

QUIET: Final = 0.12
"""Seconds without a further change before a save is told: editors write in steps, and formatters save again."""
LONGEST_WAIT: Final = 1.5
"""Seconds after which a change is told though files go on changing."""

GONE_AFTER: Final = 1.0
"""Seconds without a file after which it isn't being saved any more, but gone."""


class FileWatcher:
    """Watches files from a thread of its own.

    It watches their folders, since an editor that saves atomically puts another file in the old one's place.
    `on_change` is called in the watcher's thread with the files that changed; a burst of saves is one call. `on_gone`
    is called there with files that were deleted or moved and stay away.
    """

    def __init__(
        self,
        files: WatchList | Iterable[Path],
        on_change: Callable[[frozenset[Path]], None],
        on_gone: Callable[[frozenset[Path]], None] | None = None,
    ) -> None:
        self._list = _resolved(files)
        self._stamps = _stamps(self._list)
        self._on_change = on_change
        self._on_gone = on_gone
        self._missing: dict[Path, float] = {}
        """Since when each file has been away that may come back."""
        self._lock = threading.Lock()
        self._over = False
        # Set when what is being watched isn't what is to be watched.
        self._again = threading.Event()
        self._thread = threading.Thread(target=self._run, name="file-watcher", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def watch(self, files: WatchList | Iterable[Path]) -> None:
        """Watch these from now on."""
        wanted = _resolved(files)
        with self._lock:
            if wanted != self._list:
                # As they are now, not when the thread comes to it: what is saved in between is a change.
                self._stamps = {**_stamps(wanted), **self._stamps}
                self._list = wanted
                self._again.set()

    def stop(self, *, wait: bool = True) -> None:
        """Stop watching; returns once the thread is gone, or at once."""
        with self._lock:
            self._over = True
            self._again.set()
        if wait and self._thread.is_alive():
            self._thread.join(LONGEST_WAIT)

    def _run(self) -> None:
        force_polling: bool | None = None
        pending: dict[Path, float] = {}
        while True:
            with self._lock:
                self._again.clear()
                if self._over:
                    return
                watched = self._list
                self._stamps = {file: known for file, known in self._stamps.items() if file in watched}
            try:
                self._watch(watched, pending, force_polling)
            except OSError as exc:  # a network file system, or no watches left
                if force_polling:
                    raise
                logger.warning("watching files by asking again and again, since the system can't tell: %s", exc)
                force_polling = True

    def _watch(self, watched: WatchList, pending: dict[Path, float], force_polling: bool | None) -> None:
        """Watch until there is something else to watch."""
        from watchfiles import watch

        folders = watched.folders()
        changes = watch(
            *folders,
            watch_filter=lambda _, path: _resolve(Path(path)) in watched,
            step=10,
            debounce=50,
            rust_timeout=int(QUIET * 1000),
            yield_on_timeout=True,
            stop_event=self._again,
            recursive=False,
            force_polling=force_polling,
            raise_interrupt=False,
        )
        for change in changes:
            now = time.monotonic()
            # An empty change is a timeout: nothing was written for a while, or nothing that the system told of.
            paths = {_resolve(Path(name)) for _, name in change} or (set() if pending else self._unseen())
            pending.update((path, now) for path in paths if path not in pending)
            with self._lock:
                self._stamps.update((path, stamp(path)) for path in paths)
            if pending and ((not change and not paths) or now - min(pending.values()) > LONGEST_WAIT):
                self._tell(pending)
            if self._missing:
                self._tell_missing(now)
            if not change and watched.folders() != folders:
                return  # a folder is gone, or back

    def _unseen(self) -> set[Path]:
        """Files that were saved while nobody looked: before watching began, or while their folder was away."""
        with self._lock:
            now = _stamps(self._list)
            return {path for path, found in now.items() if found != self._stamps.get(path)}

    def _tell(self, pending: dict[Path, float]) -> None:
        # Between the two steps of an atomic save there is no file; its arrival is a change of its own.
        present = frozenset(path for path in pending if path.exists())
        self._missing |= {path: self._missing.get(path, at) for path, at in pending.items() if path not in present}
        pending.clear()
        if present:
            self._on_change(present)

    def _tell_missing(self, now: float) -> None:
        self._missing = {path: since for path, since in self._missing.items() if not path.exists()}
        gone = frozenset(path for path, since in self._missing.items() if now - since > GONE_AFTER)
        for path in gone:
            del self._missing[path]
        if gone and self._on_gone is not None:
            self._on_gone(gone)


def _stamps(files: WatchList) -> dict[Path, Stamp]:
    new = (path for folder in files.any_python for path in folder.glob("*.py"))
    return {path: stamp(path) for path in (*files.files, *files.matches(), *new)}


def _resolved(files: WatchList | Iterable[Path]) -> WatchList:
    watched = files if isinstance(files, WatchList) else WatchList.of(files)
    return WatchList(
        frozenset(_resolve(path) for path in watched.files),
        watched.patterns,
        frozenset(path.resolve() for path in watched.any_python),
    )


def _resolve(path: Path) -> Path:
    """The path with its folder's links followed: an editor may put a file in the place of a link."""
    return path.parent.resolve() / path.name
