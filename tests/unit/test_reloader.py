"""Bringing new code into a conversation, step by step; the session's side of it is played by the test."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from pathlib import Path

import pytest

from agent_runtime import Agent
from agent_runtime.agent_loader import load_agent, parse_target
from agent_runtime.clock import LoopClock
from agent_runtime.events import AnyEvent, EventStream, ReloadFailed, ReloadFinished, ReloadPending, ReloadStarted
from agent_runtime.project import WatchList
from agent_runtime.reload import Reloader, agent_diff, compare_agents
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
        self.set_aside = False

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
            is_rest_set_aside=lambda: self.set_aside,
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


def test_each_tool_and_option_that_differs_is_told_by_itself():
    from agent_runtime import function_tool
    from agent_runtime.events import OptionChange

    @function_tool
    async def look(place: str) -> str:
        """Look somewhere."""
        return place

    @function_tool(name="look")
    async def look_again(place: str, twice: bool = True) -> str:
        """Look somewhere."""
        return place

    @function_tool
    async def gone() -> str:
        """Gone."""
        return ""

    @function_tool
    async def added() -> str:
        """Added."""
        return ""

    old = Agent(instructions="One.\nTwo.", tools=[look, gone])
    new = Agent(instructions="One.\nThree.", tools=[look_again, added], min_consecutive_speech_delay=0.5)
    changes = compare_agents(old, new)
    assert changes.instructions.splitlines()[3:] == [" One.", "-Two.", "+Three."]
    assert [(change.name, change.change) for change in changes.tools] == [
        ("look", "changed"),
        ("gone", "removed"),
        ("added", "added"),
    ]
    assert "+tool look(place: string, twice: boolean = true):" in changes.tools[0].diff
    assert changes.options == (OptionChange("min_consecutive_speech_delay", "", "0.5"),)


# --- which agent stands in -------------------------------------------------------------------------------------------

TWO = """
from agent_runtime import Agent, AgentSession, function_tool
from dataclasses import dataclass, field

class Greeter(Agent):
    def __init__(self):
        super().__init__(instructions="Say hello.")

class Billing(Agent):
    def __init__(self, customer, *, currency="EUR"):
        super().__init__(instructions=f"Bill {customer} in {currency}.")
        self.customer = customer

    @function_tool
    async def total(self) -> str:
        '''The total.'''
        return "old " + self.customer

@dataclass
class Order:
    dish: str = "soup"

    def describe(self):
        return "old " + self.dish

@dataclass
class Data:
    agents: dict = field(default_factory=dict)
    orders: list = field(default_factory=list)

def session() -> AgentSession:
    return AgentSession(vad=None), Greeter()
