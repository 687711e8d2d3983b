"""The runtime on its own thread, driven as a console drives it, with a scripted model."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_runtime import compat
from agent_runtime.agent_loader import load_agent, parse_target
from agent_runtime.events import (
    AgentStateChanged,
    AnyEvent,
    BranchesChanged,
    ContextShown,
    ErrorOccurred,
    InputMuted,
    ItemAdded,
    LogWritten,
    LoopBlocked,
    LoopStalled,
    PushToTalkChanged,
    ReloadFinished,
    RequestRefused,
    SessionClosed,
    SessionStarted,
    ToolFinished,
    ToolsListed,
    ToolStoodIn,
    ToolTryFinished,
)
from agent_runtime.host import RuntimeHost, providers
from agent_runtime.settings_layers import load_settings
from agent_runtime.testing import Answer, ScriptedLLM
from agent_runtime.workshop import Fork, RunTool, SetStandIn

AGENT = """
import time
from agent_runtime import Agent, AgentSession
from agent_runtime.testing import Answer, ScriptedLLM

class Host(Agent):
    def __init__(self):
        super().__init__(instructions="Be brief.")

def session() -> AgentSession:
    answers = {"hello": Answer("Hi there."), "key?": Answer("It is sk-0123456789abcdefghij.")}
    return AgentSession(llm=ScriptedLLM(by_input=answers), vad=None), Host()
"""


class Console:
    """What a console sees of a host."""

    def __init__(self, folder: Path, source: str = AGENT, **flags: object) -> None:
        path = folder / "hosted_agent.py"
        path.write_text(source)
        self.events: list[AnyEvent] = []
        self._changed = threading.Condition()
        resolved = load_settings({"text": True, **flags}, folder=folder, environ={}, user_file=folder / "none.toml")
        self.host = RuntimeHost(lambda: resolved.settings, lambda: load_agent(parse_target(str(path))))

    def sink(self, event: AnyEvent) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait(self, condition: Callable[[AnyEvent], object], seconds: float = 10.0) -> AnyEvent:
        """The first event for which `condition` holds, now or soon."""
        with self._changed:
            found = self._changed.wait_for(lambda: next(filter(condition, self.events), None), seconds)
        assert found, f"not within {seconds} s: {self.events}"
        return next(filter(condition, self.events))

    def said(self, role: str, text: str) -> AnyEvent:
        """The message of the conversation with this text."""
        return self.wait(
            lambda event: (
                isinstance(event.data, ItemAdded)
                and event.data.item.get("role") == role
                and text in "".join(event.data.item["content"])
            )
        )

    def of(self, kind: type) -> AnyEvent:
        return self.wait(lambda event: isinstance(event.data, kind))


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Makes a console with a running host; all are stopped at the end."""
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path])
    consoles: list[Console] = []

    def make(source: str = AGENT, **flags: object) -> Console:
        console = Console(tmp_path, source, **flags)
        consoles.append(console)
        console.host.start(console.sink)
        return console

    yield make
    for console in consoles:
        assert console.host.stop(10)
    sys.modules.pop("hosted_agent", None)


def test_a_typed_turn_is_answered(start):
    console = start()
    console.of(SessionStarted)
    console.host.send_text("hello")
    assert console.said("user", "hello").turn_id == console.said("assistant", "Hi there.").turn_id


def test_what_is_asked_before_it_runs_is_done_when_it_does(start):
    console = start()
    console.host.send_text("hello")
    console.said("assistant", "Hi there.")


def test_events_are_numbered_without_a_gap_also_those_before_the_session(start):
    speaking = "    import logging; logging.getLogger('agent_runtime.early').info('made')\n    answers ="
    console = start(AGENT.replace("    answers =", speaking))
    console.host.send_text("hello")
    console.said("assistant", "Hi there.")
    assert isinstance(console.events[0].data, LogWritten)
    assert [event.time for event in console.events] == sorted(event.time for event in console.events)
    numbers = [event.seq for event in console.events]
    assert numbers == list(range(1, len(numbers) + 1))


def test_mute_and_push_to_talk_are_told(start):
    console = start()
    console.host.set_muted(True)
    assert console.of(InputMuted).data.muted is True
    console.host.push_to_talk("press")
    console.host.push_to_talk("discard")
    console.host.push_to_talk("off")
    console.wait(lambda event: event.data == PushToTalkChanged("off"))


def test_devices_can_be_asked_for_without_sound(start):
    console = start()
    console.of(SessionStarted)
    assert list(console.host.find_devices()) == []
    console.host.select_device("input", "nothing")


def test_a_request_that_fails_is_told_and_the_next_one_served(start):
    console = start()
    console.host.push_to_talk("jump")  # type: ignore[arg-type]  # what a console with a mistake would do
    assert "jump" in console.of(ErrorOccurred).data.message
    console.host.send_text("hello")
    console.said("assistant", "Hi there.")


def test_the_reload_key_brings_in_the_present_code(start, tmp_path):
    console = start(reload=False)
    console.of(SessionStarted)
    (tmp_path / "hosted_agent.py").write_text(AGENT.replace("Be brief.", "Be kind."))
    console.host.reload()
    event = console.of(ReloadFinished)
    assert event.cause == "key"
    assert "+  Be kind." in event.data.diff


def test_log_lines_come_without_secrets_while_it_runs_and_only_then(start):
    console = start()
    console.of(SessionStarted)
    logging.getLogger("agent_runtime.test").info("the key is sk-0123456789abcdefghij")
    line = console.wait(lambda e: isinstance(e.data, LogWritten) and e.data.logger == "agent_runtime.test")
    assert line.data.message == "the key is ********"
    console.host.stop()
    before = len(console.events)
    logging.getLogger("agent_runtime.test").warning("afterwards")
    assert len(console.events) == before


