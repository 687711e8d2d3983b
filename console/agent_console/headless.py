"""`agent-console --headless`: the agent as a worker, without a screen and without what draws one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent_console.data import data_folder
from agent_console.start import DEFAULT_AGENT, resolve
from agent_runtime.agent_loader import Target
from agent_runtime.settings_layers import DEFAULT_ORIGIN


def serve_headless(agent: str | None, flags: Mapping[str, Any], config_file: Path | None, **options: Any) -> int:
    """Serve until it is told to stop; the exit code.

    The profile is `prod` unless something says otherwise. `options` are the worker's; None is one that wasn't given.

    Raises AgentConsoleError for what the user can put right.
    """
    resolved, target = resolve(agent, flags, config_file)
    if resolved.origins.get("profile", DEFAULT_ORIGIN) == DEFAULT_ORIGIN:
        resolved, target = resolve(agent, {**flags, "profile": "prod"}, config_file)
    from agent_runtime.worker.headless import serve_target

    target = target or Target(data_folder("examples") / DEFAULT_AGENT, None)
    options["num_idle_processes"] = options.pop("idle_processes", None)
    given = {name: value for name, value in options.items() if value is not None}
    return serve_target(target, resolved.settings, **given)
