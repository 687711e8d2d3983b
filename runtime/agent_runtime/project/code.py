"""The modules of a project in one version, and a new version beside it."""

from __future__ import annotations

import importlib
import linecache
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from agent_runtime.project.environment import environment_exchange, read_environment
from agent_runtime.project.exchange import MISSING, Exchange
from agent_runtime.project.failures import explain_failure
from agent_runtime.project.finder import EntryPoint, ProjectFinder
from agent_runtime.project.folder import ProjectFolder
from agent_runtime.project.imports import SourceFile, importers, scan
from agent_runtime.project.opened_files import OpenedFiles, Stamp, stamp
from agent_runtime.project.watch_list import WatchList

WATCH: Final = "__watch__"
"""The name of a module's own list of files that it reads later: glob patterns, relative to its folder."""

_one_at_a_time = threading.Lock()


class Superseded(Exception):
    """Raised when a version isn't wanted any more before its turn came."""


@dataclass(slots=True, eq=False)
class CodeVersion:
    """The modules of a project: loaded together, or taken over from the version before, since they are the same."""

    entry: EntryPoint
    module: ModuleType
    """The agent's."""
    project: ProjectFolder
    sources: dict[Path, SourceFile]
    found: dict[Path, set[Path]]
    """Files that a module imported in a way that its source doesn't show, by the importing file."""
    opened: OpenedFiles
    declared: dict[str, dict[Path, Stamp]]
    """Files of each pattern in a module's `__watch__`."""
    environment: dict[str, str]
    loaded: tuple[str, ...]
    """Names of the modules that are new in this version, in the order in which they ran."""
    modules: dict[str, ModuleType]
    """Every module of the project by its name."""
    exchange: Exchange = field(repr=False)
    """Puts it in place of the version before."""

    @property
    def watch_list(self) -> WatchList:
        """The files whose change means another version."""
        files = {*self.sources, *self.opened.stamps, self.environment_file}
        return WatchList(frozenset(files), frozenset(self.declared))

    def watch_list_after_failure(self) -> WatchList:
        """The same, and every Python file of the project: what was imported in vain may be a new one."""
        folders = frozenset(self.project.folders())
        return replace(self.watch_list, any_python=folders)

    @property
    def environment_file(self) -> Path:
        """The agent's `.env`, there or not."""
        return self.entry.file.parent / ".env"

    def changed(self) -> set[Path]:
        """Source files that have changed since, and those whose modules have read something that has."""
        now = scan(self.project, self.sources)
        changed = {file for file, source in now.items() if source != self.sources.get(file)}
        changed |= {file for file in self.sources if not file.exists()}
        for file in self.opened.changed():
            changed |= self.opened.readers[file]
        for module in self.modules.values():
            if any(stamps_of(pattern) != self.declared.get(pattern) for pattern in patterns_of(module)):
                changed.add(_file_of(module))
        return changed

    def graph(self) -> dict[Path, frozenset[Path]]:
        """Which file imports which."""
        return {file: source.imports | self.found.get(file, set()) for file, source in self.sources.items()}

    def stale(self) -> dict[str, ModuleType]:
        """Modules that need running again: the agent's own, what has changed, and whatever imports it."""
        files = importers({self.entry.file, *self.changed()}, self.graph())
        return {name: module for name, module in self.present().items() if _file_of(module) in files}

    def present(self) -> dict[str, ModuleType]:
        """The project's modules, with those that were imported since it was loaded."""
        return {name: module for name, module in _modules_of(self.project).items() if _file_of(module) in self.sources}

    def __contains__(self, cls: type) -> bool:
        return cls.__module__ in self.modules and self.find_class(cls) is cls

    def find_class(self, cls: type) -> type | None:
        """The class of this version that has the place of `cls`: the same name in a module of the same name."""
        value: Any = self.modules.get(cls.__module__)
        for part in cls.__qualname__.split("."):
            value = getattr(value, part, None)
        return value if isinstance(value, type) else None


def load_code(
    entry: EntryPoint,
    before: CodeVersion | None = None,
    *,
    everything: bool = False,
    wanted: Callable[[], bool] = lambda: True,
) -> CodeVersion:
    """Run the agent's module, and beside a version `before` the modules that have changed since and their importers.

    Without `before` the new version is in place when this returns, and modules that the agent imports come from
    `sys.modules` as ever. With it nothing is in place: `version.exchange` does that. While modules run they are in
    `sys.modules`, as what runs expects; whatever happens it then holds what it held before, and so do the packages'
    attributes and the environment.

    Args:
        entry: the agent's module.
        before: the version in use.
        everything: run all of the project's modules again.
        wanted: asked when it is this call's turn.

    Raises:
        AgentLoadError: something can't be found, compiled or run. It carries file, line and traceback.
        Superseded: it isn't wanted any more.
    """
    with _one_at_a_time:
        if not wanted():
            raise Superseded
        return _Load(entry, before, everything).run()


