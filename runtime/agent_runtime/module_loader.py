"""Runs a module's present source in a new module object, beside one of the same name that may be in use."""

from __future__ import annotations

import importlib
import importlib.util
import linecache
import sys
import threading
import traceback
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, TracebackType

from agent_runtime import compat
from agent_runtime.compat.source import uses_livekit_agents
from agent_runtime.errors import AgentLoadError

_one_at_a_time = threading.Lock()


def import_fresh(path: Path | None, module: str | None) -> tuple[ModuleType, Path]:
    """Run the source of a file, or of a module by its dotted name, and return it with its file.

    `sys.modules` holds the new module from then on; if it fails, it holds what it held before. Modules that are
    imported by it come from `sys.modules` as ever; `livekit.agents` is this runtime.

    Raises:
        AgentLoadError: it can't be found, compiled or run. It carries file, line and traceback.
    """
    with _one_at_a_time:
        return _import_fresh(path, module)


def _import_fresh(path: Path | None, module: str | None) -> tuple[ModuleType, Path]:
    spec = _file_spec(path) if path is not None else _module_spec(module or "")
    if spec.origin is None or not spec.origin.endswith(".py"):
        raise AgentLoadError(f"{spec.name} has no source file: name a module that is one .py file")
    source = Path(spec.origin)
    if uses_livekit_agents(source):
        _install_compat(source)
    fresh = importlib.util.module_from_spec(spec)
    before = sys.modules.get(spec.name)
    # Dataclasses and annotations look their own module up by name while it runs.
    sys.modules[spec.name] = fresh
    linecache.checkcache(str(source))
    try:
        code = compile(source.read_bytes(), str(source), "exec", dont_inherit=True)
        exec(code, fresh.__dict__)
    except (Exception, SystemExit) as exc:
        if before is None:
            del sys.modules[spec.name]
        else:
            sys.modules[spec.name] = before
        raise explain_failure(exc, source, "can't be loaded") from exc
    return fresh, source


def _install_compat(source: Path) -> None:
    try:
        compat.install()
    except ImportError as exc:
        raise AgentLoadError(f"{short_path(source)}: can't be loaded: {exc}", path=str(source)) from exc


def explain_failure(exc: BaseException, path: Path, what: str) -> AgentLoadError:
    """An error that names the line of the user's code where `exc` came from, with the traceback from there on."""
    tb = _from_file(exc.__traceback__, path)
    details = "".join(traceback.format_exception(type(exc), exc, tb)).rstrip()
    file, line = _last_place(tb, path)
    if isinstance(exc, SyntaxError) and exc.filename:
        file, line = Path(exc.filename), exc.lineno
    where = f"{short_path(file)}:{line}" if line else short_path(file)
    message = f"{where}: {what}: {_reason(exc)}"
    return AgentLoadError(message, path=str(file), line=line, details=details)


def without_place(exc: AgentLoadError) -> str:
    """What the error says after `file:line: `, for whoever shows the place by itself."""
    place = f"{short_path(Path(exc.path))}:{exc.line}: " if exc.line else f"{short_path(Path(exc.path))}: "
    return str(exc).removeprefix(place)


def short_path(path: Path) -> str:
    """The path as a person in the current folder would write it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _reason(exc: BaseException) -> str:
    if isinstance(exc, SystemExit):
        return 'it ends the program when it is imported: put that under `if __name__ == "__main__":`'
    if isinstance(exc, ModuleNotFoundError) and exc.name:
        return f"there is no module {exc.name}: install it in this Python, or fix the import"
    if isinstance(exc, SyntaxError):
        return f"{type(exc).__name__}: {exc.msg}"
    first_line = (str(exc).splitlines() or [""])[0]
    return f"{type(exc).__name__}: {first_line}" if first_line else type(exc).__name__


def _file_spec(path: Path) -> ModuleSpec:
    folder = str(path.parent)
    if folder not in sys.path:  # as `python file.py` does, so that it can import its neighbours
        sys.path.insert(0, folder)
    name = path.stem
    loaded = sys.modules.get(name)
    taken = loaded is not None and getattr(loaded, "__file__", None) != str(path)
    if taken or name in sys.stdlib_module_names or not name.isidentifier():
        name = f"agent_file_{name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None:
        raise AgentLoadError(f"{short_path(path)} is not a Python file: name one that ends in .py", path=str(path))
    return spec


def _module_spec(name: str) -> ModuleSpec:
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    parent, _, _ = name.rpartition(".")
    try:
        if parent:
            importlib.import_module(parent)
        importlib.invalidate_caches()
        # A module that is loaded already answers with its own, old spec.
        loaded = sys.modules.pop(name, None)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            if loaded is not None:
                sys.modules[name] = loaded
    except (ImportError, ValueError) as exc:
        raise AgentLoadError(f"the module {name} can't be imported: {exc}") from exc
    if spec is None:
        raise AgentLoadError(f"there is no module {name}: check the name, or give the file, as in agents/{name}.py")
    return spec


def _from_file(tb: TracebackType | None, path: Path) -> TracebackType | None:
    """The traceback without our own frames at its top, if the user's file is in it at all."""
    start = tb
    while start is not None and start.tb_frame.f_code.co_filename != str(path):
        start = start.tb_next
    return start


def _last_place(tb: TracebackType | None, path: Path) -> tuple[Path, int | None]:
    """The innermost line of the user's own code: in `path`, or in a file of the same project that it imports."""
    place: tuple[Path, int | None] = (path, None)
    while tb is not None:
        file = Path(tb.tb_frame.f_code.co_filename)
        if file == path or (file.is_relative_to(path.parent) and "site-packages" not in file.parts):
            place = (file, tb.tb_lineno)
        tb = tb.tb_next
    return place
