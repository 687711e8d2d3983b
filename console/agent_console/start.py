"""From checked flags to a running console, and back to the shell."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from agent_console.data import data_folder
from agent_runtime import stand_ins
from agent_runtime.agent_loader import LoadedAgent, Target, load_agent, parse_target
from agent_runtime.errors import AgentConsoleError, AgentLoadError, ConfigError
from agent_runtime.settings_places import anything_is_set, user_config_file

if TYPE_CHECKING:
    from textual.app import App

    from agent_console.scenario_runs import ScenarioRuns
    from agent_console.state.budgets import Budgets
    from agent_console.terminal import TerminalGuard
    from agent_runtime.settings import Settings
    from agent_runtime.settings_layers import ResolvedSettings

EXIT_TIMEOUT: Final = 0.5
"""Seconds for what is to be done when the process ends."""
A = TypeVar("A", bound="App[None]")
DEFAULT_AGENT: Final = "minimal_assistant.py"

native = logging.getLogger("agent_runtime.native")


def start(agent: str | None, flags: Mapping[str, Any], config_file: Path | None, *, plain: bool = False) -> NoReturn:
    """Check everything that can be wrong, then open the console, and end the process when it is closed.

    `plain` opens no screen: the session is told in lines of text.

    Raises AgentConsoleError, with the terminal untouched, for what the user can put right. What is wrong in a file of
    settings is left out and told.
    """
    target = parse_target(agent) if agent is not None else None
    if not flags and config_file is None and not anything_is_set(folder := _folder_of(target).resolve(), os.environ):
        # The first calls that anybody makes. No setting can be wrong, so they needn't hold up the first frame.
        target, load = _chosen(target)
        settings, options = (lambda: _defaults(folder)), {"mode": "local"}
    else:
        resolved, target = resolve(agent, flags, config_file, lenient=True)
        usable = with_what_is_there(resolved)
        target, load = _chosen(target)
        settings, options = (lambda: usable.settings), _app_options(usable)
    if plain:
        for text in options.get("notices", ()):
            print(f"agent-console: {text}", file=sys.stderr)
        run_in_lines(settings, load)
    check_terminal()
    test_flags = [f"--llm={flags['llm']}"] if flags.get("llm") else []
    test_flags += [f"--config={config_file}"] if config_file is not None else []
    run_console(settings, options, load, _scenarios(target, test_flags))


def check_settings(agent: str | None, flags: Mapping[str, Any], config_file: Path | None) -> None:
    """Raise AgentConsoleError for what would keep a console from starting so. The agent's code isn't run."""
    resolved, _ = resolve(agent, flags, config_file, lenient=True)
    with_what_is_there(resolved)


def _folder_of(target: Target | None) -> Path:
    """Where the agent's own settings stand."""
    return target.path.parent if target is not None and target.path is not None else Path.cwd()


def _defaults(folder: Path) -> Settings:
    from agent_runtime.settings_layers import load_settings

    return load_settings(folder=folder).settings


def loader(target: Target | None) -> Callable[[], LoadedAgent]:
    """What gives the agent. A user's file is run now, so that what is wrong with it is said before the console opens.

    The bundled agent is known to run, and needn't hold up the first frame.
    """
    if target is not None:
        loaded = load_here(target)
        return lambda: loaded
    return lambda: load_agent(Target(data_folder("examples") / DEFAULT_AGENT, None))


def _chosen(target: Target | None) -> tuple[Target | None, Callable[[], LoadedAgent]]:
    """The agent, which a person is asked for where a file has several."""
    try:
        return target, loader(target)
    except AgentLoadError as exc:
        from agent_console.choosing import choose

        if target is None:
            raise
        target = choose(target, exc)
    return target, loader(target)


def load_here(target: Target) -> LoadedAgent:
    """Load an agent that is talked to here: what it asks for and can't be had, the console's own parts stand in for."""
    stand_ins.allow()
    return load_agent(target)


def resolve(
    agent: str | None, flags: Mapping[str, Any], config_file: Path | None, *, lenient: bool = False
) -> tuple[ResolvedSettings, Target | None]:
    """The settings, and the agent that they are for: the one given, else the configured one; None is the bundled one.

    What the agent's `.env` holds is in the environment from then on, for the agent's own code. `lenient` is
    `load_settings`'s.
    """
    from agent_runtime.settings_layers import load_settings

    target = parse_target(agent) if agent is not None else None
    resolved = load_settings(flags, folder=_folder_of(target), project_file=config_file, lenient=lenient)
    for name, value in resolved.dotenv.items():
        os.environ.setdefault(name, value)
    if target is None and resolved.settings.agent is not None:
        try:
            target = parse_target(resolved.settings.agent)
        except AgentLoadError as exc:
            raise ConfigError(resolved.origins["agent"], "agent", str(exc)) from exc
    return resolved, target


def with_what_is_there(resolved: ResolvedSettings) -> ResolvedSettings:
    """The settings without files and themes that can't be used.

    Raises ConfigError for one that a flag or a variable names: it was meant for this very call.
    """
    for name, problem in _not_there(resolved):
        resolved = resolved.without(name, problem)
    return resolved


def _not_there(resolved: ResolvedSettings) -> Iterator[tuple[str, str]]:
    """Settings that name what can't be read, written or drawn with, and why not."""
    if (wav := resolved.settings.audio.input_wav) is not None:
        from agent_runtime.errors import MediaError
        from agent_runtime.media.wav import WavReader

        try:
            WavReader(wav).close()
        except MediaError as exc:
            yield "audio.input_wav", str(exc)
    for name in ("audio.output_wav", "events"):
        path: Path | None = resolved.get(name)
        if path is not None and not path.absolute().parent.is_dir():
            yield name, f"there is no folder {path.absolute().parent}: make it first"
    if (theme := resolved.settings.theme) is not None and (problem := _theme_problem(theme)):
        yield "theme", problem


