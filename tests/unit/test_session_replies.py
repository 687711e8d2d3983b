"""What becomes of replies that are cut before they are heard, come late, or come in several stretches.

The times are no later than LiveKit Agents' in the same scenes.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent_runtime import Agent, FlushSentinel, RunContext, function_tool
from agent_runtime.testing import Answer, Stage, UserSpeech, in_virtual_time, run_virtual, scripted_session
from agent_runtime.vad import VADEvent
from tests.support.play import HELLO, play

LATE = Answer("A long story.", ttft=0.1, duration=1.0)
OK = Answer("OK")


@pytest.mark.parametrize("can_pause", [False, True])
def test_words_before_a_reply_is_heard_stop_it_and_are_answered_early(can_pause: bool) -> None:
    stop = UserSpeech(3.0, 4.0, "Stop!")
    stage = play(12.0, HELLO, stop, answers=[LATE, OK], durations=[1.0, 1.0], can_pause=can_pause)
    thinking = [time for time in stage.times("agent_state_changed", new="listening") if time > 3.0]
    assert thinking[0] == (4.2 if can_pause else 3.5)
    assert stage.times("playout_started") == [4.7], "0.2 s after the turn's end"
    assert stage.said() == [("user", HELLO.text), ("user", "Stop!"), ("assistant", "OK")]


def test_a_turn_that_a_newer_one_overtakes_is_kept_and_not_answered() -> None:
    class Slow(Agent):
        async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
            await asyncio.sleep(2.0)

    def make() -> Agent:
        return Slow(instructions="Take your time.")

    parts = [UserSpeech(0.5, 2.0, "Tell me a story"), UserSpeech(2.6, 3.2, "of a firefighter.")]
    stage = play(
        14.0,
        *parts,
        agent=make,
        answers=[OK],
        durations=[2.0],
        turn_handling={"preemptive_generation": {"enabled": False}},
    )
    assert [name for _, name in stage.timeline("agent_state_changed")] == [
        "agent listening",
        "agent thinking",
        "agent speaking",
        "agent listening",
    ]
    assert stage.said() == [("user", parts[0].text), ("user", parts[1].text), ("assistant", "OK")]
    delays = [m.metrics["end_of_turn_delay"] for m in stage.session.history.messages() if m.role == "user"]
    assert delays == [pytest.approx(0.5), pytest.approx(0.5)], "waiting for an older turn isn't the turn's own delay"


def test_the_second_stretch_is_made_while_the_first_is_heard() -> None:
    class TwoStretches(Agent):
        async def llm_node(self, chat_ctx: Any, tools: Any, model_settings: Any) -> Any:
            yield "Hello there. "
            yield FlushSentinel()
            yield "How are you?"

    stage = play(8.0, HELLO, agent=lambda: TwoStretches(instructions="x"), durations=[1.0, 1.0])
    assert stage.times("playout_finished") == [4.21, 5.22], "there is no gap between them"
    assert stage.said()[-1] == ("assistant", "Hello there. How are you?")


def test_the_recogniser_hears_on_over_a_handoff() -> None:
    class First(Agent):
        @function_tool
        async def transfer(self) -> Agent:
            """Hand over."""
            return Agent(instructions="Second.")

    answers = [Answer("", [("transfer", "{}")]), OK]
    stage = play(
        9.0,
        HELLO,
        UserSpeech(2.9, 5.0, "And another thing"),
        agent=lambda: First(instructions="First."),
        answers=answers,
        durations=[1.0],
    )
    assert stage.times("agent_changed")
    assert ("user", "And another thing") in stage.said()


def test_what_a_tool_has_said_calls_no_tools_unless_it_is_allowed_to() -> None:
    class Talks(Agent):
        @function_tool
        async def work(self, context: RunContext[Any]) -> str:
            """Say something meanwhile."""
            await context.session.generate_reply(instructions="Say how long it takes.")
            return "worked"

    answers = [Answer("", [("work", "{}")]), Answer("A moment"), Answer("Done")]
    stage = play(12.0, HELLO, agent=lambda: Talks(instructions="x"), answers=answers, durations=[1.0, 1.0])
    assert [choice == "none" for choice in stage.llm.choices] == [False, True, False]
    created = [payload.source for _, name, payload in stage.callbacks if name == "speech_created"]
    assert created == ["generate_reply", "generate_reply"], "the answer to the tool is the same speech"


def test_a_detector_that_does_not_repeat_that_it_hears_speech_interrupts_too() -> None:
    async def scenario() -> Stage:
        speeches = [HELLO, UserSpeech(5.0, 6.0, "Stop!")]
        async with scripted_session(speeches, answers=[OK, OK], durations=[10.0, 1.0], can_pause=False) as stage:
            assert stage.vad is not None
            make = stage.vad.stream

            def stream() -> Any:
                made = make()
                send = made._event_ch.send_nowait

                def without_marks(event: VADEvent) -> None:
                    event.speaking, event.raw_accumulated_silence = False, 0.0
                    send(event)

                made._event_ch.send_nowait = without_marks  # type: ignore[method-assign]  # as a plugin might
                return made

            stage.vad.stream = stream  # type: ignore[method-assign]  # as a plugin might
            await stage.session.start(Agent(instructions="x"))
            await stage.run_until(8.0)
        return stage

    assert run_virtual(scenario()).times("agent_interrupted") == [5.5]


@in_virtual_time
async def test_the_conversation_says_by_which_tools_and_instructions_it_goes_on() -> None:
    @function_tool
    async def look() -> str:
        """Look."""
        return "seen"

    async with scripted_session() as stage:
        agent = Agent(instructions="Look about.", tools=[look])
        await stage.session.start(agent)
        for context in (agent.chat_ctx, stage.session.history):
            (config,) = [item for item in context.items if item.type == "agent_config_update"]
            assert (config.instructions, config.tools_added) == ("Look about.", ["look"])
        await agent.update_tools([])
        await agent.update_tools([])
        await agent.update_chat_ctx(agent.chat_ctx.copy())
        removed = [item.tools_removed for item in agent.chat_ctx.items if item.type == "agent_config_update"]
        assert removed == [None, ["look"]]
