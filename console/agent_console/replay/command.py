"""What the command `replay` does."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from agent_runtime.bundle import Bundle
from agent_runtime.errors import AgentConsoleError, BundleError

if TYPE_CHECKING:
    from agent_console.replay.comparison_app import Run
    from agent_runtime.bundle.comparison import Comparison
    from agent_runtime.settings_layers import ResolvedSettings


def show(path: Path, *, speed: float, sound: bool, config_file: Path | None) -> NoReturn:
    """Open the console on a recording. Raises AgentConsoleError, with the terminal untouched."""
    from agent_console.replay.backend import ReplayBackend
    from agent_console.replay.transport import SPEEDS
    from agent_console.start import check_terminal, run_app, user_themes_folder, with_what_is_there
    from agent_runtime.settings_layers import load_settings

    if not SPEEDS[0] <= speed <= SPEEDS[-1]:
        raise AgentConsoleError(f"--speed {speed:g}: it has to be from {SPEEDS[0]:g} to {SPEEDS[-1]:g}")
    resolved = with_what_is_there(load_settings(project_file=config_file, lenient=True))
    settings = resolved.settings
    bundle = Bundle.open(path)
    notices = [*map(str, resolved.problems), *what_is_missing(bundle)]
    replay = ReplayBackend(bundle, speed=speed, sound=sound)
    options = {} if settings.theme is None else {"theme": settings.theme}
    check_terminal()

    def make() -> Any:
        from agent_console.replay.app import ReplayApp

        folders = [user_themes_folder()]
        keys = {"keymap": settings.keys, "places": resolved.origins}
        return ReplayApp(replay, notices=notices, theme_folders=folders, **keys, **options)

    run_app(make, replay.stop)


def list_newest(config_file: Path | None) -> int:
    """Print the newest bundles."""
    from agent_console.replay.listing import listing
    from agent_runtime.settings_layers import load_settings
    from agent_runtime.settings_places import recordings_folder

    resolved = load_settings(project_file=config_file, lenient=True)
    print(listing(resolved.settings.recordings or recordings_folder()))
    return 0


def what_is_missing(bundle: Bundle) -> list[str]:
    """What a person who looks at it has to know. Raises BundleError if there is nothing in it."""
    if bundle.is_empty:
        raise BundleError(str(bundle.folder), "holds no event: it was cut off before anything happened")
    if bundle.manifest.complete or not bundle.has_manifest:
        return []
    if bundle.is_being_written:
        return ["this is still being recorded: what comes after the moment it was opened isn't shown"]
    return ["the recording was cut off: it ends with the last whole event"]


def run_again(
    path: Path,
    agent: str | None,
    *,
    as_json: bool,
    plain: bool,
    output: Path | None,
    flags: Mapping[str, Any],
    config_file: Path | None,
) -> int:
    """Give the recorded user to the present code and show both beside each other; 1 if they differ.

    On a screen, or printed: as JSON, with `plain`, and where there is no terminal.
    """
    from agent_console.replay.report import report_json, report_text
    from agent_console.start import load_here, resolve
    from agent_runtime.bundle.rerun import rerun

    bundle = Bundle.open(path)
    wanted = agent or bundle.manifest.agent
    if not wanted:
        added = f"agent-console replay {path} my_agent.py --run"
        raise AgentConsoleError(f"{path} doesn't say which agent it is of: add its file, as in `{added}`")
    resolved, target = resolve(wanted, flags, config_file)
    if target is None:
        raise AgentConsoleError(f"{wanted!r} names no agent")

    def run(show: Any, tell: Any, given_up: Any) -> Comparison:
        return rerun(bundle, target, resolved, load=load_here, output=output, tell=tell, show=show, given_up=given_up)

    if not (as_json or plain) and sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty():
        _on_a_screen(path, run, resolved)
    terminal = sys.stderr  # while the session runs, what is printed goes to its log
    comparison = run(None, lambda text: print(text, file=terminal), lambda: False)
    print(report_json(comparison) if as_json else report_text(comparison))
    return 0 if comparison.same else 1


def _on_a_screen(path: Path, run: Run, resolved: ResolvedSettings) -> NoReturn:
    from agent_console.replay.comparison_app import ComparisonApp
    from agent_console.start import run_app, user_themes_folder

    theme = {} if resolved.settings.theme is None else {"theme": resolved.settings.theme}
    options = {**theme, "keymap": resolved.settings.keys, "places": resolved.origins}
    app = ComparisonApp(str(path), run, theme_folders=[user_themes_folder()], **options)
    run_app(lambda: app, app.give_up)
