"""What a module says about the worker that runs it."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

from agent_runtime.compat.source import names_a_worker, worker_functions

if TYPE_CHECKING:
    from agent_runtime.worker.plan import JobPlan
    from agent_runtime.worker.server import AgentServer

_PREFERRED: Final = ("app", "server", "agent")
"""Where a worker is looked for first in its module."""


def server_in(module: ModuleType) -> AgentServer | None:
    """The module's worker; with several, the one whose name says most."""
    if "agent_runtime.worker.server" not in sys.modules:
        return None  # nobody can have made one
    from agent_runtime.worker.server import AgentServer

    found = {name: value for name, value in vars(module).items() if isinstance(value, AgentServer)}
    return next((found[name] for name in (*_PREFERRED, *found) if name in found), None)


def plan_in(module: ModuleType, path: Path) -> JobPlan | None:
    """The functions of the module's worker, also where that is made only if the file is the program."""
    server = server_in(module)
    if server is not None and server._entrypoint_fnc is not None:
        from agent_runtime.worker.plan import JobPlan

        return JobPlan(server._entrypoint_fnc, server.setup_fnc, server._session_end_fnc)
    names = worker_functions(path) if names_a_worker(path) else None
    entrypoint, setup = (getattr(module, name, None) for name in names or ("", ""))
    if not inspect.iscoroutinefunction(entrypoint):
        return None
    from agent_runtime.worker.plan import JobPlan

    return JobPlan(entrypoint, setup)
