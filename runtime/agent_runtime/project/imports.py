"""Which file of a project imports which, read from the source without running it."""

from __future__ import annotations

import ast
import functools
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from agent_runtime.project.folder import ProjectFolder
from agent_runtime.records import record


@record(frozen=True, slots=True)
class SourceFile:
    """A Python file as it is on the disk."""

    digest: bytes
    imports: frozenset[Path]
    """Files of the project that its import statements run, wherever in the file they stand."""


def scan(project: ProjectFolder, roots: Iterable[Path]) -> dict[Path, SourceFile]:
    """The files that importing `roots` may run, and themselves. A file that is broken imports nothing."""
    folders = [Path(entry or ".").absolute() for entry in sys.path]
    bases = [project.entry.parent, *(folder for folder in folders if folder / "__init__.py" in project)]
    found: dict[Path, SourceFile] = {}
    waiting = list(roots)
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        try:
            source = file.read_bytes()
        except OSError:
            continue
        found[file] = read = SourceFile(_digest(source), frozenset(_imports(project, file, source, bases)))
        waiting += read.imports
    return found


def importers(files: Iterable[Path], graph: Mapping[Path, frozenset[Path]]) -> set[Path]:
    """`files`, and every file that imports one of them, directly or not."""
    by_imported: dict[Path, list[Path]] = {}
    for file, imports in graph.items():
        for imported in imports:
            by_imported.setdefault(imported, []).append(file)
    reached: set[Path] = set()
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        if file not in reached:
            reached.add(file)
            waiting += by_imported.get(file, ())
    return reached


def has_relative_import(file: Path) -> bool:
    """Whether it imports from its own package with a leading dot."""
    try:
        return any(level > 0 for level, _ in imported_names(file.read_bytes()))
    except OSError:
        return False


def _imports(project: ProjectFolder, file: Path, source: bytes, bases: list[Path]) -> Iterator[Path]:
    # A module needs the packages that it is in: a new one has none of its old modules as attributes.
    folder = file.parent
    while (package := folder / "__init__.py").is_file() and package in project:
        if package != file:
            yield package
        folder = folder.parent
    for level, name in imported_names(source):
        starts = bases if level == 0 else [file.parents[min(level, len(file.parents)) - 1]]
        for start in starts:
            yield from (found for found in module_files(start, name) if found != file and found in project)


def module_files(base: Path, name: str) -> Iterator[Path]:
    """The files that importing the dotted name from `base` runs: its packages, and itself if it is a module."""
    stem = base
    for part in name.split("."):
        stem = stem / part
        for file in (stem.with_suffix(".py"), stem / "__init__.py"):
            if file.is_file():
                yield file


def imported_names(source: bytes) -> tuple[tuple[int, str], ...]:
    """(level, dotted name) of everything that may be a module; the level is the number of leading dots.

    Empty for what can't be parsed: running it says what is wrong with it.
    """
    return _names(_Source(source))


class _Source:
    """Text that is remembered by its digest: the cache of what it imports doesn't keep every version of it."""

    def __init__(self, text: bytes) -> None:
        self.text: bytes | None = text
        self._digest = _digest(text)

    def __hash__(self) -> int:
        return hash(self._digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Source) and self._digest == other._digest


@functools.lru_cache(maxsize=512)
def _names(source: _Source) -> tuple[tuple[int, str], ...]:
    text, source.text = source.text, None
    assert text is not None
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return ()
    found: dict[tuple[int, str], None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(((0, alias.name), None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = f"{node.module}." if node.module else ""
            found.update(((node.level, f"{parent}{alias.name}"), None) for alias in node.names)
    return tuple(found)


def _digest(source: bytes) -> bytes:
    return hashlib.blake2b(source, digest_size=16).digest()