def test_stopping_ends_the_session_in_time_and_twice_is_once(start):
    console = start()
    console.of(AgentStateChanged)
    started = time.monotonic()
    assert console.host.stop()
    assert console.host.stop()
    assert time.monotonic() - started < 2
    assert isinstance(console.events[-1].data, SessionClosed)


def test_what_never_started_is_stopped_already(tmp_path):
    assert Console(tmp_path).host.stop()
    sys.modules.pop("hosted_agent", None)


def test_stopping_right_after_starting_works(start):
    console = start()
    assert console.host.stop()


def test_a_loop_that_is_blocked_is_left_behind(start):
    console = start(AGENT + "\nHost.on_enter = lambda self: time.sleep(3)\n")
    console.of(SessionStarted)
    time.sleep(0.2)
    started = time.monotonic()
    assert not console.host.stop(0.5)
    assert time.monotonic() - started < 1


def test_every_event_is_written_to_the_file_that_was_asked_for(start, tmp_path):
    from agent_runtime.events.codec import read_events

    console = start(events=tmp_path / "events.jsonl")
    console.of(SessionStarted)
    console.host.stop()
    assert list(read_events(tmp_path / "events.jsonl")) == console.events


def test_a_file_written_for_livekit_agents_runs_and_the_log_says_so(start):
    source = AGENT.replace("from agent_runtime import", "from livekit.agents import")
    console = start(source + "\nif __name__ == '__main__':\n    raise RuntimeError('not a program here')\n")
    try:
        told = console.wait(lambda event: isinstance(event.data, LogWritten) and "livekit" in event.data.message)
        assert told.data.level == "info"
        assert "hosted_agent.py imports livekit.agents, which is agent_runtime here" in told.data.message
        console.host.send_text("hello")
        console.said("assistant", "Hi there.")
    finally:
        compat.uninstall()


BLOCKING = """
import time
from agent_runtime import Agent, AgentSession, function_tool
from agent_runtime.testing import Answer, ScriptedLLM

class Host(Agent):
    def __init__(self):
        super().__init__(instructions="Be brief.")

    @function_tool
    async def look_up(self) -> str:
        "Look up."
        time.sleep(1)
        return "found"

def session() -> AgentSession:
    answers = [Answer("", [("look_up", "{}")]), Answer("It is found.")]
    return AgentSession(llm=ScriptedLLM(answers), vad=None), Host()
"""


def test_a_tool_that_blocks_is_named_while_it_does(start):
    console = start(BLOCKING)
    console.of(SessionStarted)
    console.host.send_text("look")
    stalled = console.of(LoopStalled)
    console.said("assistant", "It is found.")
    blocked, finished = console.of(LoopBlocked), console.of(ToolFinished)
    assert stalled.seq < finished.seq  # the tool's second wasn't over
    for event in (stalled, blocked):
        assert event.turn_id == "turn_1"
        assert event.data.file.endswith("hosted_agent.py")
        assert BLOCKING.splitlines()[event.data.line - 1].strip() == "time.sleep(1)"
        assert "in look_up" in event.data.stack
    assert stalled.data.duration < blocked.data.duration


def test_the_workshop_answers_through_the_host(start):
    console = start(BLOCKING.replace("time.sleep(1)", "pass"))
    assert [tool.name for tool in console.of(ToolsListed).data.tools] == ["look_up"]
    console.host.ask_workshop(RunTool("look_up"))
    assert console.of(ToolTryFinished).data.output == "found"
    console.host.ask_workshop(SetStandIn("look_up", result="lost"))
    console.of(ToolStoodIn)
    console.host.send_text("look")
    console.said("assistant", "It is found.")
    assert console.of(ToolFinished).data.stand_in == "result"
    console.host.ask_workshop(Fork("turn_1"))
    assert console.of(BranchesChanged).data.current == "branch 2"
    assert console.of(ContextShown).cause == "fork"
    console.host.ask_workshop(RunTool("lok_up"))
    assert "look_up" in console.of(RequestRefused).data.problem


OWN_SESSION = """
from agent_runtime import Agent, AgentSession

class Host(Agent):
    def __init__(self):
        super().__init__(instructions="Be brief.")

def session() -> AgentSession:
    return AgentSession({}), Host()
"""


def test_what_a_session_leaves_open_is_as_the_settings_say(start, monkeypatch):
    monkeypatch.setattr(providers, "_embedded_llm", lambda: ScriptedLLM([Answer("Here I am.")]))
    asked = {"llm": "embedded", "endpointing": {"min_delay": 0.9}}
    console = start(source=OWN_SESSION.format("userdata={}"), **asked)
    options = console.wait(lambda event: isinstance(event.data, SessionStarted)).data.options
    assert options["turn_handling.endpointing.min_delay"] == 0.9
    console.host.send_text("Are you there?")
    console.said("assistant", "Here I am.")


def test_what_a_session_says_stays(start, monkeypatch):
    monkeypatch.setattr(providers, "_embedded_llm", lambda: ScriptedLLM([Answer("Here I am.")]))
    own = 'llm=None, turn_handling={"turn_detection": "manual"}'
    asked = {"llm": "embedded", "endpointing": {"min_delay": 0.9}}
    console = start(source=OWN_SESSION.format(own), **asked)
    options = console.wait(lambda event: isinstance(event.data, SessionStarted)).data.options
    assert options["turn_handling.endpointing.min_delay"] == 0.5
    failure = console.wait(lambda event: isinstance(event.data, ErrorOccurred))
    assert "there is no language model" in failure.data.message
