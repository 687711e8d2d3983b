"""The variables of the agent's `.env`, kept in step with the file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from agent_runtime.errors import AgentLoadError, ConfigError
from agent_runtime.project.exchange import MISSING, Exchange
from agent_runtime.project.failures import short_path


def read_environment(file: Path) -> dict[str, str]:
    """The variables of a `.env`; none where there is no such file. Raises AgentLoadError if it can't be read."""
    if not file.is_file():
        return {}
    from agent_runtime.settings_layers import read_dotenv  # takes longer to import than most agents to load

    try:
        return read_dotenv(file)
    except ConfigError as exc:
        raise AgentLoadError(f"{short_path(file)}: {exc.problem}", path=str(file)) from exc


def environment_exchange(before: Mapping[str, str], after: Mapping[str, str], exchange: Exchange) -> None:
    """Have variables that came from the file follow it. One that was set otherwise, in the shell for one, stays."""
    for name in {**before, **after}:
        now = os.environ.get(name)
        if now == before.get(name) and now != after.get(name):
            exchange.add(os.environ, name, MISSING if now is None else now, after.get(name, MISSING))
