"""The shortest wait learns from how long this user pauses (`endpointing.mode` `dynamic`)."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from agent_runtime.testing import Answer, Stage, UserSpeech
from agent_runtime.voice.endpointing import Lesson, ShortestWait
from agent_runtime.voice.turn_machine import TurnSettings
from tests.support.play import causes, play

OK = Answer("OK", ttft=0.0, duration=0.0)
STORY = Answer("One two three four five six seven eight nine ten", ttft=0.0, duration=0.0)


def dynamic(**more: Any) -> dict[str, Any]:
    return {"endpointing": {"mode": "dynamic", "max_delay": 2.0, **more}}


def wait(**settings: Any) -> ShortestWait:
    return ShortestWait(TurnSettings(dynamic=True, min_delay=0.5, max_delay=2.0, alpha=0.9, **settings))


def learned(stage: Stage) -> list[tuple[float, str | None, float, float]]:
    return [
        (round(e.time, 6), e.cause, round(e.data.min_delay, 6), round(e.data.pause, 6))
        for e in stage.of("endpointing_learned")
    ]


def test_a_pause_moves_the_wait_by_its_weight() -> None:
    w = wait()
    w.user_starts(0.0)
    assert w.user_ends(1.0) is None
    w.user_starts(2.0)
    assert w.user_ends(3.0) == Lesson(1.0, "pause")
    assert w.delay == pytest.approx(0.9 * 0.5 + 0.1 * 1.0)
    w.user_starts(4.5)
    w.user_ends(5.0)
    assert w.delay == pytest.approx(0.9 * 0.55 + 0.1 * 1.5)


def test_it_stays_within_its_bounds() -> None:
    w = wait()
    for at in range(0, 200, 2):
        w.user_starts(float(at))
        w.user_ends(at + 0.1)  # pauses of 1.9 s
    assert 1.8 < w.delay <= 1.9
    for at in range(200, 300):
        w.user_starts(float(at))
        w.user_ends(at + 0.9)  # pauses of 0.1 s
    assert w.delay == 0.5


def test_a_pause_longer_than_the_longest_wait_teaches_nothing() -> None:
    w = wait()
    w.user_starts(0.0)
    w.user_ends(1.0)
    w.user_starts(3.1)
    assert w.user_ends(4.0) is None
    assert w.delay == 0.5


def test_a_pause_that_the_agent_spoke_in_teaches_nothing() -> None:
    w = wait()
    w.user_starts(0.0)
    w.user_ends(1.0)
    w.agent_starts(1.6)
    w.agent_ends(1.7)
    w.user_starts(2.5)
    assert w.user_ends(3.0) is None
    w.user_starts(3.4)
    assert w.user_ends(4.0) == Lesson(pytest.approx(0.4), "pause"), "the agent's times are over with that turn"


def test_going_on_right_after_the_agent_began_teaches_the_whole_pause() -> None:
    w = wait()
    w.user_starts(0.0)
    w.user_ends(1.0)
    w.agent_starts(1.6)
    w.user_starts(2.0)
    w.agent_ends(2.3)
    assert w.user_ends(3.0) == Lesson(1.0, "early_interruption")
    assert w.delay == pytest.approx(0.55)


def test_interrupting_later_teaches_nothing() -> None:
    w = wait()
    w.user_starts(0.0)
    w.user_ends(1.0)
    w.agent_starts(1.2)
    w.user_starts(1.8)  # 0.6 s of it were heard, more than the wait
    w.agent_ends(2.0)
    assert w.user_ends(3.0) is None


def test_an_agent_that_speaks_over_the_user_spoils_the_lesson() -> None:
    w = wait()
    w.user_starts(0.0)
    w.user_ends(1.0)
    w.user_starts(2.0)
    w.agent_starts(2.5)
    assert w.user_ends(3.0) is None


def test_a_listeners_word_teaches_nothing_unless_both_began_together() -> None:
    w = wait()
    w.user_starts(0.0)
    w.user_ends(1.0)
    w.agent_starts(1.5)
    w.user_starts(1.8)
    assert w.user_ends(2.0, meant=False) is None
    assert w.delay == 0.5
    w = wait()
    w.user_starts(0.0)
    w.user_ends(1.0)
    w.agent_starts(1.6)
    w.user_starts(1.7)
    assert w.user_ends(2.0, meant=False) == Lesson(pytest.approx(0.7), "early_interruption")


def test_an_end_without_a_start_is_nothing() -> None:
    assert wait().user_ends(1.0) is None


def test_a_start_within_speech_is_the_same_speech() -> None:
    w = wait()
    w.user_starts(0.0)
    w.user_ends(1.0)
    w.user_starts(2.0)
    w.user_starts(2.6)
    assert w.user_ends(3.0) == Lesson(1.0, "pause")


def test_fixed_mode_learns_nothing_and_forgets_nothing() -> None:
    settings = TurnSettings(dynamic=True, min_delay=0.5, max_delay=2.0)
    w = ShortestWait(settings)
    w.user_starts(0.0)
    w.user_ends(1.0)
    w.user_starts(2.0)
    w.user_ends(3.0)
    settings.dynamic = False
    assert w.delay == 0.5
    w.user_starts(4.9)
    assert w.user_ends(5.0) is None
    settings.dynamic = True
    assert w.delay == pytest.approx(0.55)


SLOW = [Answer("never heard", ttft=9.0, duration=9.0)] * 3
PAUSES = (UserSpeech(0.5, 1.0, "I would"), UserSpeech(1.8, 2.5, "like some"), UserSpeech(3.5, 4.0, "tea"))


def test_the_turn_ends_after_the_learned_wait() -> None:
    # The scripted VAD reports silence 0.5 s late, so a shorter wait than that can't be seen: here it is at least 0.7.
    stage = play(6.0, *PAUSES, answers=SLOW, turn_handling=dynamic(min_delay=0.7, alpha=0.5))
    # 0.7 to 0.75 by the pause of 0.8 s, to 0.875 by the one of 1.0 s, which ended the turn before.
    assert learned(stage) == [(3.0, "pause", 0.75, 0.8), (4.5, "pause", 0.875, 1.0)]
    assert stage.times("turn_committed") == [1.7, 3.25, 4.875]
    waits = [(e.data.delay, e.cause) for e in stage.of("endpointing_started")]
    assert waits == [(0.7, "min_delay"), (0.75, "min_delay"), (pytest.approx(0.875), "min_delay")]


def test_fixed_endpointing_learns_nothing() -> None:
    stage = play(6.0, *PAUSES, answers=SLOW, turn_handling={"endpointing": {"min_delay": 0.7}})
    assert learned(stage) == []
    assert stage.times("turn_committed") == [1.7, 3.2, 4.7]


def test_an_early_interruption_teaches_in_a_session() -> None:
    speeches = (UserSpeech(0.5, 1.5, "I would like"), UserSpeech(2.6, 3.6, "some tea please"))
    stage = play(8.0, *speeches, answers=[STORY, OK], durations=[10.0, 1.0], turn_handling=dynamic(min_delay=0.5))
    assert stage.times("agent_state_changed", new="speaking")[0] == 2.2
    assert learned(stage) == [(4.1, "early_interruption", 0.56, 1.1)]


def test_a_recogniser_that_ends_turns_teaches_without_a_vad() -> None:
    from agent_runtime.voice import turn_inputs as i
    from agent_runtime.voice.turn_machine import TurnMachine

    machine = TurnMachine(TurnSettings(detection="stt", has_vad=False, dynamic=True))
    told: list[i.Action] = []
    for at, event in ((1.0, i.RecognizerStarted(1.0)), (2.0, i.RecognizerEnded(2.0)), (3.0, i.RecognizerStarted(3.0))):
        told += machine.feed(event, at)
    told += machine.feed(i.RecognizerEnded(4.0), 4.0)
    assert [a for a in told if isinstance(a, i.TellLesson)] == [i.TellLesson(pytest.approx(0.55), Lesson(1.0, "pause"))]


def test_the_minimum_can_be_raised_while_it_runs() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(3.4)
        stage.session.update_options(turn_handling={"endpointing": {"min_delay": 1.5}})

    stage = play(6.0, *PAUSES, answers=SLOW, turn_handling=dynamic(min_delay=0.7), act=act)
    assert stage.times("turn_committed")[-1] == 5.5


@pytest.mark.parametrize("alpha", [0.0, 1.5, -0.1])
def test_a_weight_that_cannot_be_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        play(0.1, turn_handling=dynamic(alpha=alpha))


def test_the_session_says_what_it_was_asked_for() -> None:
    stage = play(0.1, turn_handling=dynamic(alpha=0.8))
    options = stage.of("session_started")[0].data.options
    assert options["turn_handling.endpointing.mode"] == "dynamic"
    assert options["turn_handling.endpointing.alpha"] == 0.8
    assert causes(stage, "endpointing_learned") == []


@pytest.mark.parametrize(("mode", "told"), [("dynamic", 1), ("fixed", 0)])
def test_a_shortest_wait_above_the_longest_is_told_once_where_both_count(
    mode: Literal["dynamic", "fixed"], told: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(stage: Stage) -> None:
        stage.session.update_options(tts=stage.tts)  # settings are written again

    play(1.0, act=act, turn_handling={"endpointing": {"mode": mode, "min_delay": 4.0}})
    assert caplog.text.count("min_delay (4 s) is above max_delay (3 s)") == told
