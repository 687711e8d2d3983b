"""Options of a session's turns that no other scenario turns."""

from __future__ import annotations

from typing import Any

import pytest

from agent_runtime.testing import Answer, Stage, UserSpeech
from tests.support.play import HELLO, play

LONG = Answer("One two three four five six seven eight nine ten")
NOISE = UserSpeech(5.0, 5.8)


def interrupted_by_noise(**interruption: Any) -> Stage:
    handling = {"interruption": {"mode": "vad", **interruption}}
    return play(20.0, HELLO, NOISE, answers=[LONG], durations=[10.0], turn_handling=handling)


def test_a_false_interruption_may_end_the_speech_for_good() -> None:
    resumed, ended = interrupted_by_noise(), interrupted_by_noise(resume_false_interruption=False)
    assert resumed.said()[-1] == ("assistant", LONG.text)
    assert ended.said()[-1] != ("assistant", LONG.text)
    (played,) = ended.of("playout_finished")
    assert played.data.interrupted
    assert played.data.position == pytest.approx(2.3, abs=0.01)
    assert ended.session.agent_state == "listening"


@pytest.mark.parametrize(
    ("transforms", "spoken"),
    [
        (["filter_markdown", "filter_emoji"], "This is bold and  fun"),
        (["filter_emoji"], "This is **bold** and  fun"),
        (None, "This is **bold** and \N{GRINNING FACE} fun"),
    ],
)
def test_the_voice_gets_the_text_as_the_transforms_leave_it(transforms: list[str] | None, spoken: str) -> None:
    marked = Answer("This is **bold** and \N{GRINNING FACE} fun")
    stage = play(12.0, HELLO, answers=[marked], tts_text_transforms=transforms)
    assert stage.tts.texts == [spoken]
    assert stage.said()[-1] == ("assistant", marked.text)


@pytest.mark.parametrize(("longest", "early"), [(10.0, True), (1.0, False)])
def test_no_early_reply_to_speech_that_is_longer_than_allowed(longest: float, early: bool) -> None:
    handling = {"preemptive_generation": {"enabled": True, "max_speech_duration": longest}}
    stage = play(12.0, HELLO, answers=[Answer("OK")] * 2, durations=[1.0], turn_handling=handling)
    assert stage.times("llm_started") == ([2.7] if early else [3.0])
    assert stage.said()[-1] == ("assistant", "OK")


@pytest.mark.parametrize("retries", [1, 2, 3])
def test_a_turn_has_only_so_many_early_replies(retries: int) -> None:
    words = [UserSpeech(0.5 + n, 0.9 + n, f"Word {n}") for n in range(5)]
    handling = {
        "preemptive_generation": {"enabled": True, "max_retries": retries},
        "endpointing": {"min_delay": 1.5, "max_delay": 1.5},
    }
    stage = play(20.0, *words, answers=[Answer("OK")] * 9, durations=[1.0], turn_handling=handling)
    early = [event for event in stage.of("llm_started") if event.cause == "preemptive"]
    assert len(early) == retries
    assert stage.said() == [("user", "Word 0 Word 1 Word 2 Word 3 Word 4"), ("assistant", "OK")]
