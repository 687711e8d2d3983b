"""What a subclass calls its own attributes is its own affair: those of our base classes keep out of the way."""

from __future__ import annotations

from typing import Any

import pytest

from agent_runtime import Agent, AgentSession, AgentTask, function_tool
from agent_runtime.testing import Answer, ScriptedLLM, in_virtual_time, run_virtual
from tests.unit.test_compat_providers import converse, own

__all__ = ["own"]  # a fixture


def taken(cls: type, *names: str) -> type:
    """A subclass that has a number under each of these names once it is made."""

    def __init__(self: Any, *args: Any, **options: Any) -> None:
        cls.__init__(self, *args, **options)
        vars(self).update(dict.fromkeys(names, 7))

    return type(cls.__name__, (cls,), {"__init__": __init__})


def test_providers(own: Any, monkeypatch: pytest.MonkeyPatch):
    for name in ("LoudnessVADStream", "LiveSTTStream", "EchoStream", "LiveTTSStream"):
        names = ("_attempt", "_failed", "_emitter", "_on_done", "_callbacks", "_check_retryable", "_retry_or_raise")
        monkeypatch.setattr(own, name, taken(getattr(own, name), *names, "_push_resampled", "_report_metrics"))
    provider = ("_callbacks", "_warned", "_warn_once", "_running", "_failed", "_report_recognized")

    async def scenario() -> None:
        session, speaker, said = await converse(
            own,
            [(0.5, 2.0)],
            10.0,
            stt=taken(own.LiveSTT, *provider)(["Hello there."]),
            vad=taken(own.LoudnessVAD, *provider)(),
            llm=taken(own.EchoLLM, *provider)(),
            tts=taken(own.LiveTTS, *provider)(),
        )
        assert [role for role, _ in said] == ["user", "assistant"]
        assert [played.interrupted for played in speaker.played] == [False]
        assert session.errors == []

    run_virtual(scenario())


def test_a_whole_texts_stream_with_a_task_of_its_own(own: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(own, "WholeTTSStream", taken(own.WholeTTSStream, "_task"))

    async def scenario() -> None:
        stream = own.WholeTTS().synthesize("Hello.")
        assert (await stream.collect()).duration > 0
        assert (stream.done, stream.exception) == (True, None)
        await stream.aclose()

    run_virtual(scenario())


class Asks(AgentTask[str]):
    def __init__(self) -> None:
        super().__init__(instructions="Ask for the name.")
        self._finished = self._finish = self._fail = self._outcome = self._stack = self._is_done = self._run = 7

    async def on_enter(self) -> None:
        self.complete("Ada")


class Looks(Agent):
    """Has a query engine, as agents that look things up do."""

    def __init__(self) -> None:
        super().__init__(instructions="Look things up.")
        self._engine = {"speed": "fast"}
        self._running = True
        self._one_task = "look"

    @function_tool
    async def look(self) -> str:
        """Look it up."""
        return f"{await Asks()} is {self._engine['speed']}"


@in_virtual_time
async def test_agents_and_tasks():
    agent = Looks()
    async with AgentSession[Any](llm=ScriptedLLM([Answer("", [("look", "{}")]), Answer("Fast.")])) as session:
        await session.start(agent)
        result = await session.run(user_input="How fast?")
    result.expect.contains_function_call_output(output="Ada is fast")
    assert agent._engine == {"speed": "fast"}
    assert agent._running
