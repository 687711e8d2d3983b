"""`agent-console --headless FILE`: serve an agent in production, whatever its file says of rooms."""

from __future__ import annotations

import logging
import os
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent_runtime import compat
from agent_runtime.agent_loader import Target
from agent_runtime.compat.source import names_a_worker, uses_livekit_agents
from agent_runtime.errors import AgentLoadError
from agent_runtime.project import load_code, short_path
from agent_runtime.project.finder import entry_of_file, entry_of_module
from agent_runtime.worker.access import PREFIX
from agent_runtime.worker.agent_file import AgentFile
from agent_runtime.worker.in_file import server_in
from agent_runtime.worker.logs import LogStyle
from agent_runtime.worker.server import AgentServer
from agent_runtime.worker.serving import ExitCode, serve

if TYPE_CHECKING:
    from agent_runtime.settings import Settings

logger = logging.getLogger(__name__)

PRELOAD: Final = "agent_runtime.worker.preload_embedded"
INITIALIZE_TIMEOUT: Final = 60.0
"""Seconds that a process gets to load the embedded models, beside others that do."""


def serve_target(target: Target, settings: Settings, **options: Any) -> int:
    """Serve what a file has: the worker that it describes, else its agent.

    Args:
        target: the file or module, and the name in it if one was given.
        settings: the checked settings.
        options: of `AgentServer`, as the command line has them; they go before the file's own. `agent_name`, with
            which the agent comes only where it is asked for, is one of them.

    Returns:
        The exit code, an `ExitCode`.

    Raises:
        AgentLoadError: the code can't be run, or there is no agent in it.
    """
    os.environ.update(_attach_variables(settings))
    style = LogStyle(settings.log_level.upper())
    style.set_up()
    options = _server_of(settings) | options | {"log_style": style}
    entry = entry_of_file(target.path) if target.path is not None else entry_of_module(target.module or "")
    if target.name is None and names_a_worker(entry.file):
        if uses_livekit_agents(entry.file):
            compat.install()
        server = server_in(load_code(entry).module)
        if server is None:
            return _run_as_program(entry.file, options)
    else:
        agent = AgentFile(target, settings)
        server = AgentServer(
            initialize_process_timeout=INITIALIZE_TIMEOUT, setup_fnc=agent.set_up, preload_modules=[PRELOAD]
        )
        server.rtc_session(agent)
    server._configure(**options)
    return serve(server)


def _server_of(settings: Settings) -> dict[str, Any]:
    """Which LiveKit server the settings name, as options."""
    livekit = settings.livekit
    key, secret = livekit.api_key, livekit.api_secret
    named = {
        "ws_url": livekit.url,
        "api_key": key.get_secret_value() if key is not None else None,
        "api_secret": secret.get_secret_value() if secret is not None else None,
    }
    return {name: value for name, value in named.items() if value is not None}


def _attach_variables(settings: Settings) -> dict[str, str]:
    """How consoles attach, as the worker reads it, wherever the settings had it from."""
    given = settings.attach.model_dump(exclude_defaults=True)
    if settings.attach.token is not None:
        given["token"] = settings.attach.token.get_secret_value()
    return {f"{PREFIX}{name.upper()}": str(value) for name, value in given.items()}


def _run_as_program(file: Path, options: dict[str, Any]) -> int:
    """Run a file whose worker is made where it is the program, as `python FILE start` does."""
    from agent_runtime.worker.run_app import given_options

    before = sys.argv
    sys.argv = [str(file), "start"]
    token = given_options.set(options)
    try:
        runpy.run_path(str(file), run_name="__main__")
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else ExitCode.FAILED
    finally:
        given_options.reset(token)
        sys.argv = before
    raise AgentLoadError(
        f"{short_path(file)} starts no worker: end it with cli.run_app(server), or make an AgentServer in it",
        path=str(file),
    )
