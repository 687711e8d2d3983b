"""What is known of a project's scenarios: what they say, and what became of the last run of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from agent_runtime.records import record

Status: TypeAlias = Literal["new", "waiting", "running", "passed", "failed"]


@record(frozen=True, slots=True)
class CheckSeen:
    """Something that was expected of an answer."""

    what: str
    problem: str
    """Why it doesn't hold; empty if it does."""


@record(frozen=True, slots=True)
class StepSeen:
    """A step, and what the last run brought of it."""

    verb: Literal["say", "interrupt", "wait", "expect"]
    text: str
    budget: float | None = None
    """Seconds that its answer may take, as the scenario expects."""
    latency: float | None = None
    """Seconds that its answer took."""
    checks: tuple[CheckSeen, ...] = ()


@record(frozen=True, slots=True)
class ScenarioSeen:
    """A scenario of a file."""

    file: str
    name: str
    steps: tuple[StepSeen, ...]
    status: Status = "new"
    problem: str = ""
    """Why it couldn't be run to its end."""
    seconds: float | None = None
    said: tuple[str, ...] = ()

    @property
    def held(self) -> tuple[int, int]:
        """How many of its checks held, and how many there were."""
        checks = [check for step in self.steps for check in step.checks]
        return sum(not check.problem for check in checks), len(checks)

    def waiting(self) -> ScenarioSeen:
        """As it is before a run."""
        steps = tuple(replace(step, latency=None, checks=()) for step in self.steps)
        return ScenarioSeen(self.file, self.name, steps, "waiting")


@record(frozen=True, slots=True)
class ScenarioFileSeen:
    """A file of scenarios."""

    path: str
    shown: str
    """Its path as people write it."""
    scenarios: tuple[ScenarioSeen, ...] = ()
    agent: str | None = None
    """The agent that it names, a file without its folder; the console's own runs if it names none."""
    problem: str = ""
    """Why it can't be used, by line and field."""


@record(frozen=True, slots=True)
class ScenarioBook:
    """All of them."""

    files: tuple[ScenarioFileSeen, ...] = ()
    looked: bool = False
    """Whether the project was searched."""
    repeats: bool = False
    """Whether the last run is made again after each save."""

    @property
    def scenarios(self) -> list[ScenarioSeen]:
        """Every scenario of every file."""
        return [scenario for file in self.files for scenario in file.scenarios]

    @property
    def is_running(self) -> bool:
        """Whether a run goes on."""
        return any(scenario.status in ("waiting", "running") for scenario in self.scenarios)

    def changed(
        self, wanted: Callable[[ScenarioSeen], bool], change: Callable[[ScenarioSeen], ScenarioSeen]
    ) -> ScenarioBook:
        """With some scenarios changed."""
        files = tuple(
            replace(file, scenarios=tuple(change(s) if wanted(s) else s for s in file.scenarios)) for file in self.files
        )
        return replace(self, files=files)

    def with_files(self, files: Sequence[ScenarioFileSeen]) -> ScenarioBook:
        """With what was found in the project; a scenario that is as it was keeps what became of it."""
        before = {(scenario.file, scenario.name): scenario for scenario in self.scenarios}

        def kept(scenario: ScenarioSeen) -> ScenarioSeen:
            old = before.get((scenario.file, scenario.name))
            same = old is not None and [(s.verb, s.text, s.budget) for s in old.steps] == [
                (s.verb, s.text, s.budget) for s in scenario.steps
            ]
            return old if same and old is not None else scenario

        return ScenarioBook(tuple(files), True, self.repeats).changed(lambda scenario: True, kept)

    def given_up(self, problem: str) -> ScenarioBook:
        """The run ended before these did."""
        return self.changed(
            lambda scenario: scenario.status in ("waiting", "running"),
            lambda scenario: replace(scenario, status="failed" if problem else "new", problem=problem),
        )

    def told(self, line: Mapping[str, Any]) -> ScenarioBook:
        """After a line of `agent-console test --lines`."""
        if line["type"] == "begins":
            return self.changed(
                lambda scenario: (scenario.file, scenario.name) == (line["file"], line["name"]),
                lambda scenario: replace(scenario.waiting(), status="running"),
            )
        return self.changed(lambda scenario: scenario.status == "running", lambda scenario: _told(scenario, line))


def _told(scenario: ScenarioSeen, line: Mapping[str, Any]) -> ScenarioSeen:
    if line["type"] == "said":
        return replace(scenario, said=(*scenario.said, line["line"]))
    if line["type"] == "ends":
        status: Status = "passed" if line["passed"] else "failed"
        return replace(scenario, status=status, problem=line["problem"], seconds=line["seconds"])
    index = line["step"] - 1
    steps = list(scenario.steps)
    if line["type"] == "answered":
        steps[index] = replace(steps[index], latency=line["latency"])
    else:
        checks = (*steps[index].checks, CheckSeen(line["what"], line["problem"]))
        steps[index] = replace(steps[index], checks=checks)
    return replace(scenario, steps=tuple(steps))
