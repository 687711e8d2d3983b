"""What an agent's file tells without being run."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

from agent_runtime.compat.names import AGENTS, PLUGINS
from agent_runtime.project.imports import imported_names, module_files

_OPTIONS: Final = ("WorkerOptions", "ServerOptions")


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


def worker_functions(path: Path) -> tuple[str, str] | None:
    """Names of the entrypoint and the setup function in a call such as `WorkerOptions(entrypoint_fnc=…)`.

    The setup function's is empty where there is none.
    """
    tree = _parsed(path)
    for node in ast.walk(tree) if tree is not None else ():
        if not isinstance(node, ast.Call):
            continue
        given = {word.arg: word.value.id for word in node.keywords if isinstance(word.value, ast.Name)}
        if "entrypoint_fnc" in given:
            return given["entrypoint_fnc"], given.get("prewarm_fnc", "")
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in _OPTIONS and node.args and isinstance(node.args[0], ast.Name):
            return node.args[0].id, given.get("prewarm_fnc", "")
    return None


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
