"""Agents: hooks, nodes, handoffs, and new code in mid-conversation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import Any

import pytest

from agent_runtime import Agent, RunContext, function_tool
from agent_runtime.testing import Answer, Stage
from agent_runtime.voice.reply_choice import CIRCLE
from tests.support.play import HELLO, causes, play

OK = Answer("OK")
LOG: list[str] = []


@pytest.fixture(autouse=True)
def _fresh_log() -> None:
    LOG.clear()


class First(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="first")

    async def on_enter(self) -> None:
        LOG.append("enter first")

    async def on_exit(self) -> None:
        LOG.append("exit first")
        LOG.append(f"while {self.session.agent_state}")
        await self.session.say("Goodbye")

    @function_tool
    async def transfer(self, context: RunContext[Any]) -> Any:
        """Hand over."""
        return Second(), "Transferring you"

    @function_tool
    async def transfer_silently(self) -> Any:
        """Hand over without a word."""
        return Second()


class Second(Agent):
    def __init__(self, chat_ctx: Any = None) -> None:
        super().__init__(instructions="second", chat_ctx=chat_ctx)

    async def on_enter(self) -> None:
        LOG.append("enter second")
        self.session.generate_reply(instructions="Say hello.")


def test_a_handoff_exits_enters_and_speaks_in_order() -> None:
    answers = [Answer("", [("transfer", "{}")]), Answer("Bye then"), Answer("Hello from the second")]
    stage = play(20.0, HELLO, agent=First, answers=answers, durations=[1.0, 1.0, 1.0])
    assert LOG == ["enter first", "exit first", "while listening", "enter second"]
    assert stage.said() == [
        ("user", HELLO.text),
        ("assistant", "Bye then"),
        ("assistant", "Goodbye"),
        ("assistant", "Hello from the second"),
    ]
    changed = [(e.data.old, e.data.new) for e in stage.of("agent_changed")]
    assert changed == [(None, "first"), ("first", "second")]
    assert causes(stage, "agent_changed") == ["start", "handoff"]
    handoffs = [(i.old_agent_id, i.new_agent_id) for i in stage.session.history.items if i.type == "agent_handoff"]
    assert handoffs == [(None, "first"), ("first", "second")]


def test_a_silent_handoff_has_no_reply_of_the_old_agent() -> None:
    answers = [Answer("", [("transfer_silently", "{}")]), Answer("Hello from the second")]
    stage = play(20.0, HELLO, agent=First, answers=answers, durations=[1.0, 1.0])
    assert stage.said()[-1] == ("assistant", "Hello from the second")
    assert len(stage.llm.requests) == 2


def test_a_new_agent_starts_with_the_context_that_it_was_given() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(6.0)
        old = stage.session.current_agent
        stage.session.update_agent(Second(chat_ctx=old.chat_ctx.copy(exclude_instructions=True)))

    stage = play(12.0, HELLO, answers=[OK, Answer("Hi")], durations=[1.0, 1.0], act=act)
    asked = [(m.role, m.text_content) for m in stage.llm.requests[-1].messages()]
    assert asked == [("system", "second"), ("user", HELLO.text), ("assistant", "OK"), ("system", "Say hello.")]


def test_a_listener_may_call_the_handoff_off() -> None:
    async def act(stage: Stage) -> None:
        stage.session.on("function_tools_executed", lambda event: event.cancel_agent_handoff())

    answers = [Answer("", [("transfer", "{}")]), Answer("Staying")]
    stage = play(12.0, HELLO, agent=First, answers=answers, durations=[1.0], act=act)
    assert [e.data.new for e in stage.of("agent_changed")] == ["first"]


def test_update_agent_waits_for_the_speech() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(4.0)
        stage.session.update_agent(Second())

    stage = play(12.0, HELLO, answers=[OK, Answer("Hi")], durations=[2.0, 1.0], act=act)
    assert stage.times("agent_changed") == [0.0, 5.21]


def test_the_old_agent_leaves_once_it_has_finished_speaking() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(4.0)
        stage.session.update_agent(Second())

    play(12.0, HELLO, agent=First, answers=[OK, Answer("Hi")], durations=[2.0, 1.0, 1.0], act=act)
    assert LOG == ["enter first", "exit first", "while listening", "enter second"]


def test_new_code_takes_over_with_the_same_conversation_and_without_hooks() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(4.0)
        done = stage.session.swap_agent(Second())
        assert not done.done()
        await done
        assert stage.now == 5.21
        stage.session.send_text("Again")

    stage = play(12.0, HELLO, answers=[OK, Answer("New")], durations=[2.0, 1.0], act=act)
    assert LOG == []
    assert causes(stage, "agent_changed") == ["start", "reload"]
    asked = [(m.role, m.text_content) for m in stage.llm.requests[-1].messages()]
    assert asked == [("system", "second"), ("user", HELLO.text), ("assistant", "OK"), ("user", "Again")]


def test_new_code_waits_for_a_running_tool() -> None:
    class Slow(Agent):
        @function_tool
        async def slow(self) -> str:
            """Slow."""
            await asyncio.sleep(3.0)
            return "done"

    async def act(stage: Stage) -> None:
        await stage.run_until(3.5)
        await stage.session.swap_agent(Second())
        LOG.append(f"swapped at {stage.now}")

    answers = [Answer("", [("slow", "{}")]), OK]
    play(12.0, HELLO, agent=lambda: Slow(instructions=""), answers=answers, durations=[1.0], act=act)
    # The tool ends at 6.0, and the reply to it, made by the old code, at 7.51.
    assert LOG == ["swapped at 7.51"]


def test_only_the_newest_code_is_swapped_in() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(4.0)
        first = stage.session.swap_agent(First())
        second = stage.session.swap_agent(Second())
        await second
        assert first.cancelled()

    stage = play(8.0, HELLO, answers=[OK], durations=[1.0], act=act)
    assert [e.data.new for e in stage.of("agent_changed")] == ["default_agent", "second"]


def test_instructions_and_tools_may_change_in_mid_conversation() -> None:
    @function_tool
    async def added() -> str:
        """Added."""
        return "x"

    async def act(stage: Stage) -> None:
        agent = stage.session.current_agent
        await agent.update_instructions("other")
        await agent.update_tools([added])
        with pytest.raises(TypeError, match="is no tool"):
            await agent.update_tools([print])  # type: ignore[list-item]

    stage = play(6.0, HELLO, answers=[OK], act=act)
    assert stage.llm.requests[0].messages()[0].text_content == "other"
    changed = stage.of("agent_changed")[-1].data
    assert (changed.instructions, changed.tools) == ("other", ("added",))


def test_a_context_may_be_replaced() -> None:
    async def act(stage: Stage) -> None:
        agent = stage.session.current_agent
        context = agent.chat_ctx.copy()
        context.add_message(role="user", content="My name is Ada.", created_at=1.0)
        await agent.update_chat_ctx(context)

    stage = play(6.0, HELLO, answers=[OK], act=act)
    texts = [m.text_content for m in stage.llm.requests[0].messages()]
    assert texts == ["You are helpful.", "My name is Ada.", HELLO.text]


def test_an_agent_that_does_not_run_has_no_session() -> None:
    with pytest.raises(RuntimeError, match="is not running"):
        _ = First().session


class Shouting(Agent):
    async def llm_node(self, chat_ctx: Any, tools: Any, model_settings: Any) -> Any:
        async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            if chunk.delta is not None and chunk.delta.content:
                yield chunk.delta.content.upper()

    async def tts_node(self, text: AsyncIterable[str], model_settings: Any) -> Any:
        async def softer() -> Any:
            async for piece in text:
                yield piece.lower()

        async for frame in Agent.default.tts_node(self, softer(), model_settings):
            yield frame

    async def transcription_node(self, text: AsyncIterable[Any], model_settings: Any) -> Any:
        async for piece in text:
            yield piece.replace("WELL", "****")


def test_nodes_may_be_overridden() -> None:
    stage = play(8.0, HELLO, agent=lambda: Shouting(instructions=""), answers=[Answer("All is well")], durations=[1.0])
    assert stage.tts.texts == ["all is well"]
    assert stage.said()[-1] == ("assistant", "ALL IS ****")


def test_an_llm_node_may_return_a_string() -> None:
    class Echo(Agent):
        async def llm_node(self, chat_ctx: Any, tools: Any, model_settings: Any) -> str:
            return f"You said: {chat_ctx.messages()[-1].text_content}"

    stage = play(8.0, HELLO, agent=lambda: Echo(instructions=""), durations=[1.0])
    assert stage.said()[-1] == ("assistant", f"You said: {HELLO.text}")


def test_flush_splits_a_reply_into_stretches() -> None:
    class Flushing(Agent):
        async def llm_node(self, chat_ctx: Any, tools: Any, model_settings: Any) -> Any:
            from agent_runtime import FlushSentinel

            yield "One moment."
            yield FlushSentinel()
            await asyncio.sleep(3.0)
            yield "Here it is."

    stage = play(14.0, HELLO, agent=lambda: Flushing(instructions=""), durations=[1.0, 1.0])
    assert stage.tts.texts == ["One moment.", "Here it is."]
    assert stage.said()[-1] == ("assistant", "One moment.Here it is.")
    assert len(stage.of("playout_finished")) == 2


def test_an_agents_own_providers_win() -> None:
    from agent_runtime.testing import ScriptedLLM

    own = ScriptedLLM([Answer("Mine")])
    stage = play(8.0, HELLO, agent=lambda: Agent(instructions="", llm=own), answers=[OK])
    assert stage.said()[-1] == ("assistant", "Mine")
    assert stage.llm.requests == []


def test_who_is_handed_over_to_without_a_word_answers_the_turn_and_the_wait_is_measured_to_there() -> None:
    answers = [Answer("", [("transfer_silently", "{}")]), Answer("Hello from the second")]
    stage = play(20.0, HELLO, agent=First, answers=answers, durations=[1.0, 1.0])
    (asked,) = stage.of("turn_committed")
    heard = [e for e in stage.of("agent_heard") if "second" in e.data.text]
    (measured,) = [e for e in stage.of("turn_measured") if e.turn_id == asked.turn_id]
    assert {e.turn_id for e in heard} == {asked.turn_id}
    goodbye = next(e for e in stage.of("playout_finished") if e.turn_id != asked.turn_id)
    assert measured.data.end > goodbye.time, "the agent before said goodbye first, in a turn of its own"
    assert {"tools", "llm", "tts"} <= {part.name for part in measured.data.parts}


class Reception(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="reception")

    async def on_enter(self) -> None:
        self.session.generate_reply()

    @function_tool
    async def pass_on(self) -> Agent:
        """Somebody else's."""
        return Desk()


class Desk(Reception):
    @function_tool
    async def pass_on(self) -> Agent:
        """Somebody else's."""
        return Reception()


def test_agents_that_only_hand_over_to_each_other_have_to_answer_in_the_end() -> None:
    passes = [Answer("", [("pass_on", "{}")]) for _ in range(CIRCLE)]
    answers = [Answer("Reception."), *passes, Answer("I can help you.")]
    stage = play(30.0, HELLO, agent=Reception, answers=answers, durations=[1.0] * 2)
    assert stage.said() == [("user", HELLO.text), ("assistant", "I can help you.")]
    assert stage.llm.choices[-1] == "none"
    assert set(map(str, stage.llm.choices[:-1])) == {str(stage.llm.choices[0])} != {"none"}
