"""Runs a project's scenarios beside the conversation, each time on the code as it is on disk.

A run is `agent-console test FILE --lines` in a process of its own: it neither disturbs the conversation's modules and
sound nor depends on them, and it can be given up at any moment.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from agent_console.state.scenarios import ScenarioBook, ScenarioFileSeen, ScenarioSeen, StepSeen

if TYPE_CHECKING:
    from agent_runtime.errors import ScenarioError
    from agent_runtime.evals.scenario import Scenario, Step
    from agent_runtime.reload.watcher import FileWatcher

Pick = tuple[str, str | None]
"""A file, and a scenario of it by name or all of them."""

COMMAND: Final = (sys.executable, "-m", "agent_console")
_NOT_OURS: Final = frozenset({"node_modules", "__pycache__", "site-packages", "build", "dist", "venv"})
_LOOKS_LIKE_ONE: Final = re.compile(r"^scenarios\s*:", re.MULTILINE)
_MOST_FOLDERS: Final = 500
_MOST_WATCHED: Final = 40
"""Folders of code that are watched: the files in them are looked at several times a second."""


class ScenarioRuns:
    """The scenarios below a folder, and a thread that runs them.

    Args:
        folder: of the project.
        agent: the console's own, for files that name none; the bundled one if None.
        flags: more for `agent-console test`: `--llm openai`.
        command: what is called instead of this console.
    """

    def __init__(
        self, folder: Path, agent: str | None = None, flags: Sequence[str] = (), *, command: Sequence[str] = COMMAND
    ) -> None:
        self.book = ScenarioBook()
        """What is known now; another object when anything changed."""
        self.on_change: Callable[[], None] = lambda: None
        """Called from whatever thread when the book is another."""
        self._folder = folder
        self._agent = agent
        self._flags = flags
        self._command = command
        self._changed = threading.Condition()
        self._wanted: list[Pick] | None = None
        self._last: list[Pick] = []
        self._looks = self._repeats = False
        self._asked = False
        """Whether there is something to do since the thread last looked."""
        self._closed = False
        self._process: subprocess.Popen[str] | None = None
        self._watcher: FileWatcher | None = None
        self._watching = threading.Lock()
        self._thread: threading.Thread | None = None

    # --- requests, from the interface's thread; none of them waits ---------------------------------------------------

    def look(self) -> None:
        """Search the project for scenario files."""
        self._looks = True
        self._wake()

    def run(self, picks: Iterable[Pick]) -> None:
        """Run these now; a run that goes on is given up."""
        with self._changed:
            self._wanted = list(picks)
        self._end_process()
        self._wake()

    def run_all(self) -> None:
        """Run everything that can be."""
        self.run([(file.path, None) for file in self.book.files if file.scenarios])

    def stop(self) -> None:
        """Give up the run that goes on."""
        self.run([])

    def repeat(self, on: bool) -> None:
        """Make the last run again after each save, or don't; also while one goes on, which the thread waits for."""
        self._repeats = on
        self._wake()
        threading.Thread(target=self._watch, name="scenarios-watch", daemon=True).start()

    def close(self) -> None:
        """End everything."""
        self._closed = True
        self._end_process()
        self._wake()
        with self._watching:
            if self._watcher is not None:
                self._watcher.stop(wait=False)

    # --- the thread --------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="scenarios", daemon=True)
            self._thread.start()
        with self._changed:
            self._asked = True
            self._changed.notify_all()

    def _change(self, change: Callable[[ScenarioBook], ScenarioBook]) -> None:
        with self._changed:
            before, self.book = self.book, change(self.book)
        if self.book != before:
            self.on_change()

    def _work(self) -> None:
        while not self._closed:
            with self._changed:
                self._changed.wait_for(lambda: self._asked)
                self._asked = False
                looks, self._looks = self._looks, False
                wanted, self._wanted = self._wanted, None
            if looks:
                files = list(find_scenarios(self._folder))
                self._change(partial(ScenarioBook.with_files, files=files))
            self._watch()
            if wanted is not None:
                self._last = wanted or self._last
                self._run(wanted)

    def _run(self, picks: Sequence[Pick]) -> None:
        self._change(lambda book: book.given_up(""))
        chosen = {pick for pick in picks if pick[1] is not None}
        whole = {path for path, name in picks if name is None}

        def is_picked(scenario: ScenarioSeen) -> bool:
            return scenario.file in whole or (scenario.file, scenario.name) in chosen

        self._change(lambda book: book.changed(is_picked, ScenarioSeen.waiting))
        for path, name in picks:
            file = next((file for file in self.book.files if file.path == path), None)
            if file is None or self._wanted is not None or self._closed:
                break
            self._run_one(file, name)
        if self._wanted is not None:
            self._change(lambda book: book.given_up(""))

    def _run_one(self, file: ScenarioFileSeen, name: str | None) -> None:
        agent = [self._agent] if self._agent is not None and file.agent is None else []
        only = ["--only", name] if name is not None else []
        arguments = [*self._command, "test", file.path, *agent, "--lines", *only, *self._flags]
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
            with self._started(arguments, errors) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    self._read(line)
            errors.seek(0)
            last = errors.read().strip().rpartition("\n")[2]
        problem = last.removeprefix("agent-console: ") or f"the run ended with exit code {process.returncode}"
        given_up = self._wanted is not None or self._closed

        def mine(scenario: ScenarioSeen) -> bool:
            is_open = scenario.status in ("waiting", "running")
            return is_open and scenario.file == file.path and name in (None, scenario.name)

        if not given_up:
            self._change(
                lambda book: book.changed(mine, lambda scenario: replace(scenario, status="failed", problem=problem))
            )

    @contextlib.contextmanager
    def _started(self, arguments: Sequence[str], errors: IO[str]) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            arguments,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        with process:
            self._process = process
            if self._wanted is not None or self._closed:  # asked for while it was being started
                self._end_process()
            try:
                yield process
            finally:
                process.wait()
                self._process = None

    def _read(self, line: str) -> None:
        """Take a line; what an agent prints between them is none."""
        try:
            told = json.loads(line)
        except ValueError:
            return
        if isinstance(told, dict) and "type" in told:
            self._change(lambda book: book.told(told))

    def _end_process(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)  # the models that it started too

    # --- saves -------------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        with self._watching:
            if not self._closed:
                self._watch_what_is_there()

    def _watch_what_is_there(self) -> None:
        if not self._repeats:
            if self._watcher is not None:
                self._watcher.stop(wait=False)
                self._watcher = None
                self._change(lambda book: replace(book, repeats=False))
            return
        from agent_runtime.project import WatchList
        from agent_runtime.reload.watcher import FileWatcher

        files = frozenset(Path(file.path) for file in self.book.files) | {self._folder / ".env"}
        code = Path(self._agent).parent if self._agent is not None and ".py" in self._agent else self._folder
        watched = WatchList(files, any_python=frozenset(_folders(code)[:_MOST_WATCHED]))
        if self._watcher is None:
            self._watcher = FileWatcher(watched, self._saved)
            self._watcher.start()
            self._change(lambda book: replace(book, repeats=True))
        else:
            self._watcher.watch(watched)

    def _saved(self, files: frozenset[Path]) -> None:
        self._looks = True
        self.run(self._last)


