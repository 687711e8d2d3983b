"""New code takes over in mid-conversation: when, instead of whom, and what becomes of what was under way."""

from __future__ import annotations

import asyncio
from typing import Any

from agent_runtime import Agent, AgentTask, function_tool
from agent_runtime.testing import Answer, Stage
from tests.support.play import HELLO, causes, play

OK = Answer("OK")


class Old(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="old")

    @function_tool
    async def slow(self) -> str:
        """Slow."""
        await asyncio.sleep(3.0)
        return "old result"

    @function_tool
    async def ask(self) -> str:
        """Ask for the name."""
        return await AskName()


class New(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="new")

    @function_tool
    async def slow(self) -> str:
        """Slow."""
        return "new result"


class AskName(AgentTask[str]):
    def __init__(self) -> None:
        super().__init__(instructions="task")

    @function_tool
    async def answer(self, name: str) -> str | None:
        """The name.

        Args:
            name: it
        """
        self.complete(name)
        return None


def instructions_of(stage: Stage) -> list[str | None]:
    """What each request to the model began with."""
    return [request.messages()[0].text_content for request in stage.llm.requests]


def test_a_save_while_the_user_speaks_keeps_the_turn_and_the_new_code_answers_it() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(1.5)
        assert stage.session.user_state == "speaking"
        assert await stage.session.swap_agent(New())
        assert stage.now == 1.5

    stage = play(8.0, HELLO, agent=Old, answers=[OK], durations=[1.0], act=act)
    assert stage.said() == [("user", HELLO.text), ("assistant", "OK")]
    assert instructions_of(stage)[-1] == "new"
    assert len(stage.of("turn_committed")) == 1


def test_a_save_in_mid_sentence_waits_for_the_end_of_the_speech() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(4.0)
        done = stage.session.swap_agent(New())
        assert stage.session.swap_waits_for == "speech"
        assert stage.session.current_agent.id == "old"
        await done
        assert stage.session.swap_waits_for is None
        assert stage.times("playout_finished") == [stage.now]

    stage = play(8.0, HELLO, agent=Old, answers=[OK], durations=[2.0], act=act)
    assert causes(stage, "agent_changed") == ["start", "reload"]


def test_what_is_typed_over_a_speech_is_answered_by_the_code_that_waited_for_its_end() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(4.0)
        done = stage.session.swap_agent(New())
        assert stage.session.swap_waits_for == "speech"
        reply = stage.session.send_text("Stop, and now?")
        await done
        assert stage.now == 4.0
        await reply

    stage = play(12.0, HELLO, agent=Old, answers=[OK, OK], durations=[4.0, 1.0], act=act)
    assert instructions_of(stage) == ["old", "new"]
    assert causes(stage, "agent_changed") == ["start", "reload"]
    assert [text for role, text in stage.said() if role == "user"] == [HELLO.text, "Stop, and now?"]


def test_what_is_typed_while_a_tool_of_the_old_code_runs_on_is_answered_by_that_code() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(4.0)
        done = stage.session.swap_agent(New())
        assert stage.session.swap_waits_for == "tool"
        stage.session.send_text("And now?")
        await done

    answers = [Answer("", [("slow", "{}")]), OK, OK]
    stage = play(12.0, HELLO, agent=Old, answers=answers, durations=[1.0, 1.0], act=act)
    assert [e.data.output for e in stage.of("tool_finished")] == ["old result"]
    assert "new" not in instructions_of(stage)


def test_a_save_in_a_tool_call_lets_the_old_code_finish_it() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(4.0)
        done = stage.session.swap_agent(New())
        assert stage.session.swap_waits_for == "tool"
        await done

    answers = [Answer("", [("slow", "{}")]), OK]
    stage = play(12.0, HELLO, agent=Old, answers=answers, durations=[1.0], act=act)
    assert [e.data.output for e in stage.of("tool_finished")] == ["old result"]
    assert instructions_of(stage) == ["old", "old"]


def test_a_task_that_is_awaited_ends_on_the_old_code() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(5.0)
        assert stage.session.current_agent.id == "ask_name"
        done = stage.session.swap_agent(New(), instead_of=stage.session.current_agent)
        assert stage.session.swap_waits_for == "task"
        stage.session.send_text("Ada")
        # The task is over and its agent isn't the one to be replaced any more.
        assert await done is False

    answers = [Answer("", [("ask", "{}")]), Answer("", [("answer", '{"name": "Ada"}')]), OK]
    stage = play(15.0, HELLO, agent=Old, answers=answers, durations=[1.0], act=act)
    assert [e.data.output for e in stage.of("tool_finished") if e.data.name == "ask"] == ["Ada"]
    assert stage.session.history.items[-1].type == "message"


def test_a_swap_instead_of_an_agent_that_has_handed_over_isnt_done() -> None:
    async def act(stage: Stage) -> None:
        stage.session.update_agent(Agent(instructions="third", id="third"))
        old = stage.session.current_agent
        done = stage.session.swap_agent(New(), instead_of=old)
        assert stage.session.swap_waits_for == "handoff"
        assert await done is False
        assert stage.session.current_agent.id == "third"
        assert await stage.session.swap_agent(New(), instead_of=stage.session.current_agent)

    stage = play(3.0, agent=Old, act=act)
    assert [e.data.new for e in stage.of("agent_changed")] == ["old", "third", "new"]


class Greets(Agent):
    def __init__(self, greeting: Any) -> None:
        super().__init__(instructions="greets")
        self.greeting = greeting
        self.said: list[str] = []

    async def on_enter(self) -> None:
        await asyncio.sleep(self.greeting())
        self.said.append(self.session.current_agent.id)


def test_the_greeting_that_failed_is_tried_again_with_the_new_code_and_one_that_worked_is_not() -> None:
    again, third = Greets(lambda: 0.1), Greets(lambda: 0.1)

    async def act(stage: Stage) -> None:
        await stage.run_until(1.0)
        assert [e.data.source for e in stage.of("error_occurred")] == ["hook on_enter of greets"]
        await stage.session.swap_agent(again)
        await stage.run_until(2.0)
        await stage.session.swap_agent(third)

    play(3.0, agent=lambda: Greets(lambda: 1 / 0), act=act)
    assert again.said == ["greets"]
    assert third.said == []


def test_a_hook_of_the_old_code_that_still_runs_keeps_its_session_until_its_end() -> None:
    old = Greets(lambda: 2.0)

    async def act(stage: Stage) -> None:
        await stage.run_until(1.0)
        await stage.session.swap_agent(New())
        await stage.run_until(1.5)
        assert old.session is stage.session
        await stage.run_until(3.0)
        assert old._activity is None

    stage = play(4.0, agent=lambda: old, act=act)
    assert old.said == ["new"]
    assert stage.of("error_occurred") == []


def test_an_agent_remembers_what_it_was_made_with_and_inspect_shows_its_own_signature() -> None:
    import inspect

    agent = Greets(3)
    assert agent._made_with == ((3,), {})
    assert list(inspect.signature(Greets).parameters) == ["greeting"]
    assert "instructions" in inspect.signature(Agent).parameters
