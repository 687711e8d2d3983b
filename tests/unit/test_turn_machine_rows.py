"""Rows of the turn machine's tables that conversations take seldom, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from agent_runtime.voice import turn_inputs as i
from agent_runtime.voice.backchannel import WordsAndLength
from agent_runtime.voice.turn_machine import Floor, TurnMachine, TurnSettings, UserTurn

VOICE, SILENCE = i.VoiceStarted(0.0), i.VoiceEnded(0.5)


def after(*inputs: i.Input, **settings: Any) -> TurnMachine:
    """A machine that has taken these inputs, one each 0.1 s from 1.0 on."""
    made = TurnMachine(TurnSettings(**{"away_timeout": None, "preemptive": False, **settings}))
    for number, event in enumerate((i.Started(), *inputs)):
        made.feed(event, 0.9 + number / 10)
    return made


def kinds(actions: list[i.Action]) -> list[str]:
    return [type(action).__name__ for action in actions]


PREDICTING = (VOICE, i.Final("so"), SILENCE)
HEARD = (i.FloorTaken("s", True), i.PlayoutBegan("s"))
HELD = (*HEARD, i.VoiceStarted(1.2), i.VoiceWindow(0.6, 0.0))
HOLDS = {"can_pause": True}
STT = {"detection": "stt", "has_vad": False}


def test_speech_that_goes_on_withdraws_the_question_to_the_detector() -> None:
    m = after(*PREDICTING, has_detector=True)
    assert m.user is UserTurn.PREDICTING
    m.feed(i.VoiceStarted(1.4), 1.45)
    assert m.user is UserTurn.SPEAKING
    assert m.feed(i.Predicted(0.9, 0.5), 1.5) == [], "an answer that comes too late decides nothing"


def test_more_words_ask_the_detector_again() -> None:
    m = after(*PREDICTING, has_detector=True)
    assert i.Predict("so what") in m.feed(i.Final("what"), 1.5)


def test_a_recogniser_that_hears_speech_withdraws_it_too() -> None:
    m = after(*PREDICTING, has_detector=True)
    m.settings.detection = "stt"
    m.feed(i.RecognizerStarted(1.4), 1.5)
    assert m.user is UserTurn.SPEAKING


@pytest.mark.parametrize(("ended", "told"), [(1.7, False), (1.5, True)])
def test_a_short_pause_does_not_tell_the_recogniser_to_finish(ended: float, told: bool) -> None:
    m = after(VOICE, flush_at_silence=True)
    assert ("FlushRecognizer" in kinds(m.feed(i.VoiceEnded(ended), 2.0))) is told


def test_voice_within_voice_is_the_same_turn() -> None:
    m = after(VOICE)
    m.feed(i.VoiceStarted(1.4), 1.5)
    assert (m.user, m.turn.started_at) == (UserTurn.SPEAKING, 0.0)


@pytest.mark.parametrize("detection", ["stt", "manual"])
def test_a_final_without_voice_waits_for_whoever_ends_the_turn(detection: str) -> None:
    m = after(i.Final("so"), detection=detection)
    assert (m.user, m.turn.text) == (UserTurn.PAUSED, "so")
    m.feed(i.Final("what"), 1.5)
    assert (m.user, m.turn.text) == (UserTurn.PAUSED, "so what")


def test_a_final_before_the_deadline_decides_again() -> None:
    m = after(VOICE, i.Final("so"), i.VoiceEnded(1.0), min_delay=2.0)
    assert m.user is UserTurn.ENDPOINTING
    actions = m.feed(i.Final("what"), 2.0)
    assert kinds(actions) == ["CancelTimer", "StopWaiting", "WaitForEnd", "SetTimer"]
    assert m.turn.text == "so what"


def aside(**settings: Any) -> TurnMachine:
    words = (i.VoiceStarted(1.2), i.Final("right"), i.VoiceEnded(1.3))
    given = {"judge": WordsAndLength(), "boundary": (0.0, 5.0), "min_delay": 0.0, **settings}
    made = after(*HEARD, *words, **given)
    assert made.user is UserTurn.ASIDE
    return made


def test_a_late_final_after_a_listeners_word_is_decided_with_it() -> None:
    m = aside()
    actions = m.feed(i.Final("but no"), 2.0)
    assert i.CancelTimer("backchannel") in actions
    assert i.InterruptSpeech("s", "voice") in actions
    assert [a.text for a in actions if isinstance(a, i.CommitTurn)] == ["right but no"]


def test_a_recogniser_that_hears_speech_takes_a_word_up_again() -> None:
    m = aside()
    m.settings.detection = "stt"
    assert i.CancelTimer("backchannel") in m.feed(i.RecognizerStarted(1.9), 2.0)
    assert m.user is UserTurn.SPEAKING


def test_a_recogniser_that_hears_speech_before_the_deadline_goes_on() -> None:
    m = after(VOICE, i.Final("so"), i.VoiceEnded(1.0), min_delay=2.0)
    m.settings.detection = "stt"
    assert i.CancelTimer("endpointing") in m.feed(i.RecognizerStarted(1.9), 2.0)


def test_a_recogniser_may_end_a_turn_that_is_silent_already() -> None:
    m = after(i.Final("so"), **STT)
    assert "CommitTurn" in kinds(m.feed(i.RecognizerEnded(0.5), 1.5))


def test_an_empty_final_ends_an_empty_turn_by_hand() -> None:
    m = after(i.TalkPressed(1.0), i.CommitRequested("push_to_talk"))
    assert i.DiscardTurn("", "empty") in m.feed(i.Final(""), 1.5)
    assert m.user is UserTurn.LISTENING


def test_pressing_and_committing_twice_change_nothing() -> None:
    m = after(i.TalkPressed(1.0))
    assert m.feed(i.TalkPressed(1.4), 1.5) == []
    m.feed(i.CommitRequested("push_to_talk"), 1.6)
    assert m.feed(i.CommitRequested("manual"), 1.7) == []
    assert m.user is UserTurn.COMMITTING


def test_the_recognisers_end_is_the_end_of_what_is_judged() -> None:
    m = after(*HEARD, i.RecognizerStarted(1.3), i.Interim("right"), judge=WordsAndLength(), boundary=(0.0, 0.0), **STT)
    told = m.feed(i.RecognizerEnded(1.4), 1.5)
    assert [a.is_interruption for a in told if isinstance(a, i.TellOverlap)] == [False]


def test_the_recognisers_speech_keeps_a_held_speech_still_and_its_silence_counts() -> None:
    m = after(*HELD, **HOLDS)
    assert m.floor is Floor.HELD
    m.settings.detection = "stt"
    assert i.SetTimer("false_interruption", 3.5) in m.feed(i.RecognizerEnded(1.4), 1.5)
    assert i.CancelTimer("false_interruption") in m.feed(i.RecognizerStarted(1.6), 1.7)


def test_echo_cancellation_may_settle_while_a_speech_is_held() -> None:
    m = after(*HELD, **HOLDS)
    m.warming = True
    m.feed(i.TimerFired("aec_warmup"), 1.5)
    assert (m.warming, m.warmed, m.floor) == (False, True, Floor.HELD)


def test_a_speech_may_be_protected_while_it_is_heard() -> None:
    m = after(*HEARD)
    m.feed(i.InterruptibleChanged("s", False), 1.5)
    assert not m.interruptible
    m.feed(i.VoiceStarted(1.5), 1.55)
    assert m.feed(i.VoiceWindow(0.9, 0.0), 2.4) == []


def test_a_held_speech_that_gives_up_the_floor_lets_the_output_go() -> None:
    m = after(*HELD, **HOLDS)
    assert i.ResumeOutput("s", False) in m.feed(i.FloorReleased("s", busy=False), 1.5)
    assert (m.floor, m.holder) == (Floor.OPEN, None)


def test_the_users_silence_does_not_count_while_calls_run_on() -> None:
    m = after(away_timeout=5.0)
    assert m.feed(i.CallsRunOn(True), 2.0) == [i.CancelTimer("away")]
    assert m.feed(i.Activity(), 3.0) == []
    assert m.feed(i.CallsRunOn(False), 4.0) == [i.SetTimer("away", 9.0)]


REPLYING = (i.FloorTaken("s", True), i.VoiceStarted(1.1))


@pytest.mark.parametrize(("can_pause", "stops"), [(False, ["InterruptSpeech"]), (True, [])])
def test_voice_stops_a_reply_that_is_not_heard_yet_if_it_can_not_be_held(can_pause: bool, stops: list[str]) -> None:
    assert kinds(after(*REPLYING, can_pause=can_pause).feed(i.VoiceWindow(0.5, 0.0), 1.6)) == stops


def test_words_that_stop_a_reply_before_it_is_heard_are_answered_early() -> None:
    m = after(*REPLYING, can_pause=True, preemptive=True)
    assert i.InterruptSpeech("s", "voice") in m.feed(i.Final("Wait"), 1.6)
    assert i.StartPreemptive("Wait", 0.0) in m.feed(i.SpeechInterrupted("s"), 1.6)


def test_a_reply_that_is_stopped_by_hand_begins_none() -> None:
    m = after(*REPLYING, preemptive=True, can_pause=True)
    assert "StartPreemptive" not in kinds(m.feed(i.SpeechInterrupted("s"), 1.6))
