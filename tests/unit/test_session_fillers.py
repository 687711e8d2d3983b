"""What is said while a tool works, and speech that belongs together."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent_runtime import Agent, AgentTask, RunContext, SpeechHandle, function_tool
from agent_runtime.testing import Answer, Stage, UserSpeech, in_virtual_time, scripted_session
from tests.support.play import HELLO, play

FILLER = "One moment"


class Works(Agent):
    """Its tool works from 3.0 on for `seconds`, with a filler."""

    def __init__(self, seconds: float, *, source: Any = FILLER, update: bool = False, **filler: Any) -> None:
        super().__init__(instructions="")
        self.seconds, self.source, self.update, self.filler = seconds, source, update, filler

    @function_tool
    async def work(self, context: RunContext[Any]) -> str:
        """Work."""
        if self.update:
            await context.update("begun")
        async with context.with_filler(self.source, **self.filler):
            await asyncio.sleep(self.seconds)
        return "worked"


def run(agent: Works, *speeches: UserSpeech, durations: list[float], more: list[Answer] | None = None) -> Stage:
    answers = [Answer("", [("work", "{}")]), *(more or [Answer("Done")])]
    return play(30.0, HELLO, *speeches, agent=lambda: agent, answers=answers, durations=durations)


def spoken(stage: Stage) -> list[tuple[float, str]]:
    begun = stage.times("playout_started")
    return list(zip(begun, [text for role, text in stage.said() if role == "assistant"], strict=True))


def test_a_filler_speaks_as_soon_as_it_is_quiet() -> None:
    stage = run(Works(5.0), durations=[1.0, 1.0])
    assert spoken(stage) == [(3.2, FILLER), (8.5, "Done")]


def test_a_filler_waits_for_its_delay_and_a_quick_tool_needs_none() -> None:
    stage = run(Works(5.0, delay=2.0), durations=[1.0, 1.0])
    assert spoken(stage) == [(5.2, FILLER), (8.5, "Done")]
    stage = run(Works(1.9, delay=2.0), durations=[1.0])
    assert spoken(stage) == [(5.4, "Done")]


def test_a_filler_repeats_after_its_interval_as_often_as_it_may() -> None:
    # The interval counts from the begin of the first.
    stage = run(Works(12.0, interval=3.0, max_steps=2), durations=[1.0, 1.0, 1.0])
    assert spoken(stage) == [(3.2, FILLER), (6.2, FILLER), (15.5, "Done")]


def test_what_is_being_said_when_the_tool_ends_is_said_to_its_end_and_no_more() -> None:
    stage = run(Works(2.0, interval=0.1), durations=[3.0, 1.0])
    # Its reply is ready at 5.5 and is heard as soon as the filler is over.
    assert spoken(stage) == [(3.2, FILLER), (6.21, "Done")]


def test_a_filler_that_was_not_heard_yet_is_dropped_with_the_tool() -> None:
    stage = run(Works(2.0, delay=1.9), durations=[1.0, 1.0])
    # It was due at 4.9, and would have been heard from 5.1 on.
    assert spoken(stage) == [(5.5, "Done")]


def test_the_user_who_speaks_is_not_talked_over() -> None:
    says = UserSpeech(4.5, 6.0, "")
    stage = run(Works(10.0, delay=2.0), says, durations=[1.0, 1.0])
    # Quiet from 3.0; noise from 4.55 to 6.5; then two seconds.
    assert spoken(stage)[0] == (8.7, FILLER)


def test_each_sound_of_the_user_begins_the_delay_anew() -> None:
    stage = run(Works(12.0, delay=4.0), UserSpeech(4.0, 4.5, ""), durations=[1.0, 1.0])
    assert spoken(stage)[0] == (9.2, FILLER)


def test_an_update_holds_the_filler_off() -> None:
    class Updates(Agent):
        @function_tool
        async def work(self, context: RunContext[Any]) -> str:
            """Work."""
            async with context.with_filler(FILLER, delay=2.0):
                await asyncio.sleep(1.5)
                await context.update("half", silent=True)
                await asyncio.sleep(5.0)
            return "worked"

    answers = [Answer("", [("work", "{}")]), Answer("Done")]
    stage = play(20.0, HELLO, agent=lambda: Updates(instructions=""), answers=answers, durations=[1.0, 1.0])
    assert spoken(stage)[0] == (6.7, FILLER)


def test_a_filler_works_in_the_background_too() -> None:
    stage = run(Works(8.0, update=True, delay=2.0), durations=[1.0] * 3, more=[Answer("Begun"), Answer("Done")])
    assert spoken(stage) == [(3.5, "Begun"), (6.71, FILLER), (11.5, "Done")]


def test_a_function_chooses_the_words_or_says_nothing() -> None:
    steps: list[int] = []

    def choose(step: int) -> str | None:
        steps.append(step)
        return None if len(steps) == 1 else f"Step {step}"

    stage = run(Works(7.0, source=choose, interval=2.0), durations=[0.5] * 4)
    assert steps == [0, 0, 1, 2]
    assert [text for _, text in spoken(stage)] == ["Step 0", "Step 1", "Step 2", "Done"]


def test_a_function_may_speak_itself() -> None:
    agent: Works

    def speak(step: int) -> SpeechHandle:
        return agent.session.say("My own words")

    agent = Works(3.0, source=speak)
    assert spoken(run(agent, durations=[1.0, 1.0]))[0] == (3.2, "My own words")


def test_a_function_that_fails_is_reported_and_the_tool_goes_on() -> None:
    stage = run(Works(3.0, source=lambda step: 1 / 0), durations=[1.0])
    (error,) = stage.of("error_occurred")
    assert (error.data.source, "ZeroDivisionError" in error.data.message) == ("filler", True)
    assert spoken(stage) == [(6.5, "Done")]


def test_a_filler_ends_with_its_interrupted_speech() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(4.0)
        for speech in stage.session._engine.replies.at_work():
            speech.interrupt()

    answers = [Answer("", [("work", "{}")])]
    stage = play(12.0, HELLO, agent=lambda: Works(4.0, delay=2.0), answers=answers, act=act)
    assert stage.times("playout_started") == []


@pytest.mark.parametrize("bad", [{"delay": -1.0}, {"interval": -1.0}])
def test_times_are_not_negative(bad: dict[str, float]) -> None:
    stage = run(Works(1.0, **bad), durations=[1.0])
    (finished,) = stage.of("tool_finished")
    assert "must not be negative, not -1.0" in finished.data.details


# --- the foreground --------------------------------------------------------------------------------------------------


class Tells(Agent):
    """Two tools in the background; `asks` wants the floor at 6.0 for three seconds of talk."""

    @function_tool
    async def asks(self, context: RunContext[Any]) -> str:
        """Ask for something, in two speeches that belong together."""
        await context.update("begun")
        await asyncio.sleep(3.0)
        async with context.foreground() as agent:
            assert agent is self
            await self.session.say("First")
            await self.session.say("Second")
        return "asked"

    @function_tool
    async def books(self, context: RunContext[Any]) -> str:
        """Have news in between."""
        await context.update("begun")
        await asyncio.sleep(3.5)
        return "booked"


def test_what_is_said_in_the_foreground_stays_together() -> None:
    answers = [Answer("", [("asks", "{}"), ("books", "{}")]), Answer("Begun"), Answer("Both")]
    stage = play(20.0, HELLO, agent=lambda: Tells(instructions=""), answers=answers, durations=[1.0] * 5)
    # "booked" is there at 6.5, between the two.
    assert [text for _, text in spoken(stage)] == ["Begun", "First", "Second", "Both"]
    assert spoken(stage)[1][0] == 6.2


def test_the_foreground_waits_until_the_user_has_spoken_and_was_answered() -> None:
    says = UserSpeech(5.5, 7.0, "What now?")
    answers = [Answer("", [("asks", "{}")]), Answer("Begun"), Answer("Wait"), Answer("All")]
    stage = play(20.0, HELLO, says, agent=lambda: Tells(instructions=""), answers=answers, durations=[1.0] * 5)
    assert [text for _, text in spoken(stage)] == ["Begun", "Wait", "First", "Second", "All"]


def test_news_of_a_call_come_before_its_foreground() -> None:
    class Asks(Agent):
        @function_tool
        async def asks(self, context: RunContext[Any]) -> str:
            """Tell, then ask."""
            await context.update("one")
            await asyncio.sleep(3.0)
            await context.update("two")
            async with context.foreground():
                await self.session.say("Question")
            return "asked"

    answers = [Answer("", [("asks", "{}")]), Answer("One"), Answer("Two"), Answer("All")]
    stage = play(20.0, HELLO, agent=lambda: Asks(instructions=""), answers=answers, durations=[1.0] * 5)
    assert [text for _, text in spoken(stage)] == ["One", "Two", "Question", "All"]


def test_the_foreground_is_lost_with_the_agent() -> None:
    class Leaves(Tells):
        @function_tool
        async def leave(self) -> Agent:
            """Hand over."""
            return Agent(instructions="", id="other")

    says = UserSpeech(4.6, 5.0, "Goodbye")  # which is answered by a handoff at 5.8
    answers = [Answer("", [("asks", "{}")]), Answer("Begun"), Answer("", [("leave", "{}")])]
    stage = play(20.0, HELLO, says, agent=lambda: Leaves(instructions=""), answers=answers, durations=[1.0] * 5)
    (asks,) = [e.data for e in stage.of("tool_finished") if e.data.name == "asks"]
    assert asks.output == "leaves hands the conversation over"
    assert stage.session.history.messages()[-1].text_content == "Goodbye"
    assert [e.data.new for e in stage.of("agent_changed")] == ["leaves", "other"]


class Ask(AgentTask[str]):
    """Asks for a name; its tool gives it."""

    def __init__(self) -> None:
        super().__init__(instructions="Ask for a name.")

    async def on_enter(self) -> None:
        self.session.say("Your name?")

    @function_tool
    async def give(self, name: str) -> None:
        """Give the name."""
        self.complete(name)


class AsksInBackground(Agent):
    @function_tool
    async def book(self, context: RunContext[Any]) -> str:
        """Ask for the name when it is quiet."""
        await context.update("begun")
        await asyncio.sleep(3.0)
        async with context.foreground():
            name = await Ask()
        return f"booked for {name}"


def test_a_call_in_the_background_may_await_a_task_in_the_foreground() -> None:
    says = UserSpeech(9.0, 10.0, "Bob")
    answers = [
        Answer("", [("book", "{}")]),
        Answer("Begun"),
        Answer("", [("give", '{"name": "Bob"}')]),
        Answer("All set"),
    ]
    stage = play(
        20.0, HELLO, says, agent=lambda: AsksInBackground(instructions=""), answers=answers, durations=[1.0] * 5
    )
    assert [text for _, text in spoken(stage)] == ["Begun", "Your name?", "All set"]
    outputs = [i.output for i in stage.session.history.items if i.type == "function_call_output"]
    assert outputs[-1] == "booked for Bob"
    assert stage.session.current_agent.id == "asks_in_background"
    assert stage.session._engine.running_tools == 0


def test_a_task_after_an_update_waits_until_that_was_told() -> None:
    class Asks(Agent):
        @function_tool
        async def book(self, context: RunContext[Any]) -> str:
            """Ask at once."""
            await context.update("begun")
            return f"booked for {await Ask()}"

    give = Answer("", [("give", '{"name": "Bob"}')])
    answers = [Answer("", [("book", "{}")]), Answer("Begun"), give, Answer("All set")]
    says = UserSpeech(9.0, 10.0, "Bob")
    stage = play(20.0, HELLO, says, agent=lambda: Asks(instructions=""), answers=answers, durations=[1.0] * 5)
    assert [text for _, text in spoken(stage)] == ["Begun", "Your name?", "All set"]
    assert stage.times("agent_changed", new="ask") == [4.51]


def test_an_update_beside_a_task_keeps_the_count_of_running_tools() -> None:
    class Asks(Agent):
        @function_tool
        async def book(self, context: RunContext[Any]) -> str:
            """Ask, and tell meanwhile that it asks."""

            async def report() -> None:
                await asyncio.sleep(2.0)
                await context.update("asking", silent=True)

            name, _ = await asyncio.gather(Ask(), report())
            return f"booked for {name}"

    give = Answer("", [("give", '{"name": "Bob"}')])
    answers = [Answer("", [("book", "{}")]), give, Answer("All set")]
    says = UserSpeech(7.0, 8.0, "Bob")
    stage = play(20.0, HELLO, says, agent=lambda: Asks(instructions=""), answers=answers, durations=[1.0] * 5)
    assert stage.said()[-1] == ("assistant", "All set")
    assert stage.session._engine.running_tools == 0


@in_virtual_time
async def test_what_a_call_does_in_the_foreground_is_part_of_its_run() -> None:
    class Asks(Agent):
        @function_tool
        async def asks(self, context: RunContext[Any]) -> str:
            """Say something in the foreground."""
            await context.update("begun")
            async with context.foreground():
                await asyncio.sleep(5.0)
                await self.session.say("Question")
            await asyncio.sleep(5.0)
            return "asked"

    answers = [Answer("", [("asks", "{}")]), Answer("Begun"), Answer("Late")]
    async with scripted_session(answers=answers, microphone=False, speaker=False) as stage:
        await stage.session.start(Asks(instructions=""))
        run = await stage.session.run(user_input="Go")
        messages = [event.item.text_content for event in run.events if event.type == "message"]
        assert messages == ["Begun", "Question"]
