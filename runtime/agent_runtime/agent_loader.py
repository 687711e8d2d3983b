"""From what is written on the command line to an agent that can be started.

A target is `file.py`, `file.py:Name`, `package.module` or `package.module:Name`. In its module the agent is found by
itself: a function that makes an `AgentSession`, else what the entrypoint of the module's worker starts, else an `Agent`
instance, else an `Agent` subclass that can be made without arguments.
"""

from __future__ import annotations

import difflib
import inspect
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from agent_runtime import compat
from agent_runtime.compat.source import started_agents, uses_livekit_agents
from agent_runtime.errors import AgentLoadError
from agent_runtime.project import CodeVersion, EntryPoint, explain_failure, load_code, short_path
from agent_runtime.project.finder import entry_of_file, entry_of_module
from agent_runtime.records import record
from agent_runtime.worker.in_file import plan_in

if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.session import AgentSession

logger = logging.getLogger(__name__)

AgentKind: TypeAlias = Literal["factory", "entrypoint", "instance", "class"]

COMPAT_NOTE: Final = "{} imports livekit.agents, which is agent_runtime here"


@record(frozen=True, slots=True)
class Target:
    """Where the agent's code is: a file or a module's name, and the name inside it if one was given."""

    path: Path | None
    module: str | None
    name: str | None = None

    def __str__(self) -> str:
        where = short_path(self.path) if self.path else self.module
        return f"{where}:{self.name}" if self.name else f"{where}"


@record(frozen=True, slots=True)
class LoadedAgent:
    """A version of an agent's code and what was found in it. Nothing of it was made yet."""

    target: Target
    code: CodeVersion
    name: str
    kind: AgentKind
    notes: tuple[str, ...] = ()
    """What whoever runs it should know."""

    @property
    def module(self) -> ModuleType:
        """The agent's module."""
        return self.code.module

    @property
    def path(self) -> Path:
        """Its file."""
        return self.code.entry.file

    async def build(self) -> tuple[Agent, AgentSession[Any] | None]:
        """Make the agent, and the session where the module makes its own; on the runtime's loop.

        An entrypoint that comes to no session here is told of and left out where there is an agent without it.

        Raises AgentLoadError if the user's code fails or makes something else.
        """
        from agent_runtime.voice.agent import Agent
        from agent_runtime.voice.session import AgentSession

        if self.target.name is None and self.kind != "factory":
            started = await self._start_entrypoint()
            if started is not None:
                return started
        value = getattr(self.module, self.name)
        try:
            with self.code.opened.record():
                made = value if self.kind == "instance" else value()
                if inspect.isawaitable(made):
                    made = await made
        except Exception as exc:
            raise explain_failure(exc, self.path, f"{self.name} can't be made") from exc
        agent, session = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
        if isinstance(agent, AgentSession):  # (session, agent), or the session alone
            agent, session = session, agent
        if agent is None:
            agent = self._only_agent()
        if not isinstance(agent, Agent) or not (session is None or isinstance(session, AgentSession)):
            raise AgentLoadError(
                f"{self.name} in {short_path(self.path)} made {type(made).__name__}: "
                "return an AgentSession and an Agent",
                path=str(self.path),
            )
        return agent, session

    async def _start_entrypoint(self) -> tuple[Agent, AgentSession[Any]] | None:
        """What the worker's entrypoint starts; None where there is no worker, or another agent to begin with."""
        plan = plan_in(self.module, self.path)
        if plan is None:
            return None
        from agent_runtime.worker.local_job import METADATA_VARIABLE, LocalJobError, run_entrypoint

        what = f"{getattr(plan.entrypoint, '__name__', 'the entrypoint')} can't run here"
        if METADATA_VARIABLE not in os.environ and ".metadata" in self.path.read_text(encoding="utf-8"):
            what += f" (a job's metadata are what {METADATA_VARIABLE} says)"
        try:
            with self.code.opened.record():
                return await run_entrypoint(plan)
        except LocalJobError as exc:
            why = f"{short_path(self.path)}: {what}: {exc}"
            failure = (
                explain_failure(exc.__cause__, self.path, what)
                if exc.__cause__
                else AgentLoadError(why, path=str(self.path))
            )
        except Exception as exc:
            failure = explain_failure(exc, self.path, what)
        if self.kind == "entrypoint":
            raise failure
        logger.warning("%s; %s is started without it", failure, self.name)
        return None

    def _only_agent(self) -> Agent:
        found = _agents_in(self.module)
        if len(found) != 1:
            raise AgentLoadError(
                f"{self.name} in {short_path(self.path)} makes a session without saying whose: return (session, agent)",
                path=str(self.path),
            )
        name, kind = found[0]
        value = getattr(self.module, name)
        agent: Agent = value if kind == "instance" else value()
        return agent