"""
NEW = TWO.replace("old ", "new ").replace("Bill ", "Please bill ")


@pytest.fixture
async def two(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "reloaded_two.py"
    path.write_text(TWO)
    yield await Scene(path).start()
    sys.modules.pop("reloaded_two", None)


def in_use(name: str):
    return getattr(sys.modules["reloaded_two"], name)


async def test_an_agent_that_was_handed_over_to_is_made_again_with_its_arguments(two):
    two.conversation.current_agent = in_use("Billing")("Ada", currency="USD")
    await two.save(NEW)
    assert two.agent.instructions == "Please bill Ada in USD."
    assert type(two.agent) is in_use("Billing")
    assert two.of(ReloadFinished)[0].agent == "Billing"


async def test_an_agent_whose_class_is_gone_gives_way_to_the_one_of_the_start(two):
    two.conversation.current_agent = in_use("Billing")("Ada")
    await two.save(TWO.replace("Billing", "Invoices"))
    assert type(two.agent).__name__ == "Greeter"
    finished = two.of(ReloadFinished)[0]
    assert (finished.agent, finished.instead_of) == ("Greeter", "Billing")


async def test_an_agent_that_can_not_be_made_again_stays_and_all_of_its_code(two):
    old, module = in_use("Billing")("Ada"), sys.modules["reloaded_two"]
    two.conversation.current_agent = old
    await two.save(NEW.replace("customer, *, currency", "customer, street, *, currency"))
    failed = two.of(ReloadFailed)[0]
    assert "Billing can't be made again: TypeError" in failed.message
    assert two.agent is old
    assert sys.modules["reloaded_two"] is module
    await two.save(NEW)
    assert two.agent.instructions == "Please bill Ada in EUR."


async def test_the_start_agent_may_be_renamed(scene):
    await scene.save(AGENT.replace("Greeter", "Host"))
    finished = scene.of(ReloadFinished)[0]
    assert (finished.agent, finished.instead_of) == ("Host", "Greeter")
    assert type(scene.agent).__name__ == "Host"


async def test_a_second_agent_in_the_file_leaves_no_doubt_which_one_runs(scene):
    await scene.save(AGENT + AGENT.replace("Greeter", "Another"))
    assert scene.of(ReloadFailed) == []
    assert type(scene.agent).__name__ == "Greeter"


async def test_an_agent_that_is_not_of_the_project_stays(two):
    two.conversation.current_agent = plain = Agent(instructions="plain")
    await two.save(NEW)
    assert two.agent is plain
    assert in_use("Order")().describe() == "new soup"


async def test_when_another_agent_has_taken_over_meanwhile_it_is_the_one_that_is_replaced(two):
    two.safe.clear()
    two.path.write_text(NEW)
    task = two.reloader.request("save", frozenset({two.path}))
    await until(lambda: two.of(ReloadPending))
    two.conversation.current_agent = in_use("Billing")("Ada")
    two.safe.set()
    await task
    assert two.agent.instructions == "Please bill Ada in EUR."


async def test_what_userdata_holds_is_rebound_where_it_is(two):
    billing, order = in_use("Billing")("Ada"), in_use("Order")("stew")
    billing.notes = ["kept"]
    context = billing._chat_ctx
    data = two.userdata = in_use("Data")({"billing": billing}, [order])
    await two.save(NEW)
    assert type(data) is in_use("Data")
    assert data.orders[0] is order
    assert order.describe() == "new stew"
    assert data.agents["billing"] is billing
    assert type(billing) is in_use("Billing")
    assert billing.instructions == "Please bill Ada in EUR."
    assert billing.notes == ["kept"]
    assert billing._chat_ctx is context
    assert await billing.tools[0]() == "new Ada"


async def test_what_can_not_be_rebound_is_told_and_left_whole(two, caplog):
    billing = in_use("Billing")("Ada")
    old, attributes = type(billing), dict(vars(billing))
    two.userdata = {"billing": billing}
    await two.save(NEW.replace("self.customer = customer", "self.customer = customer / 2"))
    assert type(billing) is old
    assert vars(billing) == attributes
    assert "an instance of Billing stays with its old code: TypeError" in caplog.text
    assert len(two.of(ReloadFinished)) == 1


async def test_what_the_codes_own_session_does_about_turns_is_taken_over_once(two):
    await two.save(TWO + "\n")
    assert two.conversation.turn_handling == []
    slower = TWO.replace(
        "AgentSession(vad=None)", "AgentSession(vad=None, turn_handling={'endpointing': {'min_delay': 0.9}})"
    )
    await two.save(slower)
    assert two.of(ReloadFailed) == []
    await two.save(slower + "\n")
    assert [handling["endpointing"]["min_delay"] for handling in two.conversation.turn_handling] == [0.9]


# --- when ------------------------------------------------------------------------------------------------------------


async def until(condition, seconds: float = 10.0) -> None:
    """Wait for what threads of the code under test bring about."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)


