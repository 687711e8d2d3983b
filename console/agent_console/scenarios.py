"""What the command `test` does with scenario files."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from agent_runtime.errors import AgentConsoleError, AgentLoadError, ScenarioError
from agent_runtime.evals.report import (
    Answered,
    Check,
    Happening,
    Said,
    ScenarioResult,
    as_json,
    as_junit,
    table,
)
from agent_runtime.evals.runner import RunOptions, run_scenario
from agent_runtime.evals.scenario import SUFFIXES, ScenarioFile, line_of_agent, load_scenarios, scenario_files
from agent_runtime.records import record

if TYPE_CHECKING:
    from agent_runtime.agent_loader import LoadedAgent
    from agent_runtime.settings_layers import ResolvedSettings

FAILED: Final = 1
"""Exit code when a scenario failed."""


@record(frozen=True, slots=True)
class Reports:
    """Where reports go besides the table."""

    junit: Path | None = None
    json: Path | None = None
    lines: bool = False
    """Whether a line of JSON for each thing that happens takes the place of what people read."""


def has_scenarios(source: Path) -> bool:
    """Whether it is a scenario file or a folder of them rather than a bundle."""
    if source.is_dir():
        return not (source / "bundle.json").exists() and any(next(source.rglob(f"*{s}"), None) for s in SUFFIXES)
    return source.suffix in SUFFIXES


def run_scenarios(
    source: Path,
    agent: str | None,
    *,
    only: str | None = None,
    by: Literal["text", "speech"] | None,
    judge: str | None,
    reports: Reports,
    flags: Mapping[str, Any],
    config_file: Path | None,
) -> int:
    """Run them all, or the one that is called `only`, and print what became of them; 0 if all passed.

    Raises AgentConsoleError, before anything is run, for a file that can't be used and an agent that can't be loaded.
    """
    for path in (reports.junit, reports.json):
        if path is not None and not path.absolute().parent.is_dir():
            raise AgentConsoleError(f"there is no folder {path.absolute().parent}: make it first")
    files = [(path, load_scenarios(path)) for path in scenario_files(source)]
    if only is not None and all(scenario.name != only for _, file in files for scenario in file.scenarios):
        raise ScenarioError(str(source), f"there is no scenario {only!r}")
    agents = [_agent(path, file, agent, flags, config_file) for path, file in files]
    results: list[ScenarioResult] = []
    tell = Teller(reports.lines)
    # What an agent prints may not come between lines that a program reads.
    with contextlib.redirect_stdout(sys.stderr if reports.lines else sys.stdout):
        for (path, file), (loaded, resolved) in zip(files, agents, strict=True):
            options = RunOptions(resolved.settings, by, judge or file.judge)
            for scenario in file.scenarios:
                if only in (None, scenario.name):
                    tell.begins(path, scenario.name)
                    results.append(run_scenario(scenario, loaded, options, file=str(path), tell=tell.happens))
                    tell.ends(results[-1])
    tell.over(results)
    if reports.junit is not None:
        reports.junit.write_text(as_junit(results), encoding="utf-8")
    if reports.json is not None:
        reports.json.write_text(as_json(results), encoding="utf-8")
    return 0 if all(result.passed for result in results) else FAILED


class Teller:
    """Prints what happens: as text, or each thing as a line of JSON.

    A line of JSON has a `type`: `begins` (`file`, `name`), then `said` (`line`), `answered` (`step`, `latency`) and
    `checked` (`step`, `what`, `problem`) in any number, then `ends` (`passed`, `problem`, `seconds`).
    """

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._out = sys.stdout

    def begins(self, path: Path, name: str) -> None:
        """A scenario begins."""
        if self._as_json:
            self._line("begins", {"file": str(path), "name": name})
        else:
            print(f"{path}: {name}", flush=True)

    def happens(self, what: Happening) -> None:
        """Something happens in it."""
        if self._as_json:
            self._line({Said: "said", Answered: "answered", Check: "checked"}[type(what)], asdict(what))
        elif isinstance(what, Said):
            print(f"  {what.line}", flush=True)

    def ends(self, result: ScenarioResult) -> None:
        """It is over."""
        if self._as_json:
            facts = {"passed": result.passed, "problem": result.problem, "seconds": round(result.seconds, 3)}
            self._line("ends", facts)

    def over(self, results: Sequence[ScenarioResult]) -> None:
        """All are over."""
        if not self._as_json:
            print(f"\n{table(results)}")

    def _line(self, kind: str, facts: Mapping[str, object]) -> None:
        print(json.dumps({"type": kind, **facts}), file=self._out, flush=True)


def _agent(
    path: Path, file: ScenarioFile, given: str | None, flags: Mapping[str, Any], config_file: Path | None
) -> tuple[LoadedAgent, ResolvedSettings]:
    from agent_console.start import load_here, resolve

    wanted = given
    if wanted is None and file.agent is not None:
        beside = path.parent / file.agent
        wanted = str(beside) if ".py" in file.agent else file.agent
    try:
        resolved, target = resolve(wanted, flags, config_file)
    except AgentLoadError as exc:
        if given is not None:
            raise
        raise ScenarioError(str(path), str(exc), line=line_of_agent(path), field="agent") from exc
    if target is None:
        raise ScenarioError(str(path), "it names no agent: write `agent: my_agent.py`, or give it after the file")
    return load_here(target), resolved
