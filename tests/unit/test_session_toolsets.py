"""Toolsets are open while somebody may use them, and are closed once: an agent's, the session's, new ones, old ones."""

from __future__ import annotations

from typing import Self

from agent_runtime import Agent, function_tool
from agent_runtime.testing import Answer, Stage, run_virtual, scripted_session
from agent_tools import Toolset


class Box(Toolset):
    """Writes down what becomes of it."""

    def __init__(self, name: str, log: list[str], *, broken: bool = False) -> None:
        super().__init__(id=name)
        self._log, self._broken = log, broken

    async def setup(self) -> Self:
        self._log.append(f"open {self.id}")
        if self._broken:
            raise OSError("no connection")
        return self

    async def aclose(self) -> None:
        self._log.append(f"close {self.id}")

    @function_tool
    async def look(self) -> str:
        """Look into the box."""
        return "a key"


def agent(*boxes: Box) -> Agent:
    return Agent(instructions="Be brief.", tools=[*boxes])


def test_the_sessions_toolsets_live_as_long_as_the_session() -> None:
    log: list[str] = []

    async def talk() -> None:
        async with scripted_session(tools=[Box("shared", log)], microphone=False) as stage:
            await stage.session.start(agent(Box("own", log)))
            assert log == ["open shared", "open own"]
            stage.session.update_agent(agent(Box("next", log)))
            await stage.run_until(1.0)
            assert log == ["open shared", "open own", "close own", "open next"]

    run_virtual(talk())
    assert log[4:] == ["close next", "close shared"]


def test_a_tool_of_the_sessions_toolset_is_called() -> None:
    log: list[str] = []

    async def talk() -> list[str]:
        answers = [Answer(tool_calls=[("look", "{}")]), Answer("A key.")]
        async with scripted_session(answers=answers, tools=[Box("shared", log)], microphone=False) as stage:
            await stage.session.start(agent())
            stage.session.send_text("What is in it?")
            await stage.run_until(5.0)
            return [e.data.output for e in stage.of("tool_finished")]  # type: ignore[union-attr]

    assert run_virtual(talk()) == ["a key"]


def test_new_tools_are_opened_and_those_that_go_are_closed() -> None:
    log: list[str] = []

    async def talk() -> None:
        async with scripted_session(microphone=False) as stage:
            kept, gone = Box("kept", log), Box("gone", log)
            current = agent(kept, gone)
            await stage.session.start(current)
            await current.update_tools([kept, Box("new", log)])
            assert log == ["open kept", "open gone", "close gone", "open new"]

    run_virtual(talk())
    assert log[4:] == ["close kept", "close new"]


def test_tools_of_an_agent_that_does_not_run_stay_closed() -> None:
    log: list[str] = []

    async def talk() -> None:
        async with scripted_session(microphone=False) as stage:
            await stage.session.start(agent())
            await agent().update_tools([Box("idle", log)])

    run_virtual(talk())
    assert log == []


def test_a_reload_opens_the_new_agents_toolsets_and_closes_the_old_ones() -> None:
    log: list[str] = []

    async def talk() -> None:
        async with scripted_session(microphone=False) as stage:
            await stage.session.start(agent(Box("old", log)))
            await stage.session.swap_agent(agent(Box("new", log)), cause="reload")
            await stage.run_until(1.0)
            assert log == ["open old", "open new", "close old"]

    run_virtual(talk())
    assert log[3:] == ["close new"]


def test_a_toolset_that_cannot_be_opened_is_named_and_the_session_goes_on() -> None:
    log: list[str] = []

    async def talk() -> Stage:
        async with scripted_session(
            answers=[Answer("Fine.")], tools=[Box("shared", log, broken=True)], microphone=False
        ) as stage:
            await stage.session.start(agent())
            stage.session.send_text("How are you?")
            await stage.run_until(3.0)
            return stage

    stage = run_virtual(talk())
    assert [e.data.source for e in stage.of("error_occurred")] == ["toolset shared"]  # type: ignore[union-attr]
    assert ("assistant", "Fine.") in stage.said()