def parse_target(text: str) -> Target:
    """Read a target. Raises AgentLoadError if there is no such file or the text can't be one."""
    if match := re.fullmatch(r"(?P<file>.+\.py)(:(?P<name>\w+))?", text):
        path = Path(match["file"]).expanduser()
        if path.is_dir() or not path.exists():
            raise AgentLoadError(_no_such_file(path), path=str(path))
        return Target(path.resolve(), None, match["name"])
    if Path(text).is_dir():
        raise AgentLoadError(f"{text} is a folder: name the agent's file in it", path=text)
    if Path(text).exists():
        raise AgentLoadError(f"{text} is not a Python file: name one that ends in .py", path=text)
    if match := re.fullmatch(r"(?P<module>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)(:(?P<name>\w+))?", text):
        return Target(None, match["module"], match["name"])
    raise AgentLoadError(f"{text!r} is no agent: give file.py, file.py:Name or package.module")


def load_agent(
    target: Target,
    before: LoadedAgent | None = None,
    *,
    everything: bool = False,
    wanted: Callable[[], bool] = lambda: True,
) -> LoadedAgent:
    """Run the target's module afresh and find the agent in it.

    Modules that it imports are left as they are. With a version `before`, those that have changed since are run afresh
    too, beside the present ones: `loaded.code.exchange` puts them in place. See `load_code`.

    Raises:
        AgentLoadError: the code can't be run, or there is no agent in it, or more than one.
        Superseded: it isn't `wanted` any more when its turn comes.
    """
    entry = before.code.entry if before is not None else _entry(target)
    if uses_livekit_agents(entry.file):
        _install_compat(entry.file)
    code = load_code(entry, before.code if before is not None else None, everything=everything, wanted=wanted)
    try:
        name, kind = _find(target, code.module, entry.file, before.name if before is not None else None)
    except AgentLoadError:
        code.exchange.put_back()
        raise
    if before is None:
        code.exchange.settle()
    return LoadedAgent(target, code, name, kind, _notes(entry.file))


def _entry(target: Target) -> EntryPoint:
    return entry_of_file(target.path) if target.path is not None else entry_of_module(target.module or "")


def _find(target: Target, module: ModuleType, path: Path, known: str | None) -> tuple[str, AgentKind]:
    """The agent's name and kind: the one that was named, else the one that is `known`, else the only one."""
    if target.name is not None:
        return target.name, _kind_of(module, target.name, path)
    found = _factories_in(module) or _agents_in(module)
    if len(found) != 1 and (plan := plan_in(module, path)) is not None:
        return getattr(plan.entrypoint, "__name__", ""), "entrypoint"
    if len(found) > 1:
        # The one that a LiveKit entrypoint starts; the others are handed over to.
        started = [known] if known in dict(found) else started_agents(path)
        found = [entry for entry in found if entry[0] in started] or found
    if not found:
        raise AgentLoadError(_no_agent(module, path), path=str(path))
    if len(found) > 1:
        written = short_path(path) if target.path else target.module
        names = " or ".join(f"{written}:{name}" for name, _ in found)
        problem = f"{short_path(path)} has {len(found)} agents: say which, {names}"
        raise AgentLoadError(problem, path=str(path), choices=[name for name, _ in found])
    return found[0]


def _install_compat(source: Path) -> None:
    try:
        compat.install()
    except ImportError as exc:
        raise AgentLoadError(f"{short_path(source)}: can't be loaded: {exc}", path=str(source)) from exc


