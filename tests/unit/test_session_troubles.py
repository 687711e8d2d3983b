"""What people report of voice agents that stop: each trouble as a scenario that ends with the agent answering."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from agent_runtime import Agent, AgentTask, RunContext, function_tool
from agent_runtime.testing import Answer, Stage, UserSpeech
from agent_runtime.voice.words import count_words
from tests.support.play import HELLO, play

OK = Answer("OK")
LAST = UserSpeech(40.0, 41.0, "Still there?")


def answers_last(stage: Stage) -> None:
    """Whatever happened before, the last words are answered, heard to their end, and nothing is left over."""
    assert stage.said()[-2:] == [("user", LAST.text), ("assistant", "OK")]
    assert stage.session.agent_state == "listening"
    (closed,) = stage.of("session_closed")
    assert closed.data.reason == "user_initiated"
    started = [event.data.call_id for event in stage.of("tool_started")]
    assert sorted(started) == sorted(event.data.call_id for event in stage.of("tool_finished"))
    outputs = [item.call_id for item in stage.session.history.items if item.type == "function_call_output"]
    assert sorted(outputs) == sorted(started), "each call has exactly one output"


def speaks_in_tool(protected: bool) -> Callable[[], Agent]:
    class Speaks(Agent):
        @function_tool
        async def book(self, context: RunContext) -> str:
            """Book a table."""
            if protected:
                context.disallow_interruptions()
            await asyncio.sleep(1.0)
            await self.session.say("One moment please", allow_interruptions=not protected)
            await asyncio.sleep(1.0)
            return "booked"

    return lambda: Speaks(instructions="")


@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("at", [3.05, 3.5, 3.95, 4.05, 4.3, 5.0, 6.5, 7.2, 8.0])
def test_words_over_a_tool_that_speaks(at: float, protected: bool) -> None:
    # https://github.com/livekit/agents/issues/4413
    answers = [Answer("Sorry about that", [("book", "{}")]), *[OK] * 6]
    over = UserSpeech(at, at + 1.0, "Wait a second")
    answers_last(play(50.0, HELLO, over, LAST, agent=speaks_in_tool(protected), answers=answers))


def test_text_before_a_call_that_speaks_is_heard_before_it() -> None:
    # https://github.com/livekit/agents/issues/4461
    answers = [Answer("Sorry about that", [("book", "{}")]), *[OK] * 3]
    stage = play(50.0, HELLO, LAST, agent=speaks_in_tool(protected=True), answers=answers)
    said = [text for role, text in stage.said() if role == "assistant"]
    assert said == ["Sorry about that", "One moment please", "OK", "OK"]
    answers_last(stage)


@pytest.mark.parametrize("can_pause", [True, False])
@pytest.mark.parametrize("at", [2.75, 2.95, 3.05, 3.1, 3.15, 3.2, 3.21, 3.3, 3.6])
def test_going_on_just_as_the_agent_begins(at: float, can_pause: bool) -> None:
    # https://github.com/livekit/agents/issues/3418 and https://github.com/livekit/agents-js/issues/2065
    more = UserSpeech(at, at + 0.8, "Doe is my name")
    stage = play(50.0, HELLO, more, LAST, answers=[OK] * 6, durations=[3.0] * 6, can_pause=can_pause)
    assert ("user", "Doe is my name") in [
        (role, text.removeprefix(HELLO.text or "").strip()) for role, text in stage.said()
    ]
    answers_last(stage)


@pytest.mark.parametrize("at", [3.4, 4.4, 5.2, 5.7, 5.75, 6.0])
def test_words_between_a_tools_end_and_the_reply_to_it(at: float) -> None:
    # https://github.com/livekit/agents-js/issues/1124
    class Books(Agent):
        @function_tool
        async def book(self) -> str:
            """Book a table."""
            await asyncio.sleep(2.0)
            return "booked"

    answers = [Answer("", [("book", "{}")]), *[OK] * 6]
    over = UserSpeech(at, at + 1.0, "And a chair")
    stage = play(50.0, HELLO, over, LAST, agent=lambda: Books(instructions=""), answers=answers)
    assert len(stage.of("tool_started")) == 1, "nobody books twice"
    answers_last(stage)


def test_a_slow_hook_that_is_interrupted_again_and_again() -> None:
    # https://github.com/livekit/agents/issues/3083
    class Slow(Agent):
        async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
            await asyncio.sleep(5.0)

    again = [UserSpeech(4.0 + 2.5 * n, 5.0 + 2.5 * n, f"Word {n}") for n in range(6)]
    stage = play(60.0, HELLO, *again, LAST, agent=lambda: Slow(instructions=""), answers=[OK] * 9)
    heard = " ".join(text for role, text in stage.said() if role == "user")
    assert all(speech.text in heard for speech in (HELLO, *again) if speech.text)
    answers_last(stage)


@pytest.mark.parametrize("at", [0.0, 1.0, 2.99, 3.0, 3.05, 3.1, 3.2, 3.25, 4.0, 5.2, 5.21])
def test_interrupt_at_any_instant_and_a_reply_right_after_it(at: float) -> None:
    # https://github.com/livekit/agents/issues/1179
    async def act(stage: Stage) -> None:
        async def cut() -> None:
            await stage.run_until(at)
            first, second = stage.session.interrupt(force=True), stage.session.interrupt(force=True)
            reply = stage.session.generate_reply(instructions="Say that you are there.")
            await asyncio.gather(first, second)
            await reply

        done.append(asyncio.create_task(cut()))

    done: list[asyncio.Task[None]] = []
    stage = play(50.0, HELLO, LAST, answers=[OK] * 6, durations=[2.0] * 6, act=act)
    assert done[0].done()
    assert done[0].exception() is None
    answers_last(stage)


@pytest.mark.parametrize("at", [3.5, 4.99, 5.0, 5.1, 5.5, 6.0, 7.0, 9.0])
def test_say_at_any_instant_of_a_handoff(at: float) -> None:
    class Next(Agent):
        async def on_enter(self) -> None:
            await self.session.say("Hello from the next")

    class First(Agent):
        @function_tool
        async def hand_over(self) -> Agent:
            """Hand over."""
            await asyncio.sleep(2.0)
            return Next(instructions="", id="next")

        async def on_exit(self) -> None:
            await self.session.say("Goodbye")

    async def act(stage: Stage) -> None:
        async def speak() -> None:
            await stage.run_until(at)
            await stage.session.say("A word from outside")

        done.append(asyncio.create_task(speak()))

    done: list[asyncio.Task[None]] = []
    answers = [Answer("", [("hand_over", "{}")]), *[OK] * 4]
    stage = play(50.0, HELLO, LAST, agent=lambda: First(instructions=""), answers=answers, act=act)
    assert done[0].done()
    said = [text for role, text in stage.said() if role == "assistant"]
    for text in ("A word from outside", "Goodbye", "Hello from the next"):
        assert said.count(text) == 1, text
    assert said.index("Goodbye") < said.index("Hello from the next")
    answers_last(stage)


class GivesName(AgentTask[str]):
    def __init__(self) -> None:
        super().__init__(instructions="")

    async def on_enter(self) -> None:
        await self.session.say("Your name?")
        self.complete("Ada")


@pytest.mark.parametrize("order", [("transfer", "switch"), ("switch", "transfer")])
def test_a_handoff_beside_a_tool_that_begins_a_task(order: tuple[str, str]) -> None:
    # https://github.com/livekit/agents-js/issues/2483
    class Both(Agent):
        @function_tool
        async def transfer(self) -> str:
            """Transfer the call."""
            await asyncio.sleep(1.0)
            return await GivesName()

        @function_tool
        async def switch(self) -> Agent:
            """Switch to another agent."""
            return Agent(instructions="", id="next")

    answers = [Answer("", [(name, "{}") for name in order]), *[OK] * 4]
    stage = play(50.0, HELLO, LAST, agent=lambda: Both(instructions=""), answers=answers)
    assert stage.session.current_agent.id == "next"
    answers_last(stage)


@pytest.mark.parametrize("words", ["mm-hm", ""])
@pytest.mark.parametrize("mode", ["vad", "adaptive"])
def test_a_listeners_sound_lets_the_agent_finish(words: str, mode: str) -> None:
    # https://github.com/livekit/agents/issues/4039
    if mode == "vad" and words:
        handling = {"interruption": {"mode": mode, "min_words": 2}}
    else:
        handling = {"interruption": {"mode": mode}}
    sound = UserSpeech(5.0, 5.7, words)
    long = Answer("One two three four five six seven eight nine ten")
    stage = play(50.0, HELLO, sound, LAST, answers=[long, OK], durations=[6.0, 1.0], turn_handling=handling)
    assert stage.said()[:2] == [("user", HELLO.text), ("assistant", long.text)]
    # Words below the minimum stay with what the user says next: they may be its beginning.
    assert stage.said()[2][1] in (LAST.text, f"{words} {LAST.text}")
    assert stage.said()[3:] == [("assistant", "OK")]
    assert stage.session.agent_state == "listening"


@pytest.mark.parametrize("where", ["agent_state_changed", "conversation_item_added", "speech_created"])
def test_closing_from_a_callback(where: str) -> None:
    # https://github.com/livekit/agents/pull/2997
    async def act(stage: Stage) -> None:
        def close(event: Any) -> None:
            if not closing and stage.of("turn_committed"):
                closing.append(asyncio.create_task(stage.session.aclose()))

        stage.session.on(where, close)

    closing: list[asyncio.Task[None]] = []
    stage = play(20.0, HELLO, agent=speaks_in_tool(protected=True), answers=[Answer("", [("book", "{}")]), OK], act=act)
    assert closing[0].done()
    assert len(stage.of("session_closed")) == 1


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("mm-hm", 1),
        ("Uh-huh.", 1),
        ("twenty-one", 1),
        ("I don't", 2),
        ("rock & roll", 2),
        ("3.5 $5", 2),
        ("a_b _", 1),
        ("\u4f60\u597dhi", 3),
        (" ... ", 0),
        ("", 0),
    ],
)
def test_words_are_counted_as_a_listener_does(text: str, count: int) -> None:
    assert count_words(text) == count
