"""What a run of scenarios brought, as a table, JSON and JUnit XML."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeAlias
from xml.etree import ElementTree

from agent_runtime.records import record


@record(frozen=True, slots=True)
class Check:
    """One thing that was expected."""

    step: int
    """The step's number in its scenario, from 1."""
    what: str
    problem: str = ""
    """Why it doesn't hold; empty if it does."""

    @property
    def passed(self) -> bool:
        """Whether it holds."""
        return not self.problem


@record(frozen=True, slots=True)
class Said:
    """Something was said or called."""

    line: str
    """`user: …`, `agent: …`, `tool: …`."""


@record(frozen=True, slots=True)
class Answered:
    """The agent answered."""

    step: int
    """The number of the step with the words that it answers, from 1."""
    latency: float | None
    """Seconds from the user's last word to the agent's first; None if it said nothing."""


Happening: TypeAlias = Said | Answered | Check
"""What a scenario that runs tells."""


@dataclass(slots=True)
class ScenarioResult:
    """What became of one scenario."""

    file: str
    name: str
    checks: list[Check] = field(default_factory=list)
    problem: str = ""
    """Why it couldn't be run to its end."""
    transcript: list[str] = field(default_factory=list)
    """What was said and called, a line each."""
    latencies: dict[int, float] = field(default_factory=dict)
    """Seconds that the user waited for each answer, by the number of the step that it answers."""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether it ran to its end and everything holds."""
        return not self.problem and all(check.passed for check in self.checks)

    @property
    def problems(self) -> list[str]:
        """What went wrong, a line each."""
        found = [f"step {check.step}: {check.what}: {check.problem}" for check in self.checks if not check.passed]
        return [*found, self.problem] if self.problem else found


def table(results: Sequence[ScenarioResult]) -> str:
    """For people: a line for each scenario; under one that failed why, and what was said."""
    width = max((len(result.name) for result in results), default=0)
    lines = []
    for result in results:
        word = "passed" if result.passed else "FAILED"
        held = sum(check.passed for check in result.checks)
        lines.append(f"{word}  {result.name:<{width}}  {held}/{len(result.checks)} held  {result.seconds:5.1f} s")
        if not result.passed:
            lines += [f"        {problem}" for problem in result.problems]
            lines += [f"          | {line}" for line in result.transcript]
    passed = sum(result.passed for result in results)
    return "\n".join([*lines, f"{passed} of {len(results)} scenarios passed"])


def as_json(results: Sequence[ScenarioResult]) -> str:
    """A JSON document with every check."""
    shown = [
        {
            **asdict(result),
            "passed": result.passed,
            "checks": [{**asdict(check), "passed": check.passed} for check in result.checks],
        }
        for result in results
    ]
    return json.dumps({"passed": all(result.passed for result in results), "scenarios": shown}, indent=2) + "\n"


def as_junit(results: Sequence[ScenarioResult]) -> str:
    """JUnit XML: a file is a suite, a scenario a case; one that couldn't be run is an error."""
    root = ElementTree.Element("testsuites")
    for file in dict.fromkeys(result.file for result in results):
        of_file = [result for result in results if result.file == file]
        errors = sum(bool(result.problem) for result in of_file)
        failures = sum(not result.passed for result in of_file) - errors
        numbers = {"tests": str(len(of_file)), "failures": str(failures), "errors": str(errors)}
        seconds = sum(result.seconds for result in of_file)
        suite = ElementTree.SubElement(root, "testsuite", {"name": file, **numbers, "time": f"{seconds:.3f}"})
        for result in of_file:
            names = {"classname": file, "name": result.name, "time": f"{result.seconds:.3f}"}
            case = ElementTree.SubElement(suite, "testcase", names)
            if not result.passed:
                kind = "error" if result.problem else "failure"
                found = ElementTree.SubElement(case, kind, {"message": _printable(result.problems[0])})
                found.text = _printable("\n".join(result.problems))
            ElementTree.SubElement(case, "system-out").text = _printable("\n".join(result.transcript))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _printable(text: str) -> str:
    """Without what XML can't hold."""
    return "".join(char if char.isprintable() or char in "\n\t" else "?" for char in text)
