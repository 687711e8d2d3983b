"""Makes `import livekit.agents` and `import livekit.plugins` find this runtime."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from agent_runtime import stand_ins
from agent_runtime.compat import guards
from agent_runtime.compat.names import AGENTS, INSTALLED_PARTS, MODULES, PLUGINS, VENDORS, advice

if TYPE_CHECKING:
    from importlib.abc import Loader

_MISSING = object()


class _Alias(ModuleType):
    """A module whose names come from ours, looked up when they are used."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__") and name != "__version__":  # `__file__` and the like aren't our modules'
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if f"{self.__name__}.{name}" in MODULES:
            return importlib.import_module(f"{self.__name__}.{name}")
        for source in MODULES.get(self.__name__, ()):
            value = getattr(importlib.import_module(source), name, _MISSING)
            # Our own modules beside the names aren't part of what LiveKit offers.
            if value is not _MISSING and not isinstance(value, ModuleType):
                return self._usable(name, value)
        fullname = f"{self.__name__}.{name}"
        if (part := INSTALLED_PARTS.get(self.__name__, {}).get(name)) is not None and self.__path__:
            if not part:
                return importlib.import_module(fullname)
            return self._usable(name, getattr(importlib.import_module(f"{self.__name__}.{part}"), name))
        if stand_ins.are_allowed() and _is_vendors(fullname) and self.__name__ != PLUGINS:
            return guards.stand_in(fullname, why_missing(fullname))
        raise AttributeError(_unavailable(fullname))

    def _usable(self, name: str, value: object) -> object:
        fullname = f"{self.__name__}.{name}"
        if stand_ins.are_allowed() and isinstance(value, type) and (_is_vendors(fullname) or name.endswith("Adapter")):
            return guards.guarded(value, fullname)
        return value

    def __dir__(self) -> list[str]:
        names = {name.rpartition(".")[2] for name in MODULES if name.rpartition(".")[0] == self.__name__}
        for source in MODULES.get(self.__name__, ()):
            module = importlib.import_module(source)
            public = getattr(module, "__all__", None) or [n for n, value in vars(module).items() if _is_own(n, value)]
            names.update(name for name in public if not isinstance(getattr(module, name), ModuleType))
        return sorted(names)

    @property
    def __all__(self) -> list[str]:
        return dir(self)


class _AliasLoader:
    # No subclass of `importlib.abc.Loader`, nor the finder of its like: importing those costs 10 ms at every start.
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Alias(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""


_loader = cast("Loader", _AliasLoader())


class _GuardedLoader:
    """Loads an installed plugin; where that fails, and where its providers can't be made, there are stand-ins."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        try:
            self._loader.exec_module(module)
        except ImportError as exc:
            guards.in_place_of(module, f"{_package_of(module.__name__)} can't be imported here: {exc}")
        else:
            guards.guarded_parts(module)


class AliasFinder:
    """Answers for `livekit.agents`, `livekit.plugins` and what is below them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The alias of that name; a plugin that somebody installed; None for what is none of our business.

        Raises:
            ImportError: there is no such name, and what to do about it.
        """
        if not _is_ours(fullname):
            return None
        if fullname in MODULES:
            spec = ModuleSpec(fullname, _loader, is_package=True)
            if fullname == PLUGINS:
                spec.submodule_search_locations = _plugin_folders()
            elif fullname in INSTALLED_PARTS and (installed := PathFinder.find_spec(fullname, path, target)):
                spec.submodule_search_locations = installed.submodule_search_locations
            return spec
        if fullname.startswith(f"{PLUGINS}."):
            name = fullname.removeprefix(f"{PLUGINS}.")
            if installed := PathFinder.find_spec(fullname, path, target):
                if stand_ins.are_allowed() and "." not in name and installed.loader is not None:
                    installed.loader = cast("Loader", _GuardedLoader(installed.loader))
                return installed
            if name in VENDORS or stand_ins.are_allowed():
                # Most files import more providers than they use here: the first use of one says that it isn't there.
                return ModuleSpec(fullname, _loader, is_package=True)
        # Not ModuleNotFoundError, which `from package import name` would replace by a message of its own.
        raise ImportError(_unavailable(fullname), name=fullname)


_finder = AliasFinder()


def install() -> None:
    """Have `livekit.agents` and `livekit.plugins` mean this runtime from now on. Doing it again does nothing.

    Raises:
        ImportError: the real livekit-agents was imported in this process already.
    """
    if is_installed():
        return
    if AGENTS in sys.modules:
        raise ImportError(
            "the real livekit-agents was imported in this process already: call agent_runtime.compat.install() before",
            name=AGENTS,
        )
    sys.meta_path.insert(0, _finder)
    _forget()


def uninstall() -> None:
    """Undo `install()`; what was imported through it goes on working."""
    if is_installed():
        sys.meta_path.remove(_finder)
        _forget()


def is_installed() -> bool:
    """Whether the names lead here."""
    return _finder in sys.meta_path


def _forget() -> None:
    for name in [name for name in sys.modules if _is_ours(name)]:
        del sys.modules[name]
    for name in (AGENTS, PLUGINS):
        parent, _, child = name.rpartition(".")
        if parent in sys.modules:
            vars(sys.modules[parent]).pop(child, None)


def _is_own(name: str, value: object) -> bool:
    """Whether a module defines it, and not only imports it."""
    return not name.startswith("_") and str(getattr(value, "__module__", "")).startswith("agent_")


def _is_ours(name: str) -> bool:
    return name in (AGENTS, PLUGINS) or name.startswith((f"{AGENTS}.", f"{PLUGINS}."))


def _is_vendors(name: str) -> bool:
    """Whether a name belongs to a vendor, or to LiveKit's cloud."""
    return name.startswith((f"{PLUGINS}.", f"{AGENTS}.inference."))


def _plugin_folders() -> list[str]:
    """Where plugins of other people are installed."""
    import livekit

    return [str(folder) for base in livekit.__path__ if (folder := Path(base, "plugins")).is_dir()]


def _package_of(fullname: str) -> str:
    """What to install for a plugin's name."""
    return f"livekit-plugins-{fullname.removeprefix(f'{PLUGINS}.').partition('.')[0].replace('_', '-')}"


def why_missing(fullname: str) -> str:
    """Why a vendor's name isn't there, and the command that changes it, in one line."""
    if fullname.startswith(f"{AGENTS}.inference."):
        return f"{fullname} isn't there yet"
    package, (parent, _, name) = _package_of(fullname), fullname.rpartition(".")
    if MODULES.get(parent) and name not in INSTALLED_PARTS.get(parent, ()):
        return f"{fullname.removeprefix(f'{PLUGINS}.')} isn't there yet"
    if PathFinder.find_spec(parent, _plugin_folders()):
        return f"{fullname} of {package} can't be used here"
    return f"{package} isn't installed (pip install --no-deps {package})"


def _unavailable(fullname: str) -> str:
    parent, _, name = fullname.rpartition(".")
    if what := advice(fullname):
        return f"{fullname} isn't available here: {what}"
    near = difflib.get_close_matches(name, dir(_Alias(parent)), n=1, cutoff=0.75) if parent in MODULES else []
    if near:
        hint = f"did you mean {near[0]}?"
    elif parent == PLUGINS:
        hint = f"pip install --no-deps {_package_of(fullname)}"
    else:
        hint = "docs/parity.md lists what is"
    return f"{fullname} isn't available here: {hint}"
