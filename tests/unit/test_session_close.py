"""However a session ends, nothing is left behind: `run_virtual` fails on a task that still runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent_runtime import Agent, function_tool
from agent_runtime.testing import Answer, Stage, UserSpeech, in_virtual_time, run_virtual, scripted_session
from tests.support import slow_tools
from tests.support.play import HELLO, play

STORY = Answer("One two three four five six seven eight nine ten", [("slow", "{}")])


class Slow(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="")
        self.exited = False

    @function_tool
    async def slow(self) -> str:
        """Slow."""
        await asyncio.sleep(2.0)
        return "done"

    async def on_exit(self) -> None:
        self.exited = True


@pytest.mark.parametrize("at", [0.0, 0.3, 1.0, 2.65, 2.7, 2.75, 2.95, 3.0, 3.05, 3.2, 4.0, 6.0, 13.5, 20.0])
def test_it_closes_at_any_time(at: float) -> None:
    agents: list[Slow] = []

    def make() -> Slow:
        agents.append(Slow())
        return agents[0]

    stage = play(at, HELLO, agent=make, answers=[STORY, Answer("Done")], durations=[10.0, 1.0])
    assert stage.events[-1].data.type == "session_closed"
    assert agents[0].exited
    assert stage.session.agent_state in ("listening", "thinking", "speaking")
    calls = [i.call_id for i in stage.session.history.items if i.type == "function_call"]
    outputs = [i.call_id for i in stage.session.history.items if i.type == "function_call_output"]
    assert calls == outputs


def test_what_was_heard_is_kept_when_it_closes_in_mid_sentence() -> None:
    stage = play(5.3, HELLO, answers=[Answer(STORY.text)], durations=[10.0], aligned=True)
    assert stage.said()[-1] == ("assistant", "One two")


def test_closing_doesnt_wait_as_long_for_the_last_words_as_a_turn_ended_by_hand_would() -> None:
    speech = UserSpeech(1.0, 3.0, "never recognised", 50.0)

    async def act(stage: Stage) -> None:
        await stage.run_until(2.0)
        stage.session.commit_user_turn(transcript_timeout=60.0)
        await stage.run_until(3.5)
        closing = stage.now
        await stage.session.aclose()
        assert stage.now - closing <= 2.1

    stage = play(4.0, speech, act=act)
    assert not [event for event in stage.of("speech_created") if event.data.source != "say"]


def test_drain_waits_for_the_reply() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(3.5)
        stage.session.shutdown()

    stage = play(20.0, HELLO, answers=[Answer("OK")], durations=[2.0], act=act)
    assert stage.times("session_closed") == [5.21]
    assert stage.said()[-1] == ("assistant", "OK")


def test_closing_twice_is_no_mistake() -> None:
    async def act(stage: Stage) -> None:
        await stage.session.aclose()
        await stage.session.aclose()
        with pytest.raises(RuntimeError, match="isn't running"):
            stage.session.say("Hello")

    stage = play(1.0, act=act)
    assert len(stage.of("session_closed")) == 1
    assert [name for _, name, _ in stage.callbacks if name == "close"] == ["close"]


def test_a_tool_may_close_the_session() -> None:
    class Ending(Agent):
        @function_tool
        async def end(self) -> str:
            """End the call."""
            self.session.shutdown()
            return "bye"

    answers = [Answer("", [("end", "{}")]), Answer("Goodbye")]
    stage = play(20.0, HELLO, agent=lambda: Ending(instructions=""), answers=answers, durations=[1.0])
    assert stage.said()[-1] == ("assistant", "Goodbye")
    assert stage.times("session_closed") == [4.51]


def test_starting_twice_is_a_mistake() -> None:
    async def act(stage: Stage) -> None:
        with pytest.raises(RuntimeError, match="started already"):
            await stage.session.start(Slow())

    play(1.0, act=act)


def test_a_session_that_was_never_started_closes() -> None:
    async def scenario() -> None:
        async with scripted_session():
            pass

    run_virtual(scenario())


def test_new_code_that_waits_is_not_swapped_in_by_closing() -> None:
    waiting: list[asyncio.Future[None]] = []

    async def act(stage: Stage) -> None:
        await stage.run_until(4.0)
        waiting.append(stage.session.swap_agent(Slow()))

    stage = play(5.0, HELLO, answers=[Answer("OK")], durations=[10.0], act=act)
    assert waiting[0].cancelled()
    assert len(stage.of("agent_changed")) == 1


@in_virtual_time
async def test_closing_waits_neither_for_calls_that_may_be_cancelled_nor_for_a_hook_that_nobody_needs() -> None:
    class Busy(slow_tools.Slow):
        async def on_user_turn_exceeded(self, ev: Any) -> None:
            try:
                await asyncio.sleep(100.0)
            except asyncio.CancelledError:
                self.ran.append("hook cancelled")
                raise

    talk = UserSpeech(6.0, 20.0, "", interims=[(7.0, "one two three")])
    answers = [slow_tools.calls("stoppable"), Answer("On it")]
    options: Any = {"turn_handling": {"user_turn_limit": {"max_words": 2}}, "session_close_transcript_timeout": 0.0}
    async with scripted_session([HELLO, talk], answers=answers, durations=[1.0], **options) as stage:
        agent = Busy()
        await stage.session.start(agent)
        await stage.run_until(8.0)
        assert agent.ran == []
        await stage.session.aclose()
        assert stage.now == 8.0
        assert sorted(agent.ran) == ["hook cancelled", "stopped"]
        assert not stage.of("error_occurred")


def test_words_of_a_hook_that_says_goodbye_at_the_end_leave_no_task_behind() -> None:
    class Polite(Agent):
        async def on_exit(self) -> None:
            self.session.say("Goodbye")

    async def scenario() -> set[asyncio.Task[Any]]:
        before = asyncio.all_tasks()
        async with scripted_session() as stage:
            await stage.session.start(Polite(instructions="Be polite."))
            await stage.run_until(1.0)
        return asyncio.all_tasks() - before

    assert run_virtual(scenario()) == set()
