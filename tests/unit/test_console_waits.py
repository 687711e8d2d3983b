"""Waits of whole conversations as the timeline shows them: they add up to what is heard, and each names its cause."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from agent_console.drawing import timeline as drawing
from agent_console.state import WHOLE, ConsoleState, Turn, reduce, reduce_all
from agent_console.state.advice import savings
from agent_console.state.budgets import Budgets
from agent_console.state.timeline import Stage, stages
from agent_runtime import Agent, function_tool
from agent_runtime.testing import Answer, UserSpeech
from agent_runtime.testing import Stage as Scene
from tests.support.play import play

HELLO = UserSpeech(0.5, 2.5, "Hello")
SLOW_CALL = Answer("", [("slow", "{}")])


class Clerk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You are helpful.")

    @function_tool
    async def slow(self) -> str:
        """Look something up."""
        await asyncio.sleep(0.8)
        return "found"


class Second(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You go on.")

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions="Say hello.")


class Porter(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You hand over.")

    @function_tool
    async def slow(self) -> tuple[Agent, str]:
        """Fetch somebody."""
        await asyncio.sleep(0.3)
        return Second(), "fetched"


class Thoughtful(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You think first.")

    async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
        await asyncio.sleep(0.2)


def without(**preemptive: bool) -> dict[str, Any]:
    return {"turn_handling": {"preemptive_generation": preemptive}}


async def commits(stage: Scene) -> None:
    await stage.run_until(3.0)
    stage.session.commit_user_turn()


async def types(stage: Scene) -> None:
    stage.session.send_text("Hello")


async def speaks_up(stage: Scene) -> None:
    """An answer has to wait for what is being said."""
    stage.session.say("One moment please.", allow_interruptions=False)
    stage.session.generate_reply(user_input="Hello")


TALKS: dict[str, tuple[list[UserSpeech], list[Answer], dict[str, Any]]] = {
    "plain": ([HELLO], [Answer("Hi.")], {}),
    "hook": ([HELLO], [Answer("Hi.")], {"agent": Thoughtful}),
    "not ahead": ([HELLO], [Answer("Hi.")], without(enabled=False)),
    "ahead with voice": ([HELLO], [Answer("Hi.")], without(preemptive_tts=True)),
    "tool": ([HELLO], [SLOW_CALL, Answer("Found.")], {"agent": Clerk}),
    "tool after words": (
        [HELLO],
        [Answer("One moment.", [("slow", "{}")]), Answer("Found.")],
        {"agent": Clerk, **without(enabled=False)},
    ),
    "two tools": ([HELLO], [SLOW_CALL, SLOW_CALL, Answer("Found.")], {"agent": Clerk}),
    "handoff": ([HELLO], [SLOW_CALL, Answer("Wait."), Answer("Hello.")], {"agent": Porter}),
    "interruption": (
        [HELLO, UserSpeech(5.0, 6.0, "Stop please")],
        [Answer("A long answer that goes on."), Answer("OK.")],
        {"durations": [10.0, 1.0]},
    ),
    "false interruption": ([HELLO, UserSpeech(5.0, 5.8)], [Answer("A long answer.")], {"durations": [10.0]}),
    "late words": ([UserSpeech(0.5, 2.5, "Hello", stt_delay=1.2)], [Answer("Hi.")], {}),
    "goes on": ([HELLO, UserSpeech(2.8, 4.0, "again")], [Answer("A."), Answer("B."), Answer("C.")], {}),
    "noise while it thinks": ([HELLO, UserSpeech(3.1, 3.9)], [Answer("A.", ttft=0.5, duration=0.7)], {}),
    "dynamic": (
        [HELLO, UserSpeech(2.8, 4.0, "again")],
        [Answer("A."), Answer("B."), Answer("C.")],
        {"turn_handling": {"endpointing": {"mode": "dynamic"}}},
    ),
    "manual": ([HELLO], [Answer("Hi.")], {"turn_handling": {"turn_detection": "manual"}, "act": commits}),
    "typed": ([], [Answer("Hi.")], {"act": types}),
    "behind a speech": ([], [Answer("Hi.")], {"act": speaks_up, "durations": [2.0, 1.0]}),
    "with a pause": (
        [],
        [Answer("Hi.")],
        {"act": speaks_up, "durations": [0.5, 1.0], "min_consecutive_speech_delay": 1.0},
    ),
}


def talk(name: str) -> Scene:
    speeches, answers, options = TALKS[name]
    return play(15.0, *speeches, answers=answers, **options)


def turns_of(scene: Scene) -> list[tuple[Turn, tuple[Stage, ...]]]:
    state = reduce_all(ConsoleState(), scene.events)
    return [(turn, stages(turn, state.now)) for turn in state.turns]


def named(name: str, turn_id: str = "turn_1") -> list[tuple[str, float, str]]:
    (parts,) = [parts for turn, parts in turns_of(talk(name)) if turn.turn_id == turn_id]
    return [(part.name, round(part.seconds, 3), part.cause) for part in parts]


@pytest.mark.parametrize("name", TALKS)
def test_the_parts_of_every_turn_add_up_to_what_is_heard(name: str) -> None:
    scene = talk(name)
    answered = 0
    for turn, parts in turns_of(scene):
        for before, after in pairwise(parts):
            assert before.end == after.start
        heard = [e.time for e in scene.of("playout_started") if e.turn_id == turn.turn_id]
        if not heard or turn.start is None:
            continue
        committed = [e for e in scene.of("turn_committed") if e.turn_id == turn.turn_id]
        ended = committed[0].data.speech_ended_at if committed else None  # type: ignore[union-attr]
        start = ended if ended is not None else committed[0].time if committed else turn.started
        assert parts[0].start == pytest.approx(start)
        assert parts[-1].end == pytest.approx(heard[0])
        assert sum(part.seconds for part in parts) == pytest.approx(heard[0] - start)
        answered += 1
    assert answered


@pytest.mark.parametrize("name", TALKS)
def test_no_wait_goes_on_when_the_talk_is_over(name: str) -> None:
    for turn, parts in turns_of(talk(name)):
        assert not any(part.is_open for part in parts)
        lines = drawing.waterfall(turn, parts, 15.0, 80, Budgets())
        assert not any("so far" in text for line in lines for text, _ in line)


@pytest.mark.parametrize("name", TALKS)
def test_every_wait_names_a_setting_a_provider_or_the_agents_own_code(name: str) -> None:
    known = ("endpointing.", "commit_user_turn", "stt Scripted", "llm scripted-llm", "tts scripted-tts", "tool slow")
    known += (
        "on_user_turn_completed",
        "you were heard",
        "another speech",
        "min_consecutive_speech_delay",
        "the session",
    )
    for _, parts in turns_of(talk(name)):
        for part in parts:
            assert part.cause.startswith(known), part


@pytest.mark.parametrize("name", TALKS)
def test_every_wait_that_is_long_has_a_row_that_says_what_would_have_saved_it(name: str) -> None:
    turns = [turn for turn, _ in turns_of(talk(name)) if turn.is_measured]
    told = " ".join(saving.setting for saving in savings(turns))
    rows = {"llm": "llm ", "llm_sentence": "llm ", "tts": "tts ", "tools": "tool ", "transcription": "stt "}
    rows |= {"hook": "on_user_turn_completed"}
    for turn in turns:
        for part in turn.parts:
            if part.end - part.start >= 0.2 and part.name in rows:
                assert rows[part.name] in told


@pytest.mark.parametrize("name", TALKS)
def test_a_turn_is_drawn_live_as_it_is_measured_in_the_end(name: str) -> None:
    """But for the floor, of which events tell nothing until it was measured."""
    scene, state = talk(name), ConsoleState()
    for event in scene.events:
        before, state = state, reduce(state, event)
        if event.data.type != "turn_measured":
            continue
        (live,) = [turn for turn in before.turns if turn.turn_id == event.turn_id]
        (final,) = [turn for turn in state.turns if turn.turn_id == event.turn_id]
        assert _shares(live) == pytest.approx(_shares(final), abs=2e-3)


def _shares(turn: Turn) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in turn.parts:
        name = "playout" if part.name == "floor" else part.name
        found[name] = found.get(name, 0.0) + part.end - part.start
    return {name: seconds for name, seconds in found.items() if seconds > 1e-6}


def test_an_answer_that_was_ready_says_whom_it_let_finish() -> None:
    assert named("noise while it thinks")[-1] == ("floor", 0.6, "you were heard: the agent let you finish")
    assert [part[0::2] for part in named("behind a speech", "turn_2")][-1] == (
        "floor",
        "another speech of the agent was being heard",
    )
    assert [part[0::2] for part in named("with a pause", "turn_2")][-1][1].startswith("min_consecutive_speech_delay")


def test_an_answer_that_was_never_heard_was_waited_for_in_vain() -> None:
    (turn, parts), *_ = turns_of(talk("goes on"))
    assert turn.audible_at is None
    text = "\n".join("".join(part for part, _ in line) for line in drawing.waterfall(turn, parts, 15.0, 80, Budgets()))
    assert "in vain" in text
    assert "given up before it was heard" in text


def test_a_turn_that_was_dropped_says_why() -> None:
    async def act(stage: Scene) -> None:
        await stage.run_until(2.9)
        stage.session.say("One moment please.", allow_interruptions=False)

    (turn, parts), *_ = turns_of(play(9.0, HELLO, answers=[Answer("Hi.")], act=act, durations=[2.0]))
    text = "\n".join("".join(part for part, _ in line) for line in drawing.waterfall(turn, parts, 9.0, 80, Budgets()))
    assert "dropped: the agent can't be interrupted now" in text


def test_percentiles_count_each_answer_once() -> None:
    state = reduce_all(ConsoleState(), talk("interruption").events)
    assert state.waits[WHOLE].size == 2
