"""The pages that are made from code are up to date, and the scenarios on theirs can be read."""

import re
from pathlib import Path

from agent_console import arguments
from agent_console.cli import COMMANDS as BY_NAME
from agent_runtime.evals import load_scenarios
from agent_runtime.evals.scenario import Expectation
from tests.support.reference_page import COMMANDS, PAGE, page

DOCS = PAGE.parent


def test_the_reference_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.support.reference_page"


def test_the_reference_has_every_command() -> None:
    there = {name for name in arguments.app if not name.startswith("-")}
    assert there == set(COMMANDS) - {""} == set(BY_NAME)


def test_the_scenarios_page_can_be_followed(tmp_path: Path) -> None:
    text = (DOCS / "scenarios.md").read_text(encoding="utf-8")
    [snippet] = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    file = tmp_path / "weather.yaml"
    file.write_text(snippet)
    assert len(load_scenarios(file).scenarios) == 2
    table = text.partition("| in `expect`")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`(?=[^|]*\|[^|]*\|$)", table, flags=re.MULTILINE)) >= set(
        Expectation.model_fields
    ) - {"text"}


def test_every_page_that_is_linked_is_there() -> None:
    for name in ("tutorial.md", "scenarios.md", "tour.md", "../README.md"):
        page_path = DOCS / name
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page_path.read_text(encoding="utf-8")):
            assert (page_path.parent / link).exists(), f"{name}: {link}"
