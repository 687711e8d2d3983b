"""What stops the agent, what doesn't, and what is remembered of a speech that was cut."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent_runtime import Agent, AgentSession
from agent_runtime.testing import Answer, Stage, UserSpeech
from tests.support.play import HELLO, causes, play, since

STORY = Answer("One two three four five six seven eight nine ten")
OK = Answer("OK")
STOP = UserSpeech(5.0, 6.0, "Stop")


def test_short_speech_does_not_interrupt_before_it_is_recognised() -> None:
    stage = play(12.0, HELLO, UserSpeech(5.0, 5.3, "no"), answers=[STORY, OK], durations=[10.0, 1.0], can_pause=False)
    assert stage.times("agent_interrupted") == [5.5]  # the final, 0.2 s after the speech
    assert causes(stage, "agent_interrupted") == ["voice"]


def test_a_cough_does_not_even_pause_the_agent() -> None:
    stage = play(18.0, HELLO, UserSpeech(5.0, 5.3, ""), answers=[STORY], durations=[10.0])
    assert stage.of("playout_paused") == []
    assert stage.times("playout_finished", interrupted=False) == [13.21]


def test_no_minimum_still_takes_voice_and_not_silence() -> None:
    options = {"interruption": {"min_duration": 0.0}}
    stage = play(8.0, HELLO, answers=[STORY], durations=[2.0], turn_handling=options)
    assert stage.of("agent_interrupted") == []
    stage = play(8.0, HELLO, STOP, answers=[STORY, OK], durations=[10.0, 1.0], turn_handling=options, can_pause=False)
    assert stage.times("agent_interrupted") == [5.1]  # the first window after speech is reported


def test_what_was_cut_is_marked_and_nothing_else() -> None:
    stage = play(10.0, HELLO, STOP, answers=[STORY, OK], durations=[10.0, 1.0], can_pause=False)
    marks = [(m.text_content, m.interrupted) for m in stage.session.history.messages() if m.role == "assistant"]
    assert marks == [("One two", True), ("OK", False)]


def test_a_turn_that_is_ended_by_hand_stops_the_agent() -> None:
    async def act(stage: Stage) -> None:
        for when in (2.8, 6.5):
            await stage.run_until(when)
            stage.session.commit_user_turn()

    manual = {"turn_detection": "manual"}
    stage = play(12.0, HELLO, STOP, act=act, answers=[STORY, OK], durations=[10.0, 1.0], turn_handling=manual)
    assert stage.times("agent_interrupted") == [6.5]
    assert stage.said()[-2:] == [("user", "Stop"), ("assistant", "OK")]


def test_too_few_words_do_not_interrupt() -> None:
    options = {"interruption": {"min_words": 2}}
    stage = play(16.0, HELLO, STOP, answers=[STORY], durations=[10.0], turn_handling=options)
    assert stage.of("agent_interrupted") == []
    assert stage.times("playout_finished", interrupted=False) == [13.21]


def test_enough_words_do() -> None:
    options = {"interruption": {"min_words": 2}}
    speech = UserSpeech(5.0, 6.5, "Stop it", interims=[(5.6, "Stop"), (6.02, "Stop it")])
    stage = play(10.0, HELLO, speech, answers=[STORY, OK], durations=[10.0, 1.0], turn_handling=options)
    assert stage.times("playout_paused") == [6.05]
    assert stage.said()[-1] == ("assistant", "OK")


def test_interims_interrupt_where_no_vad_tells_of_voice() -> None:
    speech = UserSpeech(5.0, 6.5, "Stop it", interims=[(5.4, "Stop")])
    stage = play(12.0, HELLO, speech, answers=[STORY, OK], durations=[10.0, 1.0], use_vad=False, can_pause=False)
    assert stage.times("agent_interrupted") == [5.4]


def test_a_resumed_speech_can_be_interrupted_again() -> None:
    noise, stop = UserSpeech(5.0, 5.8), UserSpeech(9.0, 10.0, "Stop")
    stage = play(14.0, HELLO, noise, stop, answers=[STORY, OK], durations=[20.0, 1.0])
    assert since(stage, 5.4, "playout_paused", "playout_resumed", "playout_finished") == [
        (5.5, "playout paused"),
        (8.3, "playout resumed"),
        (9.5, "playout paused"),
        (10.2, "played 3.50 interrupted"),
        (12.01, "played 1.01"),
    ]


def test_speech_during_the_wait_keeps_the_agent_held() -> None:
    noises = [UserSpeech(5.0, 5.8), UserSpeech(7.5, 8.0)]
    stage = play(22.0, HELLO, *noises, answers=[STORY], durations=[10.0])
    assert stage.times("playout_resumed") == [10.5]


def test_without_a_timeout_the_agent_stops_for_good() -> None:
    options = {"interruption": {"false_interruption_timeout": None}}
    stage = play(12.0, HELLO, UserSpeech(5.0, 5.8), answers=[STORY], durations=[10.0], turn_handling=options)
    assert stage.times("agent_interrupted") == [5.5]
    assert stage.of("playout_paused") == []


def test_interruptions_may_be_off() -> None:
    options = {"interruption": {"enabled": False}}
    stage = play(18.0, HELLO, STOP, answers=[STORY, OK], durations=[10.0, 1.0], turn_handling=options)
    assert stage.of("agent_interrupted") == []
    assert stage.times("playout_finished") == [13.21]


def test_what_is_said_over_a_protected_speech_is_not_recognised() -> None:
    async def act(stage: Stage) -> None:
        stage.session.say("You must hear this", allow_interruptions=False)
        await stage.run_until(1.5)
        assert all(not any(bytes(f.data)) for f in stage.stt.frames)

    stage = play(3.0, act=act, durations=[2.0])
    assert stage.times("playout_finished", interrupted=False) == [2.21]


def test_a_turn_over_a_protected_speech_is_discarded() -> None:
    async def act(stage: Stage) -> None:
        stage.session.say("You must hear this", allow_interruptions=False)

    options = {"interruption": {"discard_audio_if_uninterruptible": False}}
    stage = play(15.0, HELLO, act=act, durations=[10.0], turn_handling=options)
    assert causes(stage, "turn_discarded") == ["agent_uninterruptible"]
    assert stage.llm.requests == [] or stage.said() == [("assistant", "You must hear this")]
    assert stage.said() == [("assistant", "You must hear this")]


def test_interrupting_a_protected_speech_needs_force() -> None:
    async def act(stage: Stage) -> None:
        handle = stage.session.say("You must hear this", allow_interruptions=False)
        await stage.run_until(1.2)
        with pytest.raises(RuntimeError, match="does not allow interruptions"):
            stage.session.interrupt()
        await stage.session.interrupt(force=True)
        assert handle.interrupted
        assert handle.done()

    stage = play(3.0, act=act, durations=[2.0])
    assert causes(stage, "agent_interrupted") == ["api"]
    assert stage.times("playout_finished", interrupted=True) == [1.2]


def test_interrupt_ends_when_the_conversation_holds_what_was_heard() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(5.2)
        await stage.session.interrupt()
        assert stage.said()[-1] == ("assistant", "One two")

    play(8.0, HELLO, answers=[STORY], durations=[10.0], act=act)


def test_nothing_to_interrupt_is_no_mistake() -> None:
    async def act(stage: Stage) -> None:
        await stage.session.interrupt()

    play(1.0, act=act)


def test_queued_speeches_are_interrupted_too() -> None:
    async def act(stage: Stage) -> None:
        handles = [stage.session.say(text) for text in ("first", "second", "third")]
        await stage.run_until(0.5)
        await stage.session.interrupt()
        assert [h.done() for h in handles] == [True, True, True]

    stage = play(3.0, act=act, durations=[2.0, 2.0, 2.0])
    assert stage.times("playout_finished") == [0.5]


@pytest.mark.parametrize(("at", "heard"), [(3.9, ""), (5.3, "One two"), (13.1, STORY.text.rsplit(" ", 1)[0])])
def test_only_words_that_were_over_are_remembered(at: float, heard: str) -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(at)
        await stage.session.interrupt()

    stage = play(14.0, HELLO, answers=[STORY], durations=[10.0], aligned=True, act=act)
    assert [text for role, text in stage.said() if role == "assistant"] == ([heard] if heard else [])


def test_words_are_told_as_they_are_heard() -> None:
    stage = play(14.0, HELLO, answers=[STORY], durations=[10.0], aligned=True)
    heard = [(round(e.time, 2), e.data.text) for e in stage.of("agent_heard")]
    assert heard[:3] == [(4.2, "One"), (5.2, "One two"), (6.2, "One two three")]
    assert heard[-1][1] == STORY.text
    assert stage.transcript.text == STORY.text


def test_echo_warmup_protects_the_first_words() -> None:
    stage = play(
        14.0, HELLO, UserSpeech(4.0, 5.5, "Stop"), answers=[STORY, OK], durations=[10.0, 1.0], aec_warmup_duration=3.0
    )
    # Voice from 4.0 s on interrupts only once the warm-up, from 3.2 s on, is over; its transcript comes before that.
    assert stage.of("playout_paused") == []
    stage = play(
        14.0, HELLO, UserSpeech(4.0, 7.5, "Stop"), answers=[STORY, OK], durations=[10.0, 1.0], aec_warmup_duration=3.0
    )
    assert stage.times("playout_paused") == [6.2]


def test_a_speech_waits_while_the_user_speaks() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(1.0)
        stage.session.say("Excuse me")

    stage = play(8.0, UserSpeech(0.5, 2.5), act=act, durations=[1.0])
    assert stage.times("playout_started") == [2.8]  # a noise: half of the shortest wait is silence enough


def test_a_protected_speech_does_not_wait() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(1.0)
        stage.session.say("Fire!", allow_interruptions=False)

    stage = play(8.0, UserSpeech(0.5, 2.5), act=act, durations=[1.0])
    assert stage.times("playout_started") == [1.2]


def test_a_second_turn_while_the_reply_is_generated_is_answered_as_one_conversation() -> None:
    more = UserSpeech(3.6, 4.2, "and be quick")
    slow = Answer("This was slow", duration=5.0)
    stage = play(14.0, HELLO, more, answers=[slow, OK], durations=[1.0])
    assert stage.said() == [("user", HELLO.text), ("user", "and be quick"), ("assistant", "OK")]


def test_a_speech_that_does_not_end_is_ended_by_force() -> None:
    class Stubborn(Agent):
        async def tts_node(self, text: Any, model_settings: Any) -> Any:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                await asyncio.sleep(7)
            for frame in ():
                yield frame

    async def act(stage: Stage) -> None:
        handle = stage.session.say("hello there")
        await stage.run_until(1.0)
        handle.interrupt()
        await handle
        assert stage.now == 6.0

    play(10.0, agent=lambda: Stubborn(instructions=""), act=act, durations=[10.0])


def test_disallowing_interruptions_on_a_held_speech_lets_it_go_on() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(5.6)
        speech = stage.session.current_speech
        assert speech is not None
        speech.allow_interruptions = False

    stage = play(18.0, HELLO, STOP, answers=[STORY, OK], durations=[10.0, 1.0], act=act)
    assert stage.times("playout_paused") == [5.5]
    assert since(stage, 5.6, "agent_state_changed")[0] == (5.6, "agent speaking")
    assert stage.times("playout_finished", interrupted=False) == [13.31]


def test_old_arguments_still_work() -> None:
    with pytest.warns(DeprecationWarning, match="min_interruption_words"):
        session: AgentSession[Any] = make_session(min_interruption_words=3)
    assert session.options.interruption["min_words"] == 3


def make_session(**options: Any) -> AgentSession[Any]:
    from agent_runtime.testing import run_virtual

    async def make() -> AgentSession[Any]:
        return AgentSession(**options)

    return run_virtual(make())
