"""The files of a project whose change means new code."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

from agent_runtime.records import record


@record(frozen=True, slots=True)
class WatchList:
    """What to watch.

    Args:
        files: files, there or not.
        patterns: glob patterns of more of them, with their folders in front.
        any_python: folders in which every Python file counts: something that was imported isn't there yet.
    """

    files: frozenset[Path]
    patterns: frozenset[str] = frozenset()
    any_python: frozenset[Path] = frozenset()

    def __contains__(self, path: Path) -> bool:
        if path in self.files:
            return True
        if path.parent in self.any_python and (path.suffix == ".py" or path.is_dir()):
            return True
        return bool(self.patterns) and path in self.matches()

    def matches(self) -> set[Path]:
        """The files that the patterns stand for now."""
        found = (Path(name) for pattern in self.patterns for name in glob.iglob(pattern, recursive=True))
        return {path for path in found if path.is_file()}

    def folders(self) -> frozenset[Path]:
        """The folders that hold them, those that are there."""
        found = {path.parent for path in (*self.files, *self.matches())} | self.any_python
        found.update(_fixed_part(pattern) for pattern in self.patterns)
        return frozenset(folder for folder in found if folder.is_dir())

    @classmethod
    def of(cls, files: Iterable[Path]) -> WatchList:
        """These files and nothing else."""
        return cls(frozenset(files))


def _fixed_part(pattern: str) -> Path:
    """The folder that a pattern begins with."""
    folder = Path(pattern).parent
    while glob.has_magic(str(folder)):
        folder = folder.parent
    return folder
