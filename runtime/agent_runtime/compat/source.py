"""What an agent's file tells without being run."""

from __future__ import annotations

import ast
from pathlib import Path

from agent_runtime.compat.names import AGENTS, PLUGINS
from agent_runtime.project.imports import imported_names, module_files


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
        for level, name in imported_names(_read(file)):
            if level == 0 and f"{name}.".startswith((f"{AGENTS}.", f"{PLUGINS}.")):
                return True
            bases = [path.parent, Path.cwd()] if level == 0 else [file.parents[level - 1]]
            waiting += [found for base in bases for found in module_files(base, name)]
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


def names_a_worker(path: Path) -> bool:
    """Whether the file says how a worker runs it: it uses `AgentServer` or `run_app`."""
    tree = _parsed(path)
    names = {"AgentServer", "run_app"}
    return any(
        (isinstance(node, ast.Name) and node.id in names) or (isinstance(node, ast.Attribute) and node.attr in names)
        for node in (ast.walk(tree) if tree is not None else ())
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _parsed(path: Path) -> ast.Module | None:
    try:
        return ast.parse(_read(path))
    except (SyntaxError, ValueError):
        return None
