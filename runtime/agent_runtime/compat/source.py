"""What an agent's file tells without being run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from agent_runtime.compat.names import AGENTS, PLUGINS


def uses_livekit_agents(path: Path) -> bool:
    """Whether a file, or one of the same project that it imports, imports `livekit.agents` or `livekit.plugins`.

    A file that can't be read or parsed doesn't; running it says what is wrong with it.
    """
    seen: set[Path] = set()
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        tree = _parsed(file)
        for level, name in _imported(tree) if tree is not None else ():
            if level == 0 and f"{name}.".startswith((f"{AGENTS}.", f"{PLUGINS}.")):
                return True
            bases = [path.parent, Path.cwd()] if level == 0 else [file.parents[level - 1]]
            waiting += [found for base in bases for found in _files(base, name)]
    return False


def started_agents(path: Path) -> list[str]:
    """Names of the classes that the file makes in the `agent` of a call such as `session.start(agent=Greeter())`."""
    tree = _parsed(path)
    names: dict[str, None] = {}
    for function in ast.walk(tree) if tree is not None else ():
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        made = {
            target.id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "start":
                given = [keyword.value for keyword in node.keywords if keyword.arg == "agent"] + node.args[:1]
                for value in given:
                    value = made.get(value.id, value) if isinstance(value, ast.Name) else value
                    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
                        names[value.func.id] = None
    return list(names)


def _parsed(path: Path) -> ast.Module | None:
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None


def _imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(level, dotted name) of everything that may be a module; the level is the number of leading dots."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = f"{node.module}." if node.module else ""
            yield from ((node.level, f"{parent}{alias.name}") for alias in node.names)


def _files(base: Path, name: str) -> list[Path]:
    """The files that importing the dotted name from `base` runs: its packages, and itself if it is a module."""
    parts = name.split(".")
    stems = [base.joinpath(*parts[:count]) for count in range(1, len(parts) + 1)]
    return [file for stem in stems for file in (stem.with_suffix(".py"), stem / "__init__.py") if file.is_file()]
