"""New code into a running conversation, through the real runtime and the real file system."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent_runtime.events import (
    ReloadFailed,
    ReloadFinished,
    ReloadPending,
    SessionStarted,
    SpeechFinished,
    ToolFinished,
)
from tests.integration.test_runtime_host import Console

AGENT = """
from pathlib import Path
from agent_runtime import Agent, AgentSession, function_tool
from agent_runtime.testing import Answer, ScriptedLLM
from desk import Desk

def session() -> AgentSession:
    answers = {"look": Answer(tool_calls=[("look", "{}")]), "hello": Answer("Hi there.")}
    return AgentSession(llm=ScriptedLLM([Answer("done")] * 9, by_input=answers), vad=None), Desk()
"""
DESK = """
import asyncio
from pathlib import Path
from agent_runtime import Agent, function_tool
from words import RESULT

class Desk(Agent):
    def __init__(self):
        super().__init__(instructions=Path(__file__).with_name("prompt.md").read_text())

    @function_tool
    async def look(self) -> str:
        '''Look.'''
        return RESULT
"""


class Scene:
    def __init__(self, folder: Path, desk: str = DESK) -> None:
        self.folder = folder
        self.write("prompt.md", "Be brief.")
        self.write("words.py", "RESULT = 'one'\n")
        self.write("desk.py", desk)
        self.console = Console(folder, AGENT, reload=True)
        self.console.host.start(self.console.sink)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def all(self, kind: type) -> list:
        return [event.data for event in self.console.events if isinstance(event.data, kind)]

    def next(self, kind: type, act: Callable[[], object]) -> object:
        """What is told next of a kind after `act`."""
        before = len(self.all(kind))
        act()
        self.console.wait(lambda _: len(self.all(kind)) > before)
        return self.all(kind)[before]

    def look(self) -> str:
        """What the tool gives now."""
        self.next(SpeechFinished, lambda: self.console.host.send_text("look"))
        finished = [event.data for event in self.console.events if isinstance(event.data, ToolFinished)]
        return finished[-1].output


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Scene]]:
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path])
    scenes: list[Scene] = []

    def make(desk: str = DESK) -> Scene:
        scenes.append(Scene(tmp_path, desk))
        return scenes[-1]

    yield make
    for scene in scenes:
        assert scene.console.host.stop(10)
    for name in ("hosted_agent", "desk", "words", "late"):
        sys.modules.pop(name, None)


@pytest.fixture
def scene(start: Callable[..., Scene]) -> Scene:
    made = start()
    made.console.of(SessionStarted)
    return made


def test_a_module_that_the_agents_module_imports_is_saved(scene: Scene) -> None:
    assert scene.look() == "one"
    finished = scene.next(ReloadFinished, lambda: scene.write("words.py", "RESULT = 'two'\n"))
    assert isinstance(finished, ReloadFinished)
    assert finished.modules == ("hosted_agent", "desk", "words")
    assert finished.diff == ""
    assert 0 < finished.duration < 10
    assert scene.look() == "two"
    scene.console.host.send_text("hello")
    scene.console.said("assistant", "Hi there.")
    assert len([e for e in scene.console.events if isinstance(e.data, SessionStarted)]) == 1


def test_a_prompt_that_the_agent_reads_when_it_is_made_is_saved(scene: Scene) -> None:
    finished = scene.next(ReloadFinished, lambda: scene.write("prompt.md", "Be kind."))
    assert isinstance(finished, ReloadFinished)
    assert "+Be kind." in finished.instructions


def test_a_broken_save_leaves_the_old_code_talking_and_the_next_one_is_tried(scene: Scene) -> None:
    failed = scene.next(ReloadFailed, lambda: scene.write("words.py", "RESULT = (\n"))
    assert isinstance(failed, ReloadFailed)
    assert (Path(failed.file).name, failed.line) == ("words.py", 1)
    assert scene.look() == "one"
    scene.next(ReloadFinished, lambda: scene.write("words.py", "RESULT = 'two'\n"))
    assert scene.look() == "two"


def test_a_file_that_was_imported_in_vain_is_written_afterwards(scene: Scene) -> None:
    scene.next(ReloadFailed, lambda: scene.write("words.py", "from late import RESULT\n"))
    scene.next(ReloadFinished, lambda: scene.write("late.py", "RESULT = 'late'\n"))
    assert scene.look() == "late"
    scene.next(ReloadFinished, lambda: scene.write("late.py", "RESULT = 'later'\n"))
    assert scene.look() == "later"


def test_an_editor_that_saves_by_renaming_and_a_file_that_goes_and_comes_back(scene: Scene) -> None:
    new = scene.write("words.py~", "RESULT = 'two'\n")
    scene.next(ReloadFinished, lambda: os.replace(new, scene.folder / "words.py"))
    assert scene.look() == "two"
    (scene.folder / "words.py").unlink()
    assert scene.look() == "two"
    scene.next(ReloadFinished, lambda: scene.write("words.py", "RESULT = 'back'\n"))
    assert scene.look() == "back"


def test_ten_saves_in_a_second_bring_in_the_last(scene: Scene) -> None:
    def save() -> None:
        for number in range(10):
            scene.write("words.py", f"RESULT = '{number}'\n")
            time.sleep(0.05)

    scene.next(ReloadFinished, save)
    assert scene.look() == "9"
    assert scene.all(ReloadFailed) == []


def test_a_save_while_a_tool_runs_is_shown_as_pending_and_comes_after_it(scene: Scene) -> None:
    gate = scene.folder / "gate"
    waiting = DESK.replace(
        "return RESULT", f"while not Path({str(gate)!r}).exists(): await asyncio.sleep(0.01)\n        return RESULT"
    )
    scene.next(ReloadFinished, lambda: scene.write("desk.py", waiting))
    scene.console.host.send_text("look")
    scene.console.wait(lambda event: getattr(event.data, "type", "") == "tool_started")
    pending = scene.next(ReloadPending, lambda: scene.write("words.py", "RESULT = 'two'\n"))
    assert isinstance(pending, ReloadPending)
    assert pending.waits_for == "tool"
    finished = scene.next(ReloadFinished, lambda: gate.write_text(""))
    assert isinstance(finished, ReloadFinished)
    assert finished.waited > 0
    assert [data.output for data in scene.all(ToolFinished)] == ["one"]
    assert scene.look() == "two"


def test_an_agent_that_cannot_be_made_at_the_start_is_made_once_a_module_that_it_imports_is_put_right(
    start: Callable[..., Scene],
) -> None:
    scene = start(DESK.replace("super()", "self.missing(); super()"))
    failed = scene.console.of(ReloadFailed).data
    assert isinstance(failed, ReloadFailed)
    assert "session can't be made: AttributeError" in failed.message
    assert Path(failed.file).name == "desk.py"
    scene.write("desk.py", DESK)
    scene.console.of(SessionStarted)
    assert scene.look() == "one"
    assert "missing" not in sys.modules["desk"].Desk.__init__.__code__.co_names
