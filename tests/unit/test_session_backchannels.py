"""A listener's word over the agent's speech doesn't stop it; anything else does (`interruption.mode` `adaptive`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.testing import Answer, Stage, UserSpeech
from agent_runtime.voice.backchannel import WordsAndLength
from tests.support.play import HELLO, causes, play, since

STORY = Answer("One two three four five six seven eight nine ten")
OK = Answer("OK")
LABELLED = [
    json.loads(line) for line in (Path(__file__).parents[1] / "support/overlaps.jsonl").read_text("utf-8").splitlines()
]


def adaptive(**more: Any) -> dict[str, Any]:
    return {"interruption": {"mode": "adaptive", **more}}


def story(until: float, *speeches: UserSpeech, **options: Any) -> Stage:
    """The agent tells its story from 3.2 to 13.21 if nothing stops it."""
    options.setdefault("turn_handling", adaptive())
    return play(until, HELLO, *speeches, answers=[STORY, OK], durations=[10.0, 1.0], **options)


def verdicts(stage: Stage) -> list[tuple[float, bool, str | None]]:
    return [(round(e.time, 6), e.data.is_interruption, e.cause) for e in stage.of("overlapping_speech")]


@pytest.mark.parametrize("case", LABELLED, ids=lambda case: f"{case['text'] or 'sound'} {case['voiced']}")
def test_labelled_utterances(case: dict[str, Any]) -> None:
    detector = WordsAndLength()
    assert (detector.probability(case["text"], case["voiced"]) >= detector.threshold) is case["interrupts"]


def test_a_listeners_word_neither_stops_the_agent_nor_is_a_turn() -> None:
    stage = story(16.0, UserSpeech(6.0, 6.6, "Mm-hmm."))
    assert stage.times("playout_finished", interrupted=False) == [13.21]
    assert verdicts(stage) == [(7.1, False, "words")]
    assert (stage.times("turn_discarded"), causes(stage, "turn_discarded")) == ([7.6], ["backchannel"])
    assert stage.said() == [("user", HELLO.text), ("assistant", STORY.text)]


def test_without_adaptive_mode_it_does() -> None:
    stage = story(16.0, UserSpeech(6.0, 6.6, "Mm-hmm."), turn_handling={})
    assert stage.times("playout_paused") == [6.5]
    assert verdicts(stage) == []


def test_one_more_word_stops_the_agent_at_once() -> None:
    speech = UserSpeech(6.0, 7.0, "Yeah, stop", interims=[(6.4, "Yeah"), (6.8, "Yeah stop")])
    stage = story(16.0, speech, can_pause=False)
    assert stage.times("agent_interrupted") == [6.8]
    assert verdicts(stage) == [(6.8, True, "words")]
    (told,) = [payload for _, name, payload in stage.callbacks if name == "overlapping_speech"]
    assert (told.is_interruption, told.probability, told.agent_ended) == (True, 0.95, False)
    assert told.detection_delay == pytest.approx(0.8)
    assert told.created_at - told.overlap_started_at == pytest.approx(0.8)


def test_a_long_sound_stops_the_agent_before_its_words_are_known() -> None:
    stage = story(16.0, UserSpeech(6.0, 7.5, "Please tell me"))
    assert stage.times("playout_paused") == [7.0]
    assert verdicts(stage) == [(7.0, True, "length")]
    assert stage.said()[-2:] == [("user", "Please tell me"), ("assistant", "OK")]


def test_a_long_sound_that_was_a_listeners_word_lets_the_agent_go_on_at_once() -> None:
    stage = story(20.0, UserSpeech(6.0, 7.2, "Yeah"))
    assert verdicts(stage) == [(7.0, True, "length"), (7.7, False, "words")]
    assert since(stage, 6.9, "playout_paused", "playout_resumed", "playout_finished") == [
        (7.0, "playout paused"),
        (7.7, "playout resumed"),  # the end of the turn is decided here: 0.5 s after the speech
        (13.91, "played 10.01"),
    ]
    assert causes(stage, "turn_discarded") == ["backchannel"]


def test_a_noise_is_told_too_and_changes_nothing() -> None:
    stage = story(16.0, UserSpeech(6.0, 6.4))
    assert verdicts(stage) == [(6.9, False, "length")]
    assert stage.times("playout_finished", interrupted=False) == [13.21]


def test_near_the_start_of_the_agents_speech_it_is_a_turn() -> None:
    stage = story(16.0, UserSpeech(3.5, 4.2, "Yeah"))
    assert stage.times("agent_interrupted") == [4.4]
    assert verdicts(stage) == []
    assert stage.said()[-2:] == [("user", "Yeah"), ("assistant", "OK")]


@pytest.mark.parametrize(
    ("boundary", "stopped"), [(None, False), (0.2, False), ((0.2, 5.0), False), ((0.4, 0.0), True)]
)
def test_the_boundary_at_the_start_is_an_option(boundary: Any, stopped: bool) -> None:
    speech = UserSpeech(3.5, 4.2, "Yeah")
    stage = story(9.0, speech, turn_handling=adaptive(backchannel_boundary=boundary))
    assert ("voice" in causes(stage, "agent_interrupted")) is stopped


def test_right_before_the_agents_end_it_is_an_answer() -> None:
    stage = story(20.0, UserSpeech(12.0, 12.4, "Yeah"))
    assert stage.times("playout_finished")[0] == 13.21
    assert stage.times("turn_committed") == [3.0, 13.21]  # as soon as the agent is silent
    assert stage.said()[-2:] == [("user", "Yeah"), ("assistant", "OK")]


def test_without_a_boundary_at_the_end_it_is_none() -> None:
    stage = story(20.0, UserSpeech(12.0, 12.4, "Yeah"), turn_handling=adaptive(backchannel_boundary=(1.0, 0.0)))
    assert stage.times("turn_discarded") == [12.9]
    assert stage.times("turn_committed") == [3.0]


def test_the_agent_that_ends_first_leaves_it_open() -> None:
    stage = story(20.0, UserSpeech(12.8, 13.4, "Yeah"))
    assert verdicts(stage) == [(13.21, False, "agent_ended")]
    assert stage.of("overlapping_speech")[0].data.agent_ended
    assert stage.times("turn_committed") == [3.0, 13.9]


def test_words_after_a_listeners_word_are_one_turn_with_it() -> None:
    stage = story(20.0, UserSpeech(6.0, 6.4, "Okay"), UserSpeech(7.0, 7.9, "but when?"))
    assert [e.data.text for e in stage.of("turn_committed")][1:] == ["Okay but when?"]
    assert verdicts(stage)[-1] == (8.1, True, "words")


def test_a_word_after_it_was_set_aside_belongs_to_it() -> None:
    slow = UserSpeech(6.0, 6.4, "Okay", stt_delay=0.2)
    later = UserSpeech(7.2, 7.3, "no")  # it was set aside at 6.9, and would be forgotten at 7.4
    stage = story(20.0, slow, later)
    assert [e.data.text for e in stage.of("turn_committed")][1:] == ["Okay no"]
    assert stage.of("turn_discarded") == []


def test_a_listeners_word_is_judged_without_a_vad() -> None:
    stage = story(16.0, UserSpeech(6.0, 6.6, "Right", interims=[(6.3, "Right")]), use_vad=False)
    assert stage.of("agent_interrupted") == []
    assert causes(stage, "turn_discarded") == ["backchannel"]
    assert verdicts(stage) == [(7.3, False, "words")]


def test_a_word_set_aside_can_go_on_without_a_vad() -> None:
    speech = UserSpeech(7.2, 8.0, "but why", interims=[(7.5, "but")])
    stage = story(16.0, UserSpeech(6.0, 6.6, "Right"), speech, use_vad=False, can_pause=False)
    assert stage.times("agent_interrupted") == [7.5]
    assert stage.said()[-2:] == [("user", "Right but why"), ("assistant", "OK")]


def test_a_word_set_aside_is_forgotten_when_the_user_says_so() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(7.2)
        stage.session.clear_user_turn()

    stage = story(16.0, UserSpeech(6.0, 6.6, "Right"), act=act)
    assert causes(stage, "turn_discarded") == ["api"]
    assert stage.times("playout_finished", interrupted=False) == [13.21]


def test_a_speech_stopped_by_text_leaves_the_word_an_answer() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(7.2)
        await stage.session.interrupt()

    stage = story(16.0, UserSpeech(6.0, 6.6, "Right"), act=act)
    assert stage.times("turn_committed") == [3.0, 7.2]


def test_another_detector_can_be_given() -> None:
    asked: list[tuple[str, float]] = []

    class Shy:
        model = "shy"
        threshold = 0.9

        def probability(self, text: str, voiced: float) -> float:
            asked.append((text, round(voiced, 6)))
            return 0.95 if text == "Yeah" else 0.0

    stage = story(16.0, UserSpeech(6.0, 7.6, "Yeah"), turn_handling={"interruption": {"mode": Shy()}}, can_pause=False)
    assert stage.times("agent_interrupted") == [7.8]
    assert stage.of("overlapping_speech")[0].data.threshold == 0.9
    assert ("", 1.0) in asked
    assert stage.of("session_started")[0].data.options["turn_handling.interruption.mode"] == "shy"


def test_a_protected_speech_is_judged_by_nobody() -> None:
    stage = story(16.0, UserSpeech(6.0, 6.6, "Yeah"), turn_handling=adaptive(enabled=False))
    assert verdicts(stage) == []


@pytest.mark.parametrize("value", [-1.0, (1.0, -0.5), (1.0,), (1.0, 1.0, 1.0)])
def test_a_boundary_that_cannot_be_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="backchannel_boundary"):
        play(0.1, turn_handling=adaptive(backchannel_boundary=value))


def test_a_mode_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="'adaptive' or 'vad'"):
        play(0.1, turn_handling={"interruption": {"mode": "clever"}})


def test_each_verdict_is_measured() -> None:
    measured: list[Any] = []

    async def act(stage: Stage) -> None:
        stage.session.on("metrics_collected", lambda event: measured.append(event.metrics))

    speeches = [UserSpeech(6.0, 6.6, "Mm-hmm."), UserSpeech(9.0, 10.0, "Stop it", interims=[(9.4, "Stop it")])]
    stage = story(16.0, *speeches, act=act)
    judged = [m for m in measured if m.type == "interruption_metrics"]
    assert [(m.num_backchannels, m.num_interruptions, m.num_requests) for m in judged] == [(1, 0, 1), (0, 1, 1)]
    assert [round(m.detection_delay, 6) for m in judged] == [1.1, 0.4]
    (usage,) = [u for u in stage.session.usage.model_usage if u.type == "interruption_usage"]
    assert (usage.provider, usage.model, usage.total_requests) == ("embedded", "words-and-length", 2)