def find_scenarios(folder: Path) -> Iterator[ScenarioFileSeen]:
    """Every scenario file in a folder and below it, also one that can't be used."""
    from agent_runtime.errors import ScenarioError
    from agent_runtime.evals.scenario import SUFFIXES, load_scenarios

    for below in _folders(folder):
        for path in sorted(file for file in below.iterdir() if file.suffix in SUFFIXES):
            shown = str(path.relative_to(folder))
            try:
                if not _LOOKS_LIKE_ONE.search(path.read_text("utf-8", errors="replace")):
                    continue
                file = load_scenarios(path)
            except OSError as exc:
                yield ScenarioFileSeen(str(path), shown, problem=f"it can't be read: {exc}")
            except ScenarioError as exc:
                yield ScenarioFileSeen(str(path), shown, problem=_told_shortly(exc))
            else:
                scenarios = tuple(ScenarioSeen(str(path), one.name, tuple(_steps(one))) for one in file.scenarios)
                agent = Path(file.agent).name if file.agent is not None and ".py" in file.agent else file.agent
                yield ScenarioFileSeen(str(path), shown, scenarios, agent)


def _told_shortly(exc: ScenarioError) -> str:
    where = f"line {exc.line}: " if exc.line is not None else ""
    return f"{where}{exc.field}: {exc.problem}" if exc.field else f"{where}{exc.problem}"


def _folders(top: Path) -> list[Path]:
    """The folder and those below it that are the user's own; the first `_MOST_FOLDERS` in somebody's whole disk."""
    found = []
    for name, folders, _ in os.walk(top):
        folders[:] = sorted(below for below in folders if not below.startswith(".") and below not in _NOT_OURS)
        found.append(Path(name))
        if len(found) == _MOST_FOLDERS:
            break
    return found


def _steps(scenario: Scenario) -> Iterator[StepSeen]:
    for number, step in enumerate(scenario.steps):
        following = scenario.steps[number + 1].expect if number + 1 < len(scenario.steps) else None
        yield _step(step, following.latency if following is not None else None)


def _step(step: Step, budget: float | None) -> StepSeen:
    if step.say is not None:
        return StepSeen("say", step.say, budget)
    if step.interrupt is not None:
        return StepSeen("interrupt", step.interrupt.say, budget)
    if step.wait is not None:
        return StepSeen("wait", f"{step.wait:g} s")
    assert step.expect is not None
    wanted = step.expect.model_dump(exclude_none=True)
    return StepSeen("expect", ", ".join(name for name in wanted))
