"""Which files of the project its code reads: prompts, data, whatever is opened while it is loaded and its agent made.

Python tells of every file that is opened through an audit hook. The hook stays for the rest of the process, and does
nothing while nobody records.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypeAlias

from agent_runtime.project.folder import ProjectFolder

Stamp: TypeAlias = tuple[int, int, int] | None
"""Time, size and inode of a file; None where there is none."""

_WRITING: Final = os.O_WRONLY | os.O_RDWR
_CODE: Final = frozenset({".py", ".pyc", ".so", ".pyd"})
_recorders: dict[int, OpenedFiles] = {}
"""By thread."""
_hook_lock = threading.Lock()
_hook_is_there = False


class OpenedFiles:
    """Files that the project's modules have read, with their stamp from before, and by whom."""

    def __init__(self, project: ProjectFolder) -> None:
        self._project = project
        self.stamps: dict[Path, Stamp] = {}
        self.readers: dict[Path, set[Path]] = {}

    @contextlib.contextmanager
    def record(self) -> Iterator[None]:
        """Take note of what this thread opens."""
        _install_hook()
        thread = threading.get_ident()
        before = _recorders.get(thread)
        _recorders[thread] = self
        try:
            yield
        finally:
            if before is None:
                del _recorders[thread]
            else:
                _recorders[thread] = before

    def changed(self) -> set[Path]:
        """Files that aren't any more what they were when they were read."""
        return {file for file, before in self.stamps.items() if stamp(file) != before}

    def take_over(self, other: OpenedFiles, *, readers: set[Path]) -> None:
        """Keep of an earlier version what modules have read that weren't run again."""
        for file, modules in other.readers.items():
            if kept := modules & readers:
                self.stamps.setdefault(file, other.stamps[file])
                self.readers.setdefault(file, set()).update(kept)

    def opened(self, name: Any, mode: Any, flags: int) -> None:
        """A file was opened, by whatever code."""
        if not isinstance(name, str | os.PathLike) or flags & _WRITING or (mode and set(mode) & set("wax+")):
            return
        file = Path(os.path.abspath(os.fspath(name)))
        if file.suffix in _CODE or file not in self._project or not file.is_file():
            return
        reader = self._reader(sys._getframe())
        if reader is not None:
            self.stamps.setdefault(file, stamp(file))
            self.readers.setdefault(file, set()).add(reader)

    def _reader(self, frame: FrameType | None) -> Path | None:
        """The module of the project that opens it, itself or through a library."""
        while frame is not None:
            file = Path(frame.f_code.co_filename)
            if file.suffix == ".py" and file in self._project:
                return file
            frame = frame.f_back
        return None


def stamp(file: Path) -> Stamp:
    """What tells one version of a file from another without reading it."""
    try:
        status = file.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def _install_hook() -> None:
    global _hook_is_there
    with _hook_lock:
        if not _hook_is_there:
            _hook_is_there = True
            sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _recorders and (recorder := _recorders.get(threading.get_ident())) is not None:
        recorder.opened(*arguments)