def _notes(path: Path) -> tuple[str, ...]:
    return (COMPAT_NOTE.format(short_path(path)),) if uses_livekit_agents(path) else ()


def _factories_in(module: ModuleType) -> list[tuple[str, AgentKind]]:
    """Functions of this module that say that they return an `AgentSession`."""
    return [
        (name, "factory")
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and _makes_session(value)
    ]


def _agents_in(module: ModuleType) -> list[tuple[str, AgentKind]]:
    """The module's agents; instances are what the author made on purpose, so they go before classes."""
    from agent_runtime.voice.agent import Agent

    public = [(name, value) for name, value in vars(module).items() if not name.startswith("_")]
    instances: dict[int, tuple[str, AgentKind]] = {}
    for name, value in public:
        if isinstance(value, Agent):
            instances.setdefault(id(value), (name, "instance"))
    if instances:
        return list(instances.values())
    return [
        (name, "class")
        for name, value in public
        if isinstance(value, type)
        and issubclass(value, Agent)
        and value.__module__ == module.__name__
        and value.__name__ == name
        and not _required_parameters(value)
    ]


def _kind_of(module: ModuleType, name: str, path: Path) -> AgentKind:
    from agent_runtime.voice.agent import Agent

    value = getattr(module, name, None)
    if value is None:
        known = [found for found, _ in _factories_in(module) + _agents_in(module)]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}" if known else "it has no agent"
        raise AgentLoadError(f"{short_path(path)} has nothing named {name}: {hint}", path=str(path))
    if isinstance(value, Agent):
        return "instance"
    if not callable(value) or (isinstance(value, type) and not issubclass(value, Agent)):
        raise AgentLoadError(f"{name} in {short_path(path)} is no agent: name an Agent class", path=str(path))
    if required := _required_parameters(value):
        raise AgentLoadError(
            f"{name} in {short_path(path)} needs {', '.join(required)}: give defaults, or make an instance in the file",
            path=str(path),
            line=_line_of(value),
        )
    return "class" if isinstance(value, type) else "factory"


def _required_parameters(value: Callable[..., Any]) -> list[str]:
    positional_or_keyword = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        parameter.name
        for parameter in inspect.signature(value).parameters.values()
        if parameter.default is inspect.Parameter.empty and parameter.kind not in positional_or_keyword
    ]


def _makes_session(function: Callable[..., Any]) -> bool:
    # The annotation may be a string; a name in it is all that is needed, and evaluating it could fail.
    annotation = function.__annotations__.get("return", "")
    return "AgentSession" in str(annotation) and not _required_parameters(function)


def _line_of(value: Any) -> int | None:
    try:
        return inspect.getsourcelines(value)[1]
    except (OSError, TypeError):
        return None


def _no_such_file(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder: name the agent's file in it"
    folder = path.parent
    if not folder.is_dir():
        return f"there is no file {path}, nor a folder {folder}: check the path"
    near = difflib.get_close_matches(path.stem, [p.stem for p in folder.glob("*.py")], n=1)
    hint = f"did you mean {folder / near[0]}.py?" if near else "check the path"
    return f"there is no file {path}: {hint}"


def _no_agent(module: ModuleType, path: Path) -> str:
    """Why nothing was found, by the likeliest reason."""
    from agent_runtime.voice.agent import Agent

    where = short_path(path)
    for name, value in vars(module).items():
        if isinstance(value, type) and issubclass(value, Agent) and value.__module__ == module.__name__:
            needs = ", ".join(_required_parameters(value))
            return f"{name} in {where} needs {needs}: give defaults, or make an instance in the file"
    if type(getattr(module, "server", None)).__name__ == "AgentServer":
        return (
            f"{where} makes an AgentServer without an entrypoint: put @server.rtc_session() above the function for it"
        )
    if inspect.isfunction(getattr(module, "entrypoint", None)):
        return f"{where} has an entrypoint that nothing runs: give it to cli.run_app, or @server.rtc_session()"
    return f"there is no agent in {where}: write a class that extends agent_runtime.Agent"
