"""Serving while the code changes: each save starts a worker with the new code, and the one before drains.

Conversations go on with the code that they began with; the next job runs what was saved. Code that doesn't start
leaves the worker before it in its place.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Final

from agent_runtime import compat
from agent_runtime.project import WatchList
from agent_runtime.project.folder import ProjectFolder
from agent_runtime.reload import FileWatcher

READY_VARIABLE: Final = "AGENT_RUNTIME_READY_FD"
"""Names the pipe by which a worker tells that it is registered."""
_POLL: Final = 0.2
"""Seconds between two looks at whether the worker still runs."""
_ORPHAN_POLL: Final = 1.0
"""Seconds between two looks at whether the parent does."""


def serve_reloading(file: Path, arguments: Sequence[str]) -> int:
    """Serve `python FILE ARGUMENTS --no-reload`, anew at each save, until it is told to stop; the last exit code."""
    as_livekit = ["-m", "agent_runtime.compat"] if compat.is_installed() else []
    command = [sys.executable, *as_livekit, str(file), *arguments, "--no-reload"]
    saved: SimpleQueue[frozenset[Path]] = SimpleQueue()
    folders = frozenset(ProjectFolder(file.resolve()).folders())
    watcher = FileWatcher(WatchList(frozenset({file.resolve()}), any_python=folders), saved.put)
    watcher.start()
    try:
        return _Succession(command).run(saved)
    finally:
        watcher.stop()


class _Succession:
    """The present worker, and those before it that still have jobs."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._present: subprocess.Popen[bytes] | None = None
        self._workers: list[subprocess.Popen[bytes]] = []
        """All that may still run."""
        self._stopped = threading.Event()

    def run(self, saved: SimpleQueue[frozenset[Path]]) -> int:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        self._present = self._start()
        while not self._stopped.is_set():
            self._workers = [worker for worker in self._workers if worker.poll() is None]
            try:
                files = saved.get(timeout=_POLL)
            except Empty:
                if self._present is not None and (code := self._present.poll()) is not None:
                    _say(f"the worker ended with {code}: it is started again at the next save")
                    self._present = None
                continue
            _say(f"{', '.join(sorted(path.name for path in files))} saved")
            self._replace()
        for worker in self._workers:
            worker.wait()
        return self._present.wait() if self._present is not None else 0

    def _start(self) -> subprocess.Popen[bytes] | None:
        """A worker that is registered; None if it doesn't get that far."""
        reading, writing = os.pipe()
        try:
            environment = os.environ | {READY_VARIABLE: str(writing)}
            # In a group of its own, so that the terminal's ctrl+c comes here alone and is passed on once.
            worker = subprocess.Popen(self._command, env=environment, pass_fds=[writing], process_group=0)
        finally:
            os.close(writing)
        self._workers.append(worker)
        if self._stopped.is_set():
            worker.send_signal(signal.SIGINT)
        with os.fdopen(reading, "rb") as ready:
            registered = bool(ready.read(1))  # nothing is read where the worker ends before
        if not registered:
            worker.wait()
        return worker if registered else None

    def _replace(self) -> None:
        new = self._start()
        if new is None:
            _say(f"the saved code doesn't run: {'the worker before goes on' if self._present else 'save it again'}")
            return
        old, self._present = self._present, new
        if old is not None:
            old.send_signal(signal.SIGTERM)  # it drains

    def _stop(self, number: int, frame: FrameType | None) -> None:
        again = self._stopped.is_set()
        self._stopped.set()
        for worker in self._workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGKILL if again else signal.SIGINT)
        if again:
            os._exit(128 + number)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Parent:
    """What a worker that was started by `serve_reloading` owes to its parent; nothing to nobody without one."""

    def __init__(self) -> None:
        descriptor = os.environ.pop(READY_VARIABLE, None)
        self._descriptor = None if descriptor is None else int(descriptor)
        self._parent = os.getppid()
        if self._descriptor is not None:
            os.set_inheritable(self._descriptor, False)

    @property
    def exists(self) -> bool:
        """Whether there is a parent that waits."""
        return self._descriptor is not None

    def tell_ready(self) -> None:
        """The worker is registered. To say so again does nothing."""
        if self._descriptor is not None:
            os.write(self._descriptor, b".")
            os.close(self._descriptor)
            self._descriptor = None

    async def gone(self) -> None:
        """Wait until the parent is dead: nobody would end this worker then."""
        while os.getppid() == self._parent:  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(_ORPHAN_POLL)