def _theme_problem(wanted: str) -> str:
    """Why there is no theme of this name, and which there are; empty if there is one."""
    from textual.theme import BUILTIN_THEMES

    from agent_console.themes import load_themes

    found = load_themes([user_themes_folder()])
    known = sorted({theme.name for theme in found.themes} | set(BUILTIN_THEMES))
    if wanted in known:
        return ""
    broken = [str(problem) for problem in found.problems if problem.file.stem == wanted]
    return broken[0] if broken else f"there is no theme {wanted!r}: use {', '.join(known)}"


def user_themes_folder() -> Path:
    """Where people put themes of their own."""
    return user_config_file().parent / "themes"


def _scenarios(target: Target | None, flags: Sequence[str]) -> ScenarioRuns:
    """The scenarios of the agent's project: below the current folder if the agent is there, else below its own."""
    from agent_console.scenario_runs import ScenarioRuns

    here, file = Path.cwd(), data_folder("examples") / DEFAULT_AGENT
    if target is not None:
        if target.path is None:
            return ScenarioRuns(here, str(target), flags)
        file = target.path
    folder = here if target is None or here in file.parents else file.parent
    name = f":{target.name}" if target is not None and target.name else ""
    return ScenarioRuns(folder, f"{file}{name}", flags)


def run_console(
    settings: Callable[[], Settings],
    options: Mapping[str, Any],
    load: Callable[[], LoadedAgent],
    scenarios: ScenarioRuns | None = None,
) -> NoReturn:
    """Open the console on the terminal and stay until it is closed; then end the process with its exit code."""
    from agent_console.app import ConsoleApp
    from agent_console.local import LocalBackend
    from agent_console.prices import FILE as PRICES
    from agent_console.prices import load_prices

    backend = LocalBackend(settings, load)
    prices, wrong = load_prices(user_config_file().parent / PRICES)
    given = {**options, "notices": [*options.get("notices", ()), *wrong], "scenarios": scenarios}
    run_app(
        lambda: ConsoleApp(backend, theme_folders=[user_themes_folder()], prices=prices, **given),
        backend.stop,
        lambda app: _where_it_is_recorded(app.state.recorded),
    )


def _where_it_is_recorded(folder: str | None) -> str:
    from agent_console.state.paths import for_shell

    return "" if folder is None else f"recorded: agent-console replay {for_shell(folder)}"


def run_app(
    make: Callable[[], A], stop: Callable[[], object], last_word: Callable[[A], str] = lambda app: ""
) -> NoReturn:
    """Run an app on the terminal until it is closed, call `stop`, and end the process with the app's exit code.

    `last_word` gives what stands in the terminal afterwards.
    """
    from agent_console.terminal import TerminalGuard

    with TerminalGuard(native.info) as guard:
        app = make()
        _exit_on_signals(app, guard)
        try:
            app.run()
        finally:
            stop()
    if sys.stdout.isatty() and (word := last_word(app)):
        print(word)
    leave(app.return_code or 0)


def check_terminal() -> None:
    """Raise AgentConsoleError where there is no terminal to draw on; a browser is one, by Textual's driver for it."""
    if "WebDriver" not in os.environ.get("TEXTUAL_DRIVER", "") and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise AgentConsoleError(
            "the console needs a terminal on standard input and standard error: "
            "run it without a pipe or redirection, or with --plain"
        )


def run_in_lines(settings: Callable[[], Settings], load: Callable[[], LoadedAgent]) -> NoReturn:
    """Tell the session in lines of text until it is closed; then end the process with its exit code."""
    from agent_console.local import LocalBackend
    from agent_console.plain import line_printer, run_plain

    leave(run_plain(LocalBackend(settings, load), sys.stdin, line_printer(sys.stdout)))


def budgets_of(settings: Settings) -> Budgets:
    """How long an answer and its parts may take."""
    from agent_console.state.budgets import Budgets

    seconds = settings.budgets.model_dump(exclude_none=True)
    return Budgets(seconds.pop("answer"), seconds)


def _app_options(resolved: ResolvedSettings) -> dict[str, Any]:
    settings = resolved.settings
    options: dict[str, Any] = {
        "mode": "text" if settings.text else "local",
        "keymap": settings.keys,
        "places": resolved.origins,
        "budgets": budgets_of(settings),
        "notices": [str(problem) for problem in resolved.problems],
    }
    return options if settings.theme is None else options | {"theme": settings.theme}


def _exit_on_signals(app: App[None], guard: TerminalGuard) -> None:
    """Close the console properly when the process is told to end; at once when it is told twice."""
    seen: set[int] = set()

    def handle(number: int, frame: FrameType | None) -> None:
        if seen:
            guard.restore()
            os._exit(128 + number)
        seen.add(number)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # before or after the app's own run
            raise SystemExit(128 + number) from None
        loop.call_soon_threadsafe(app.exit, None, 128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handle)


def leave(code: int) -> NoReturn:
    """End the process without waiting for its threads: a model that loads or a tool that blocks can't be stopped.

    What is to be done at exit (temporary files, child processes) is done, for as long as it takes up to `EXIT_TIMEOUT`.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    # The interpreter itself would first wait for every worker thread.
    last_words = threading.Thread(target=atexit._run_exitfuncs, name="exit", daemon=True)
    last_words.start()
    last_words.join(EXIT_TIMEOUT)
    os._exit(code)