class _Load:
    """One attempt."""

    def __init__(self, entry: EntryPoint, before: CodeVersion | None, everything: bool) -> None:
        self._entry = entry
        self._before = before
        self._everything = everything
        self._project = before.project if before is not None else ProjectFolder(entry.file)
        self._opened = OpenedFiles(self._project)
        self._finder = ProjectFinder(self._project, entry)

    def run(self) -> CodeVersion:
        self._entry.make_importable()
        exchange = Exchange()
        environment = self._read_environment(exchange)
        stale = self._stale()
        existing = _Existing(self._project)
        try:
            exchange.put_in_place()
            module = self._run_modules(stale)
        except BaseException:
            existing.difference(exchange).put_back()
            raise
        version = self._version(module, environment, existing.difference(exchange))
        if self._before is not None:
            exchange.put_back()
        return version

    def _read_environment(self, exchange: Exchange) -> dict[str, str]:
        if self._before is None:
            return read_environment(self._entry.file.parent / ".env")
        environment = read_environment(self._before.environment_file)
        environment_exchange(self._before.environment, environment, exchange)
        return environment

    def _stale(self) -> dict[str, ModuleType]:
        if self._before is None:
            module = sys.modules.get(self._entry.name)
            return {} if module is None else {self._entry.name: module}
        # What was imported late, by a function, is part of the version as well.
        self._before.modules.update(self._before.present())
        return self._before.present() if self._everything else self._before.stale()

    def _run_modules(self, stale: Mapping[str, ModuleType]) -> ModuleType:
        for name in stale:
            del sys.modules[name]
        importlib.invalidate_caches()
        linecache.checkcache()
        with self._finder.answering(), self._opened.record():
            module = self._import(self._entry.name)
            # What is imported only when a function is called: it has to be whole as well.
            reachable = self._sources()
            for name, old in stale.items():
                if name not in sys.modules and _file_of(old) in reachable:
                    self._import(name)
        return module

    def _import(self, name: str) -> ModuleType:
        try:
            return importlib.import_module(name)
        except (Exception, SystemExit) as exc:
            raise explain_failure(exc, self._entry.file, "can't be loaded") from exc

    def _sources(self) -> dict[Path, SourceFile]:
        return scan(self._project, {self._entry.file}.union(*self._found().values()))

    def _found(self) -> dict[Path, set[Path]]:
        """What modules found that their source doesn't show: in this run, and those that didn't run again before it."""
        before = self._before.found if self._before is not None else {}
        ran = set(self._finder.ran.values())
        kept = {file: {*files} for file, files in before.items() if file not in ran and file.exists()}
        return {**kept, **self._finder.found}

    def _version(self, module: ModuleType, environment: dict[str, str], exchange: Exchange) -> CodeVersion:
        sources = self._sources()
        modules = {name: found for name, found in _modules_of(self._project).items() if _file_of(found) in sources}
        ran = self._finder.ran
        if self._before is not None:
            self._opened.take_over(self._before.opened, readers=set(sources) - set(ran.values()))
        return CodeVersion(
            entry=self._entry,
            module=module,
            project=self._project,
            sources=sources,
            found=self._found(),
            opened=self._opened,
            declared={pattern: stamps_of(pattern) for found in modules.values() for pattern in patterns_of(found)},
            environment=environment,
            loaded=tuple(name for name in ran if name in modules),
            modules=modules,
            exchange=exchange,
        )


class _Existing:
    """The project's modules in `sys.modules`, and what its packages hold, at one moment."""

    def __init__(self, project: ProjectFolder) -> None:
        self._project = project
        self._modules = _modules_of(project)
        parents = {name.rpartition(".")[0] for name in self._modules} - {""}
        packages = [package for name in parents if (package := sys.modules.get(name)) is not None]
        self._packages = [(package, dict(vars(package))) for package in packages]

    def difference(self, exchange: Exchange) -> Exchange:
        """Add to `exchange`, which is in place, what has changed since."""
        modules = _modules_of(self._project)
        names = [name for name in {**self._modules, **modules} if self._modules.get(name) is not modules.get(name)]
        for name in names:
            before, after = self._modules.get(name, MISSING), modules.get(name, MISSING)
            exchange.add(sys.modules, name, before, after)
        children = {name.rpartition(".")[2] for name in names}
        for package, before in self._packages:
            now = vars(package)
            for child in children:
                if before.get(child, MISSING) is not now.get(child, MISSING):
                    exchange.add(now, child, before.get(child, MISSING), now.get(child, MISSING))
        return exchange


def _modules_of(project: ProjectFolder) -> dict[str, ModuleType]:
    """The project's modules that are in `sys.modules`."""
    top = str(project.top)
    found = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(file, str) and file.startswith(top) and file.endswith(".py") and Path(file) in project:
            found[name] = module
    return found


def _file_of(module: ModuleType) -> Path:
    return Path(str(module.__file__))


def patterns_of(module: ModuleType) -> list[str]:
    """The glob patterns that a module declares to be watched, with its folder in front."""
    declared = getattr(module, WATCH, ())
    patterns = (declared,) if isinstance(declared, str | os.PathLike) else declared
    return [str(_file_of(module).parent / pattern) for pattern in patterns]


def stamps_of(pattern: str) -> dict[Path, Stamp]:
    """The files that a pattern stands for, and their stamps."""
    return {file: stamp(file) for file in WatchList(frozenset(), frozenset({pattern})).matches()}
