"""Paths as people write them: from `~` where they are in the user's own folder."""

from __future__ import annotations

import shlex
from pathlib import Path, PurePath


def from_home(path: str) -> str:
    """`~/recordings/one`; a path elsewhere as it is."""
    home, whole = Path.home(), PurePath(path)
    return f"~/{whole.relative_to(home).as_posix()}" if whole.is_relative_to(home) and whole != home else path


def for_shell(path: str) -> str:
    """The same as a shell takes it: `~` means nothing to it within quotes."""
    shown = from_home(path)
    return f"~/{shlex.quote(shown[2:])}" if shown.startswith("~/") else shlex.quote(shown)
