"""A user who talks too long is cut in on (`user_turn_limit`), by the agent's hook `on_user_turn_exceeded`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent_runtime import Agent
from agent_runtime.testing import Answer, Stage, UserSpeech
from tests.support.play import HELLO, causes, play

OK = Answer("OK")
SORRY = Answer("Sorry to cut in.")
LONG = UserSpeech(
    0.5,
    9.0,
    "one two three four five six seven eight nine ten",
    interims=[(2.0, "one two three"), (4.0, "one two three four five six"), (6.0, "one two three four five six seven")],
)


class Counting(Agent):
    """Keeps the events that its hook was called with, and speaks if it is told to."""

    def __init__(self, reaction: str = "") -> None:
        super().__init__(instructions="You are helpful.")
        self.reaction = reaction
        self.exceeded: list[tuple[float, Any]] = []

    async def on_user_turn_exceeded(self, ev: Any) -> None:
        self.exceeded.append((round(asyncio.get_running_loop().time(), 6), ev))
        if self.reaction == "raise":
            raise RuntimeError("what now?")
        if self.reaction == "wait":
            await asyncio.sleep(10.0)
        if self.reaction == "say":
            self.session.say("One moment, please.")


def limit(**limits: Any) -> dict[str, Any]:
    return {"user_turn_limit": limits}


def listen(until: float, *speeches: UserSpeech, reaction: str = "", **options: Any) -> tuple[Stage, Counting]:
    agents: list[Counting] = []

    def make() -> Counting:
        agents.append(Counting(reaction))
        return agents[0]

    return play(until, *speeches, agent=make, **options), agents[0]


def test_by_default_the_agent_cuts_in_and_nothing_is_said_twice() -> None:
    # Nothing is recognised over a protected speech.
    speech = UserSpeech(0.5, 9.0, "-", stt_delay=9.0, interims=LONG.interims[:2])
    stage = play(14.0, speech, answers=[SORRY], turn_handling=limit(max_words=5), durations=[6.0])
    assert stage.times("user_turn_exceeded") == [4.0]
    assert causes(stage, "user_turn_exceeded") == ["max_words"]
    assert stage.times("agent_state_changed", new="speaking") == [4.5]  # the model's 0.3 s and the voice's 0.2 s
    assert stage.said() == [("user", "one two three four five six"), ("assistant", "Sorry to cut in.")]
    assert not stage.of("agent_interrupted"), "it can't be interrupted"
    assert stage.llm.choices == ["none"]


def test_words_are_counted_over_turns_until_the_agent_is_heard() -> None:
    parts = [
        UserSpeech(0.5, 1.5, "one two three"),
        UserSpeech(2.6, 3.5, "four five"),
        UserSpeech(9.0, 9.5, "six seven"),
    ]
    slow = Answer("All right", ttft=1.5, duration=1.6)
    _, agent = listen(16.0, *parts, answers=[slow, slow, slow], durations=[1.0, 1.0], turn_handling=limit(max_words=5))
    ((at, event),) = agent.exceeded
    assert at == 3.7
    assert (event.transcript, event.accumulated_transcript) == ("four five", "one two three four five")
    assert event.accumulated_word_count == 5
    assert event.duration == pytest.approx(3.2)
    assert event.type == "user_turn_exceeded"


def test_time_counts_from_the_first_voice() -> None:
    stage, agent = listen(9.5, LONG, answers=[OK], turn_handling=limit(max_duration=5.0))
    assert [at for at, _ in agent.exceeded] == [5.5], "once for each segment"
    assert causes(stage, "user_turn_exceeded") == ["max_duration"]


def test_a_recogniser_without_interims_does_not_put_the_limit_off() -> None:
    stage = play(14.0, UserSpeech(0.5, 9.0, "-"), answers=[SORRY], turn_handling=limit(max_duration=5.0))
    assert stage.times("user_turn_exceeded") == [5.5]
    assert stage.times("agent_state_changed", new="speaking") == [6.0]
    assert ("user", "") not in stage.said(), "nothing is known yet of what they said"


def test_push_to_talk_has_the_same_limit() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(0.4)
        stage.session.push_to_talk.press()

    _, agent = listen(9.5, UserSpeech(0.5, 9.0, "-"), act=act, turn_handling=limit(max_duration=5.0))
    assert [at for at, _ in agent.exceeded] == [5.1], "what was heard just before the press counts"


def test_each_segment_that_exceeds_is_told_once() -> None:
    more = UserSpeech(9.5, 9.9, "eleven", interims=[(9.6, "eleven")])
    options = {**limit(max_words=3), "endpointing": {"min_delay": 2.0}}
    stage, agent = listen(10.3, LONG, more, answers=[OK], turn_handling=options)
    assert [at for at, _ in agent.exceeded] == [2.0, 9.6]
    assert len(stage.of("hook_finished")) == 2


def test_a_turn_within_its_limits_is_left_alone() -> None:
    stage, agent = listen(6.0, HELLO, answers=[OK], turn_handling=limit(max_words=5, max_duration=2.3))
    assert agent.exceeded == []
    assert stage.said()[-1] == ("assistant", "OK")


def test_while_a_reply_is_due_the_hook_waits_and_is_not_called_when_it_is_heard() -> None:
    parts = [UserSpeech(0.5, 1.5, "one two"), UserSpeech(1.9, 2.0, "three", stt_delay=0.2)]
    slow = Answer("All right", ttft=2.0, duration=2.1)
    options = {**limit(max_words=3), "interruption": {"min_words": 2}}
    stage, agent = listen(8.0, *parts, answers=[slow], durations=[1.0], turn_handling=options)
    assert causes(stage, "user_turn_exceeded") == ["max_words"]
    assert agent.exceeded == []
    assert stage.of("playout_started")


def test_the_hook_may_say_something_of_its_own() -> None:
    stage, agent = listen(6.0, LONG, reaction="say", turn_handling=limit(max_words=3), durations=[1.0])
    assert stage.of("speech_created")[0].data.source == "say"
    assert len(agent.exceeded) == 1


def test_a_hook_that_raises_is_reported() -> None:
    stage, _ = listen(5.0, LONG, reaction="raise", turn_handling=limit(max_words=3))
    (error,) = stage.of("error_occurred")
    assert error.data.source == "hook on_user_turn_exceeded of counting"
    assert "what now?" in error.data.message


def test_a_hook_that_is_busy_is_not_called_again() -> None:
    stage, agent = listen(12.0, LONG, reaction="wait", answers=[OK], turn_handling=limit(max_words=3))
    assert len(agent.exceeded) == 1
    more = [UserSpeech(9.3, 9.9, "eleven")]
    stage, agent = listen(10.3, LONG, *more, reaction="wait", answers=[OK], turn_handling=limit(max_words=3))
    assert len(stage.of("user_turn_exceeded")) == 2
    assert len(agent.exceeded) == 1


def test_a_later_one_takes_the_place_of_one_that_waits() -> None:
    parts = [UserSpeech(0.5, 1.5, "one two"), UserSpeech(1.9, 2.0, "three"), UserSpeech(2.7, 2.8, "four")]
    slow = Answer("All right", ttft=9.0, duration=9.1)
    # The reply that the first waits for is interrupted by the second, so the agent says nothing by itself.
    options = {**limit(max_words=3), "interruption": {"min_words": 2}, "preemptive_generation": {"enabled": False}}
    stage, agent = listen(3.4, *parts, answers=[slow], durations=[1.0], turn_handling=options)
    assert len(stage.of("user_turn_exceeded")) == 2
    assert [(at, event.accumulated_word_count) for at, event in agent.exceeded] == [(3.0, 4)]


def test_clearing_the_turn_begins_the_count_again() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(3.0)
        stage.session.clear_user_turn()

    _, agent = listen(9.5, LONG, act=act, answers=[OK], turn_handling=limit(max_words=7))
    assert [event.accumulated_word_count for _, event in agent.exceeded] == [7]


@pytest.mark.parametrize("limits", [{"max_words": 0}, {"max_duration": -1.0}])
def test_a_limit_that_cannot_be_is_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="user_turn_limit"):
        play(0.1, turn_handling=limit(**limits))
