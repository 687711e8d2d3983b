"""Writes what a package offers to its users, so that two packages can be compared without importing both.

Run by the interpreter that has the package (the standard library is all that it needs):

    python tests/parity/dump.py livekit.agents > reference.json

The dump is JSON: module → name → {kind, signature, members}. A signature is a list of [name, kind, default], where a
default is its `repr`, or null where there is none. Nothing of the documentation or the code is dumped.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import importlib
import inspect
import json
import re
import sys
import textwrap
import typing
from pathlib import Path
from typing import Any, TextIO

NAMES = Path(__file__).with_name("names.json")

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_PACKAGE = re.compile(r"\b(livekit\.agents|agent_runtime|agent_tools)(\.[a-z_]+)*\.")


def default_repr(value: object) -> str:
    """`repr`, without memory addresses and package names, and with one spelling of the sentinels."""
    if "NotGiven" in type(value).__name__ or repr(value) == "NOT_GIVEN":
        return "NOT_GIVEN"
    if inspect.isfunction(value) or inspect.isclass(value):
        return value.__name__
    return _PACKAGE.sub("", _ADDRESS.sub("", repr(value)))


def signature(function: Any) -> list[list[str | None]] | None:
    """Name, kind and default of each parameter but self; None where it has no signature."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    found: list[list[str | None]] = []
    for p in parameters:
        if names := _unpacked(function, p):
            found += [[name, "keyword_only", "NOT_GIVEN"] for name in names]
        elif p.name not in ("self", "cls") and not p.name.startswith("_"):
            found.append([p.name, p.kind.name.lower(), None if p.default is p.empty else default_repr(p.default)])
    return found


def _unpacked(function: Any, parameter: inspect.Parameter) -> list[str]:
    """The arguments that `**name: Unpack[SomeTypedDict]` stands for."""
    described = re.fullmatch(r"Unpack\[(\w+)\]", str(parameter.annotation))
    if described is None:
        return []
    plain = function.__init__ if inspect.isclass(function) else function
    return list(plain.__globals__[described[1]].__annotations__)


def fields(cls: type) -> dict[str, str] | None:
    """Field → default of a pydantic model, dataclass, enum or TypedDict; None for another class."""
    if isinstance(cls, enum.EnumMeta):
        return {name: repr(member.value) for name, member in cls.__members__.items()}
    if typing.is_typeddict(cls):
        return dict.fromkeys(cls.__annotations__, "")
    if hasattr(cls, "model_fields"):
        return {
            name: "required"
            if f.is_required()
            else f"{f.default_factory.__name__}()"
            if f.default_factory
            else default_repr(f.default)
            for name, f in cls.model_fields.items()
        }
    if dataclasses.is_dataclass(cls):
        return {
            f.name: default_repr(f.default)
            if f.default is not dataclasses.MISSING
            else ("factory" if f.default_factory is not dataclasses.MISSING else "required")
            for f in dataclasses.fields(cls)
            if not f.name.startswith("_")
        }
    return None


def members(cls: type) -> dict[str, Any]:
    """Public methods (with signature) and properties of a class and its bases in the same package."""
    package = cls.__module__.split(".")[0]
    found: dict[str, Any] = {}
    for base in cls.__mro__:
        if base.__module__.split(".")[0] not in (package, "agent_tools", "agent_runtime"):
            continue
        for name, value in vars(base).items():
            if name.startswith("_") or name in found or name.startswith("model_"):
                continue
            if isinstance(value, property):
                found[name] = {"kind": "property"}
            elif isinstance(value, staticmethod | classmethod) or inspect.isfunction(value):
                found[name] = {"kind": "method", "signature": signature(getattr(cls, name))}
        for name in _attributes(base):
            found.setdefault(name, {"kind": "attribute"})
    return found


def _attributes(cls: type) -> list[str]:
    """Public names that its constructor sets: to a caller the same as properties."""
    constructor = vars(cls).get("__init__")
    if cls.__module__.startswith("livekit.") or not inspect.isfunction(constructor):
        return []
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(constructor)))
    except OSError:  # made by `dataclass`; its fields are compared as such
        return []
    stored = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)]
    return [n.attr for n in stored if isinstance(n.value, ast.Name) and n.value.id == "self" and n.attr[0] != "_"]


def _is_enum(value: object) -> bool:
    return isinstance(value, enum.EnumMeta)


def describe(value: object) -> dict[str, Any]:
    """What one public name is."""
    if inspect.isclass(value):
        return {
            "kind": "class",
            # That of a model is its fields, and comes to be only when the model is first used; that of an enumeration
            # is Python's, another one from 3.12 on.
            "signature": None if hasattr(value, "model_fields") or _is_enum(value) else signature(value),
            "fields": fields(value),
            "members": {} if fields(value) and _is_enum(value) else members(value),
        }
    if inspect.isroutine(value):
        return {"kind": "function", "signature": signature(value)}
    return {"kind": "module" if inspect.ismodule(value) else "value"}


def dump(package: str) -> dict[str, dict[str, Any]]:
    """Module → name → description; a name that the package lacks is left out."""
    out: dict[str, dict[str, Any]] = {}
    for module_name, names in json.loads(NAMES.read_text("utf-8"))["names"].items():
        full = package if module_name == "agents" else f"{package}.{module_name}"
        found = out.setdefault(module_name, {})
        try:
            module = importlib.import_module(full)
        except ImportError:
            continue
        for name in names:
            try:
                found[name] = describe(getattr(module, name))
            except (AttributeError, ImportError):
                continue
    return out


def write(found: dict[str, dict[str, Any]], out: TextIO) -> None:
    """As JSON, a line a name, so that a change shows as the name that it changes."""
    modules = []
    for module, names in found.items():
        lines = ",\n".join(f"  {json.dumps(n)}: {json.dumps(d, sort_keys=True)}" for n, d in sorted(names.items()))
        modules.append(f" {json.dumps(module)}: {{\n{lines}\n }}")
    out.write("{\n" + ",\n".join(modules) + "\n}\n")


if __name__ == "__main__":
    write(dump(sys.argv[1]), sys.stdout)
