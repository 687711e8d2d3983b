"""Which files belong to the user's project."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TOPS: Final = (".git", "pyproject.toml", "agent-console.toml")
"""What a project's top folder holds, one of them at least."""
_OTHERS: Final = frozenset({"site-packages", "dist-packages", "node_modules", "__pycache__"})
"""Folders whose files are somebody else's."""
_OWN: Final = frozenset({"agent_runtime", "agent_tools", "agent_console"})
_MOST_FOLDERS: Final = 300


class ProjectFolder:
    """The folder that holds the agent and the code that belongs to it.

    It is the nearest one above the agent's file with a `.git`, `pyproject.toml` or `agent-console.toml` in it; where
    there is none, the file's own folder, or the one above its package. Installed packages below it are not part of it.
    """

    def __init__(self, entry: Path) -> None:
        self.entry = entry
        self.top = _top(entry)
        self._is_mine = functools.cache(self._judge)

    def __contains__(self, file: object) -> bool:
        if not isinstance(file, Path):
            return False
        return file == self.entry or (file.is_relative_to(self.top) and self._is_mine(file.parent))

    def _judge(self, folder: Path) -> bool:
        if folder == self.top:
            return True
        hidden = folder.name.startswith(".")
        ours = folder.name in _OWN and (folder / "py.typed").exists()
        if hidden or ours or folder.name in _OTHERS or (folder / "pyvenv.cfg").exists():
            return False
        return self._is_mine(folder.parent)

    def folders(self) -> Iterator[Path]:
        """Its folders, as many as anybody would write by hand."""
        for found, (name, below, _) in enumerate(os.walk(self.top)):
            if found == _MOST_FOLDERS:
                return
            folder = Path(name)
            below[:] = [child for child in below if self._is_mine(folder / child)]
            yield folder


def _top(entry: Path) -> Path:
    start = entry.parent
    while (start / "__init__.py").exists() and start.parent != start:
        start = start.parent
    for folder in (start, *start.parents):
        # What somebody keeps in a repository at home is no project that holds all of it.
        if folder.name in _OTHERS or (folder == Path.home() and folder != start):
            break
        if any((folder / name).exists() for name in _TOPS):
            return folder
    return start
