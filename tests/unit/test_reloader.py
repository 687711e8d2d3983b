"""Bringing new code into a conversation, step by step; the session's side of it is played by the test."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from agent_runtime import Agent
from agent_runtime.agent_loader import load_agent, parse_target
from agent_runtime.clock import LoopClock
from agent_runtime.events import AnyEvent, EventStream, ReloadFailed, ReloadFinished, ReloadPending, ReloadStarted
from agent_runtime.project import WatchList
from agent_runtime.reload import Reloader, agent_diff
from agent_runtime.voice.swaps import WaitsFor
from agent_runtime.voice.turn import TurnHandlingOptions

AGENT = """
from agent_runtime import Agent, function_tool

class Greeter(Agent):
    def __init__(self):
        super().__init__(instructions="Say hello.\\nBe short.")

    @function_tool
    async def greet(self, name: str, times: int = 1) -> str:
        '''Greet someone.'''
        return name
"""


class Conversation:
    """A session that swaps when it is let."""

    def __init__(self, agent: Agent, events: EventStream) -> None:
        self.current_agent = agent
        self.events = events
        self.swapped: list[Agent] = []
        self.turn_handling: list[object] = []
        self.safe = asyncio.Event()
        self.safe.set()

    @property
    def swap_waits_for(self) -> WaitsFor | None:
        return None if self.safe.is_set() else "speech"

    def swap_agent(self, agent: Agent, *, cause: str, instead_of: Agent) -> asyncio.Future[bool]:
        return asyncio.ensure_future(self._swap(agent, instead_of))

    async def _swap(self, agent: Agent, instead_of: Agent) -> bool:
        await self.safe.wait()
        if self.current_agent is not instead_of:
            return False
        self.current_agent = agent
        self.swapped.append(agent)
        return True

    def update_options(self, *, turn_handling: TurnHandlingOptions) -> None:
        self.turn_handling.append(turn_handling)


class Scene:
    """A loaded agent, its reloader, and the conversation around it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: list[AnyEvent] = []
        self.watched: list[WatchList] = []
        self.userdata: object = None

    async def start(self) -> Scene:
        loaded = load_agent(parse_target(str(self.path)))
        agent, session = await loaded.build()
        stream = EventStream(session_id="s", clock=LoopClock(asyncio.get_running_loop()))
        stream.subscribe(self.events.append)
        self.conversation = Conversation(agent, stream)
        self.reloader = Reloader(
            loaded,
            agent,
            self.conversation,
            userdata=lambda: self.userdata,
            on_files=self.watched.append,
            turn_handling=session.options.turn_handling if session is not None else None,
        )
        if session is not None:
            await session.aclose()
        return self

    @property
    def agent(self) -> Agent:
        return self.conversation.current_agent

    @property
    def swapped(self) -> list[Agent]:
        return self.conversation.swapped

    @property
    def safe(self) -> asyncio.Event:
        return self.conversation.safe

    async def save(self, text: str) -> None:
        self.path.write_text(text)
        await asyncio.wait([self.reloader.request("save", frozenset({self.path}))])

    def of(self, kind: type) -> list:
        return [event.data for event in self.events if isinstance(event.data, kind)]


@pytest.fixture
async def scene(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "reloaded_agent.py"
    path.write_text(AGENT)
    yield await Scene(path).start()
    sys.modules.pop("reloaded_agent", None)


async def test_new_code_is_swapped_in_and_its_difference_told(scene):
    await scene.save(AGENT.replace("hello", "good morning"))
    assert [type(event.data) for event in scene.events] == [ReloadStarted, ReloadFinished]
    assert {event.cause for event in scene.events} == {"save"}
    assert scene.of(ReloadStarted)[0].files == ("reloaded_agent.py",)
    assert scene.swapped[0].instructions == "Say good morning.\nBe short."
    finished = scene.of(ReloadFinished)[0]
    assert finished.agent == "Greeter"
    assert finished.diff.splitlines()[2:] == [
        "@@ -1,5 +1,5 @@",
        " agent Greeter",
        " instructions:",
        "-  Say hello.",
        "+  Say good morning.",
        "   Be short.",
        " tool greet(name: string, times: integer = 1):",
    ]
    assert 0 <= finished.duration < 10


async def test_a_broken_file_is_told_and_the_next_save_tried(scene):
    await scene.save(AGENT + "\n1 / 0\n")
    failed = scene.of(ReloadFailed)[0]
    assert failed.message == "can't be loaded: ZeroDivisionError: division by zero"
    assert failed.file == str(scene.path)
    assert failed.line == AGENT.count("\n") + 2
    assert "1 / 0" in failed.traceback
    assert scene.swapped == []
    await scene.save(AGENT)
    assert len(scene.swapped) == 1
    assert scene.of(ReloadFinished)[0].diff == ""


async def test_an_agent_that_is_gone_or_can_not_be_made_is_a_failure(scene):
    await scene.save("x = 1\n")
    await scene.save(AGENT.replace("super()", "self.missing; super()"))
    assert [failed.message.split(":")[0] for failed in scene.of(ReloadFailed)] == [
        "there is no agent in reloaded_agent.py",
        "Greeter can't be made",
    ]
    assert scene.swapped == []


async def test_a_save_while_the_swap_waits_takes_its_place(scene):
    scene.safe.clear()
    scene.path.write_text(AGENT.replace("hello", "one"))
    first = scene.reloader.request("save")
    await asyncio.wait([first], timeout=0.3)
    scene.path.write_text(AGENT.replace("hello", "two"))
    second = scene.reloader.request("save")
    await asyncio.wait([second], timeout=0.3)
    scene.safe.set()
    await second
    assert first.cancelled()
    assert [agent.instructions.split(".")[0] for agent in scene.swapped] == ["Say two"]
    assert len(scene.of(ReloadFinished)) == 1


async def test_the_difference_is_to_the_code_in_use_not_to_the_last_attempt(scene):
    await scene.save(AGENT.replace("hello", "one"))
    await scene.save(AGENT + "\nraise ValueError\n")
    await scene.save(AGENT.replace("hello", "two"))
    assert "-  Say one." in scene.of(ReloadFinished)[1].diff
    assert "+  Say two." in scene.of(ReloadFinished)[1].diff


async def test_closing_gives_up_a_reload_under_way(scene):
    scene.safe.clear()
    task = scene.reloader.request("key")
    await asyncio.wait([task], timeout=0.2)
    await scene.reloader.aclose()
    assert task.cancelled()
    assert scene.events[0].cause == "key"


def test_tools_and_options_are_part_of_a_difference():
    from agent_runtime import function_tool

    @function_tool
    async def look(place: str) -> str:
        """Look somewhere."""
        return place

    old = Agent(instructions="same")
    new = Agent(instructions="same", tools=[look])
    diff = agent_diff(old, new).splitlines()
    assert "+tool look(place: string):" in diff
    assert "+  Look somewhere." in diff
