"""What the command `replay` does."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from agent_runtime.bundle import Bundle
from agent_runtime.errors import AgentConsoleError


def show(path: Path, *, speed: float, sound: bool, config_file: Path | None) -> NoReturn:
    """Open the console on a recording. Raises AgentConsoleError, with the terminal untouched."""
    from agent_console.replay.backend import ReplayBackend
    from agent_console.replay.transport import SPEEDS
    from agent_console.start import check_terminal, run_app, user_themes_folder
    from agent_runtime.settings_layers import load_settings

    if not SPEEDS[0] <= speed <= SPEEDS[-1]:
        raise AgentConsoleError(f"--speed {speed:g}: it has to be from {SPEEDS[0]:g} to {SPEEDS[-1]:g}")
    settings = load_settings(project_file=config_file).settings
    replay = ReplayBackend(Bundle.open(path), speed=speed, sound=sound)
    options = {} if settings.theme is None else {"theme": settings.theme}
    check_terminal()

    def make() -> Any:
        from agent_console.replay.app import ReplayApp

        return ReplayApp(replay, theme_folders=[user_themes_folder()], keymap=settings.keys, **options)

    run_app(make, replay.stop)


def run_again(
    path: Path,
    agent: str | None,
    *,
    as_json: bool,
    output: Path | None,
    flags: Mapping[str, Any],
    config_file: Path | None,
) -> int:
    """Give the recorded user to the present code and print both beside each other; 1 if they differ."""
    from agent_console.replay.report import report_json, report_text
    from agent_console.start import resolve
    from agent_runtime.bundle.rerun import rerun

    bundle = Bundle.open(path)
    wanted = agent or bundle.manifest.agent
    if not wanted:
        raise AgentConsoleError(f"{path} doesn't say which agent it is of: name its file after the bundle")
    resolved, target = resolve(wanted, flags, config_file)
    if target is None:
        raise AgentConsoleError(f"{wanted!r} names no agent")
    terminal = sys.stderr  # while the session runs, what is printed goes to its log
    comparison = rerun(bundle, target, resolved, output=output, tell=lambda text: print(text, file=terminal))
    print(report_json(comparison) if as_json else report_text(comparison))
    return 0 if comparison.same else 1
