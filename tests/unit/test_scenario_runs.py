"""The scenarios of a project: found, run in a process of their own, given up, and run again after a save."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent_console.drawing.scenarios import row_lines, rows_of, summary
from agent_console.drawing.text import Line
from agent_console.scenario_runs import ScenarioRuns
from agent_console.state.scenarios import ScenarioBook

AGENT = """
from agent_runtime import Agent

class Desk(Agent):
    def __init__(self):
        super().__init__(instructions="Take orders.")
        print('{"type": "said"}')
"""
SCENARIOS = """
scenarios:
  - name: it greets
    answers: [Hello there.]
    steps:
      - say: hi
      - expect: {text: hello, latency: 5}
  - name: it sings
    answers: [La la.]
    steps:
      - say: sing
      - expect: {text: rain}
      - say: again
"""
PATIENCE = 60.0


class Runs(ScenarioRuns):
    """That can be waited for."""

    def __init__(self, folder: Path, **options: object) -> None:
        super().__init__(folder, str(folder / "desk.py"), **options)  # type: ignore[arg-type]  # as there
        self._seen = threading.Condition()
        self.on_change = self._note

    def _note(self) -> None:
        with self._seen:
            self._seen.notify_all()

    def until(self, holds: Callable[[ScenarioBook], bool]) -> ScenarioBook:
        with self._seen:
            assert self._seen.wait_for(lambda: holds(self.book), PATIENCE), self.book
        return self.book


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "desk.py").write_text(AGENT)
    (tmp_path / "evals").mkdir()
    (tmp_path / "evals" / "desk.yaml").write_text(SCENARIOS)
    return tmp_path


@pytest.fixture
def started(folder: Path) -> Iterator[Callable[..., Runs]]:
    made: list[Runs] = []

    def start(**options: object) -> Runs:
        made.append(Runs(folder, **options))
        made[-1].look()
        made[-1].until(lambda book: book.looked)
        return made[-1]

    yield start
    for runs in made:
        runs.close()


def text(*lines: Line) -> str:
    return "\n".join("".join(part for part, _ in line).rstrip() for line in lines)


def drawn(book: ScenarioBook) -> str:
    return text(*(line for row in rows_of(book) for line in row_lines(row, 70, True, 1.0)))


def test_files_are_found_and_a_wrong_one_is_named_beside_the_rest(folder: Path, started: Callable[..., Runs]) -> None:
    (folder / "evals" / "bad.yaml").write_text("scenarios:\n  - name: x\n    steps: [{sya: hi}]\n")
    (folder / "compose.yaml").write_text("services: {}\n")
    (folder / ".venv").mkdir()
    (folder / ".venv" / "theirs.yaml").write_text(SCENARIOS)
    book = started().book
    assert [file.shown for file in book.files] == ["evals/bad.yaml", "evals/desk.yaml"]
    assert book.files[0].problem == "line 3: scenarios.0.steps.0.sya: there is no such field"
    assert [scenario.name for scenario in book.scenarios] == ["it greets", "it sings"]
    shown = drawn(book)
    assert "line 3: scenarios.0.steps.0.sya: there is no such field" in shown.replace("\n      ", " ")
    assert "1 say hi" in shown
    assert text(summary(book)) == "2 scenarios"


def test_a_run_shows_each_step_with_its_wait_and_what_failed(started: Callable[..., Runs]) -> None:
    runs = started()
    runs.run_all()
    book = runs.until(lambda book: all(scenario.status in ("passed", "failed") for scenario in book.scenarios))
    greets, sings = book.scenarios
    assert (greets.status, greets.held, greets.problem) == ("passed", (2, 2), "")
    assert (sings.status, sings.held) == ("failed", (0, 1))
    assert greets.steps[0].latency is not None
    assert greets.steps[0].budget == 5
    assert greets.said == ("user: hi", "agent: Hello there."), "what the agent prints is no line of ours"
    assert "there was no answer within 60 s" in sings.problem
    shown = drawn(book)
    assert "s of 5 s" in shown
    assert "✓ text 'hello'" in shown
    assert "✗ text 'rain': the agent said 'La la.'" in shown
    assert text(summary(book)) == "✗ 1  ✓ 1"


def test_one_scenario_is_run_alone_and_a_search_keeps_what_became_of_it(started: Callable[..., Runs]) -> None:
    runs = started()
    (path,) = [file.path for file in runs.book.files]
    runs.run([(path, "it greets")])
    book = runs.until(lambda book: book.scenarios[0].status == "passed")
    assert book.scenarios[1].status == "new"
    Path(path).write_text(SCENARIOS.replace("La la.", "Fa la."))
    runs.look()
    Path(path).write_text(SCENARIOS.replace("say: hi", "say: good day"))
    runs.look()
    assert runs.until(lambda book: book.scenarios[0].steps[0].text == "good day").scenarios[0].status == "new"


def test_code_that_can_not_be_loaded_is_the_reason(folder: Path, started: Callable[..., Runs]) -> None:
    (folder / "desk.py").write_text("import nothing_of_the_kind\n")
    runs = started()
    runs.run_all()
    book = runs.until(lambda book: all(scenario.status == "failed" for scenario in book.scenarios))
    assert "desk.py:1: can't be loaded: there is no module nothing_of_the_kind" in book.scenarios[0].problem
    assert "there is no module nothing_of_the_kind" in drawn(book).replace("\n     ", " ")


def test_a_process_that_dies_says_so(started: Callable[..., Runs]) -> None:
    runs = started(command=[sys.executable, "-c", "import os; os._exit(7)"])
    runs.run_all()
    book = runs.until(lambda book: all(scenario.status == "failed" for scenario in book.scenarios))
    assert book.scenarios[0].problem == "the run ended with exit code 7"


ENDLESS = """
import json, sys, time
print(json.dumps({"type": "begins", "file": sys.argv[2], "name": "it greets"}), flush=True)
time.sleep(600)
"""


def test_a_run_is_given_up(started: Callable[..., Runs]) -> None:
    runs = started(command=[sys.executable, "-c", ENDLESS])
    runs.run_all()
    runs.until(lambda book: book.scenarios[0].status == "running")
    process = runs._process
    assert process is not None
    runs.stop()
    book = runs.until(lambda book: not book.is_running)
    assert [scenario.status for scenario in book.scenarios] == ["new", "new"]
    assert process.wait(PATIENCE) != 0


def test_closing_ends_the_run(started: Callable[..., Runs]) -> None:
    runs = started(command=[sys.executable, "-c", ENDLESS])
    runs.run_all()
    runs.until(lambda book: book.scenarios[0].status == "running")
    process = runs._process
    assert process is not None
    runs.close()
    assert process.wait(PATIENCE) != 0


def test_the_last_run_is_made_again_after_a_save(folder: Path, started: Callable[..., Runs]) -> None:
    runs = started()
    (path,) = [file.path for file in runs.book.files]
    runs.run([(path, "it greets")])
    runs.until(lambda book: book.scenarios[0].status == "passed")
    runs.repeat(True)
    assert text(summary(runs.until(lambda book: book.repeats))).endswith("on save")
    (folder / "evals" / "desk.yaml").write_text(SCENARIOS.replace("Hello there.", "Good day."))
    book = runs.until(lambda book: book.scenarios[0].status == "failed")
    assert "the agent said 'Good day.'" in drawn(book)
    runs.repeat(False)
    runs.until(lambda book: not book.repeats)


def test_while_a_run_goes_on_saves_are_watched_from_now_on(folder: Path, started: Callable[..., Runs]) -> None:
    runs = started(command=[sys.executable, "-c", ENDLESS])
    runs.run_all()
    runs.until(lambda book: book.scenarios[0].status == "running")
    first = runs._process
    runs.repeat(True)
    assert runs.until(lambda book: book.repeats).is_running
    (folder / "desk.py").write_text(AGENT + "# saved\n")
    assert first is not None
    assert first.wait(PATIENCE) != 0
    runs.until(lambda book: book.scenarios[0].status == "running" and runs._process is not first)
