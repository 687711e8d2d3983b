"""Finds the project's modules while a new version of them is loaded, and runs each from its present source."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from agent_runtime.errors import AgentLoadError
from agent_runtime.project.failures import short_path
from agent_runtime.project.folder import ProjectFolder
from agent_runtime.project.imports import has_relative_import
from agent_runtime.records import record


@record(frozen=True, slots=True)
class EntryPoint:
    """The agent's module: its name in `sys.modules`, its file, and the folder that its absolute imports begin in."""

    name: str
    file: Path
    folder: Path

    def make_importable(self) -> None:
        """Have the modules beside it be found, as `python file.py` does."""
        if str(self.folder) not in sys.path:
            sys.path.insert(0, str(self.folder))


def entry_of_file(file: Path) -> EntryPoint:
    """The module that a file is. Raises AgentLoadError if it is no Python file.

    One that imports from its own package is a module of that package, any other one of its own.
    """
    if file.suffix != ".py":
        raise AgentLoadError(f"{short_path(file)} is not a Python file: name one that ends in .py", path=str(file))
    if has_relative_import(file) and (package := _package_of(file)) is not None:
        name, folder = package
        return EntryPoint(name, file, folder)
    name = file.stem
    loaded = sys.modules.get(name)
    taken = loaded is not None and getattr(loaded, "__file__", None) != str(file)
    if taken or name in sys.stdlib_module_names or not name.isidentifier():
        name = f"agent_file_{name}"
    return EntryPoint(name, file, file.parent)


def entry_of_module(name: str) -> EntryPoint:
    """The module of a dotted name, looked for from the current folder on. Nothing is run.

    Raises AgentLoadError if there is no such module, or it isn't one Python file.
    """
    EntryPoint(name, Path(), Path.cwd()).make_importable()
    importlib.invalidate_caches()
    spec: ModuleSpec | None = None
    locations: Sequence[str] | None = None
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        spec = _find(".".join(parts[:count]), locations)
        if spec is None or (count < len(parts) and spec.submodule_search_locations is None):
            raise AgentLoadError(f"there is no module {name}: check the name, or give the file, as in agents/{name}.py")
        locations = spec.submodule_search_locations
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise AgentLoadError(f"{name} has no source file: name a module that is one .py file")
    return EntryPoint(name, Path(spec.origin), Path.cwd())


def _package_of(file: Path) -> tuple[str, Path] | None:
    names = [file.stem]
    folder = file.parent
    while (folder / "__init__.py").is_file() and folder.parent != folder:
        names.append(folder.name)
        folder = folder.parent
    if len(names) == 1 or not all(name.isidentifier() for name in names):
        return None
    return ".".join(reversed(names)), folder


def _find(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """What the finders of this process say, but ours."""
    for finder in sys.meta_path:
        if not isinstance(finder, ProjectFinder) and (spec := finder.find_spec(name, path, None)) is not None:
            return spec
    return None


class _PresentSource(SourceFileLoader):
    """Compiles what the file holds now.

    A compiled file beside it could be of a version that was saved in the same second and is as long.
    """

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


class ProjectFinder:
    """Stands in front of the process's other finders while one thread loads a version."""

    def __init__(self, project: ProjectFolder, entry: EntryPoint) -> None:
        self._project = project
        self._entry = entry
        self._thread = 0
        self.found: dict[Path, set[Path]] = {}
        """The files that were looked for, by the project's file that imported them."""
        self.ran: dict[str, Path] = {}
        """Modules in the order in which they were found, with their files."""

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Find the imports of this thread."""
        self._thread = threading.get_ident()
        sys.meta_path.insert(0, self)
        try:
            yield
        finally:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a module of the project, to be run from its present source; None for any other."""
        if threading.get_ident() != self._thread:
            return None
        if fullname == self._entry.name:
            spec = importlib.util.spec_from_file_location(fullname, self._entry.file)
        else:
            spec = _find(fullname, path)
        if spec is None or not isinstance(spec.loader, SourceFileLoader) or spec.origin is None:
            return spec
        file = Path(spec.origin)
        if file not in self._project:
            return spec
        spec.loader = _PresentSource(fullname, spec.origin)
        self.ran[fullname] = file
        importer = self._importer()
        if importer is not None:
            self.found.setdefault(importer, set()).add(file)
        return spec

    def _importer(self) -> Path | None:
        frame = sys._getframe()
        while frame.f_back is not None:
            frame = frame.f_back
            file = Path(frame.f_code.co_filename)
            if file.suffix == ".py" and file in self._project:
                return file
        return None