async def test_new_code_that_waits_is_told_and_isnt_in_place_yet(scene):
    scene.safe.clear()
    module = sys.modules["reloaded_agent"]
    scene.path.write_text(AGENT.replace("hello", "good morning"))
    task = scene.reloader.request("save", frozenset({scene.path}))
    await until(lambda: scene.of(ReloadPending))
    pending = scene.of(ReloadPending)[0]
    assert (pending.agent, pending.waits_for) == ("Greeter", "speech")
    assert "+  Say good morning." in pending.diff
    assert sys.modules["reloaded_agent"] is module
    scene.safe.set()
    await task
    assert sys.modules["reloaded_agent"] is not module
    finished = scene.of(ReloadFinished)[0]
    assert 0 < finished.waited <= finished.duration
    assert finished.modules == ("reloaded_agent",)


async def test_of_many_saves_each_loads_whole_and_only_the_last_is_swapped_in(scene):
    log = scene.path.parent / "log.txt"
    note = f"\nwith open({str(log)!r}, 'a') as file: file.write('%s ')\n"
    text = AGENT + note % "begin" + "import time\ntime.sleep(0.02)\n" + note % "end"
    tasks = []
    for number in range(10):
        scene.path.write_text(text.replace("hello", str(number)))
        tasks.append(scene.reloader.request("save", frozenset({scene.path})))
        await asyncio.sleep(0)
    await asyncio.wait(tasks)
    assert [agent.instructions.split(".")[0] for agent in scene.swapped] == ["Say 9"]
    assert len(scene.of(ReloadFinished)) == 1
    ran = log.read_text().split()
    assert ran == ["begin", "end"] * (len(ran) // 2)


async def test_a_module_that_blocks_at_its_top_doesnt_hold_up_the_loop(scene):
    gate = scene.path.parent / "gate"
    scene.path.write_text(
        AGENT + f"\nimport pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.01)\n"
    )
    task = scene.reloader.request("save", frozenset({scene.path}))
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not task.done()
    gate.write_text("")
    await asyncio.wait_for(task, 10)
    assert len(scene.swapped) == 1


async def test_after_a_failure_any_python_file_of_the_project_is_a_reason_to_try_again(scene):
    await scene.save("import not_written_yet\n" + AGENT)
    new = scene.path.parent / "not_written_yet.py"
    assert new in scene.watched[-1]
    new.write_text("")
    await scene.save("import not_written_yet\n" + AGENT)
    assert len(scene.swapped) == 1
    assert new in scene.watched[-1].files
    assert scene.path.parent / "unrelated.py" not in scene.watched[-1]
    del sys.modules["not_written_yet"]


async def test_a_save_that_comes_just_as_the_swap_is_done_leaves_no_code_behind(scene):
    swaps: list[tuple[Agent, asyncio.Future[bool]]] = []

    def swap(agent: Agent, **_: object) -> asyncio.Future[bool]:
        swaps.append((agent, asyncio.get_running_loop().create_future()))
        return swaps[-1][1]

    scene.conversation.swap_agent = swap
    scene.path.write_text(AGENT.replace("hello", "one"))
    first = scene.reloader.request("save", frozenset({scene.path}))
    await until(lambda: swaps)
    agent, done = swaps[0]
    scene.conversation.current_agent = agent
    done.set_result(True)
    second = scene.reloader.request("save", frozenset({scene.path}))
    await asyncio.wait([first])
    assert type(agent) is sys.modules["reloaded_agent"].Greeter
    await until(lambda: len(swaps) == 2)
    assert type(swaps[1][0]) is not type(agent)
    swaps[1][1].set_result(True)
    await second
    assert len(scene.of(ReloadFinished)) == 2


@pytest.mark.parametrize("set_aside", [True, False])
async def test_what_an_earlier_version_left_is_freed_once_the_host_has_set_aside_the_rest(
    scene, monkeypatch, set_aside
):
    scene.set_aside = set_aside
    monkeypatch.setattr("agent_runtime.reload.reloader.FREEING", 60.0)
    gc.disable()
    try:
        old = weakref.ref(type(scene.agent))
        await scene.save(AGENT.replace("hello", "hey"))
        await scene.save(AGENT.replace("hello", "hi"))
        assert (old() is None) is set_aside
    finally:
        gc.enable()
