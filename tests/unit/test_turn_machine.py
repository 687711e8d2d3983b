"""The turn machine's tables: every row can be taken, names only what exists, and does what it says."""

from __future__ import annotations

from typing import Any

import pytest

from agent_runtime.voice import turn_inputs as i
from agent_runtime.voice.turn_machine import (
    FLOOR,
    USER,
    Floor,
    TurnMachine,
    TurnSettings,
    UserTurn,
)
from agent_runtime.voice.words import count_words


def machine(**settings: Any) -> TurnMachine:
    made = TurnMachine(TurnSettings(**settings))
    made.feed(i.Started(), 0.0)
    return made


def kinds(actions: list[i.Action]) -> list[str]:
    return [type(action).__name__ for action in actions]


def speaking(**settings: Any) -> TurnMachine:
    made = machine(**settings)
    made.feed(i.ReplyScheduled(), 0.0)
    made.feed(i.FloorTaken("s", True), 0.0)
    made.feed(i.PlayoutBegan("s"), 0.0)
    return made


def test_the_tables_are_well_formed() -> None:
    for table, states in ((USER, UserTurn), (FLOOR, Floor)):
        for (state, kind), rows in table.items():
            assert state is None or isinstance(state, states)
            assert kind.__module__ == i.__name__
            assert rows
            assert all(row.to is None or isinstance(row.to, states) for row in rows)
            # Only the last row may hold without a guard: a row after it could never be taken.
            assert all(row.when is not None for row in rows[:-1]), (state, kind)


def test_every_state_can_be_entered_and_left() -> None:
    for table, states in ((USER, UserTurn), (FLOOR, Floor)):
        entered = {row.to for rows in table.values() for row in rows}
        first = UserTurn.LISTENING if states is UserTurn else Floor.OPEN
        assert set(states) <= entered | {first}


def test_every_guard_and_step_says_what_it_is() -> None:
    for table in (USER, FLOOR):
        for rows in table.values():
            for row in rows:
                for named in (*row.do, *([row.when] if row.when is not None else [])):
                    assert named.__doc__ or named.__name__.startswith("timer ")


def test_a_turn() -> None:
    m = machine(preemptive=False, away_timeout=None)
    assert kinds(m.feed(i.VoiceStarted(0.5), 0.55)) == ["OpenTurn", "SetUserState", "CloseGate"]
    assert m.feed(i.Final("Hello"), 2.7) == []
    actions = m.feed(i.VoiceEnded(2.5), 3.0)
    assert kinds(actions) == ["SetUserState", "WaitForEnd", "CommitTurn", "OpenGate"]
    commit = next(a for a in actions if isinstance(a, i.CommitTurn))
    assert (commit.text, commit.started_at, commit.ended_at, commit.final_at) == ("Hello", 0.5, 2.5, 2.7)
    assert commit.cause == "endpointing.min_delay"
    assert m.user is UserTurn.LISTENING


def test_inputs_about_other_speeches_change_nothing() -> None:
    m = speaking()
    for event in (
        i.PlayoutEnded("other", busy=False),
        i.FloorReleased("other", busy=False),
        i.SpeechInterrupted("other"),
        i.InterruptibleChanged("other", False),
        i.PlayoutBegan("other"),
    ):
        assert m.feed(event, 1.0) == []
    assert (m.floor, m.holder, m.interruptible) == (Floor.SPEAKING, "s", True)


def test_an_end_of_playout_while_held_lets_the_output_go() -> None:
    m = speaking(can_pause=True, away_timeout=None)
    m.feed(i.VoiceStarted(0.0), 0.1)
    assert kinds(m.feed(i.VoiceWindow(0.5, 0.0), 0.5)) == ["PauseOutput", "SetAgentState"]
    assert kinds(m.feed(i.PlayoutEnded("s", busy=False), 0.6)) == ["ResumeOutput"]
    assert m.floor is Floor.REPLYING


@pytest.mark.parametrize(("voiced", "silence", "stops"), [(0.0, 0.1, False), (0.9, 0.05, False), (0.0, 0.0, True)])
def test_a_window_of_silence_never_interrupts(voiced: float, silence: float, stops: bool) -> None:
    m = speaking(min_duration=0.0)
    m.feed(i.VoiceStarted(0.0), 0.05)
    assert ("InterruptSpeech" in kinds(m.feed(i.VoiceWindow(voiced, silence), 1.0))) is stops


def test_a_turn_has_only_so_many_early_replies() -> None:
    m = machine(preemptive_max_retries=2)
    m.feed(i.VoiceStarted(0.0), 0.05)
    told = [kinds(m.feed(i.Final(word), 0.1)) for word in ("one", "two", "three")]
    assert [("StartPreemptive" in actions) for actions in told] == [True, True, False]


def test_a_long_turn_has_no_early_reply() -> None:
    m = machine(preemptive_max_speech=10.0)
    m.feed(i.VoiceStarted(0.0), 0.05)
    assert kinds(m.feed(i.Final("at last"), 11.0)) == ["CancelPreemptive"]


def test_silence_that_lasts_while_the_turn_is_decided_resumes_only_if_it_comes_to_nothing() -> None:
    m = speaking(can_pause=True, has_detector=True, false_interruption_timeout=0.2, away_timeout=None, min_words=2)
    m.feed(i.VoiceStarted(0.0), 0.05)
    m.feed(i.Interim("go on"), 0.4)
    m.feed(i.VoiceWindow(0.5, 0.0), 0.5)
    assert m.floor is Floor.HELD
    m.settings.min_words = 3
    m.interruptible = False  # so that the final below doesn't interrupt
    m.feed(i.Final("go on"), 0.6)
    m.interruptible = True
    m.feed(i.VoiceEnded(0.6), 1.1)
    assert m.user is UserTurn.PREDICTING
    assert m.feed(i.TimerFired("false_interruption"), 1.3) == []
    m.feed(i.Predicted(0.9, 0.5), 1.4)
    assert m.floor is Floor.SPEAKING, "too few words: the decision came to nothing"
    assert m.user is UserTurn.PAUSED


def test_a_preflight_begins_a_reply_and_words_beyond_it_drop_it() -> None:
    m = machine(detection="stt")
    m.feed(i.RecognizerStarted(0.0), 0.0)
    assert kinds(m.feed(i.Interim("book a table", preflight=True, confidence=0.9), 1.0)) == ["StartPreemptive"]
    assert kinds(m.feed(i.Interim("book a table", confidence=0.9), 1.1)) == []
    assert kinds(m.feed(i.Interim("book a table for two", confidence=0.9), 1.2)) == ["CancelPreemptive"]


@pytest.mark.parametrize(("final", "begins"), [("book a table", False), ("book a cable", True)])
def test_a_reply_to_words_before_their_final_goes_on_through_the_silence(final: str, begins: bool) -> None:
    m = machine(preemptive=True, has_stt=True)
    m.feed(i.VoiceStarted(0.0), 0.05)
    assert "StartPreemptive" in kinds(m.feed(i.Interim("book a table", preflight=True, confidence=0.9), 1.2))
    assert "CancelPreemptive" not in kinds(m.feed(i.VoiceEnded(1.0), 1.3))
    told = kinds(m.feed(i.Final(final), 1.4))
    assert "CancelPreemptive" not in told
    assert ("StartPreemptive" in told) is begins


def test_where_a_vad_listens_the_recognisers_end_teaches_no_wait() -> None:
    m = machine(detection="stt", dynamic=True)
    for at in (1.0, 3.0):
        m.feed(i.RecognizerStarted(at), at)
        assert "TellLesson" not in kinds(m.feed(i.RecognizerEnded(at + 1.0), at + 1.0))
    assert m.wait.delay == m.settings.min_delay


def test_a_held_speech_whose_timeout_is_taken_away_stops_for_good() -> None:
    m = speaking(can_pause=True)
    m.feed(i.VoiceStarted(0.0), 0.05)
    m.feed(i.VoiceWindow(0.5, 0.0), 0.5)
    m.settings.false_interruption_timeout = None
    assert "InterruptSpeech" in kinds(m.feed(i.VoiceEnded(0.8), 1.3))


def test_a_hold_by_words_waits_for_silence_only_while_the_user_speaks() -> None:
    from agent_runtime.voice.backchannel import WordsAndLength

    m = speaking(can_pause=True, judge=WordsAndLength(), boundary=(0.0, 0.0))
    m.feed(i.VoiceStarted(2.0), 2.05)
    assert kinds(m.feed(i.Interim("stop"), 2.4)) == ["TellOverlap", "PauseOutput", "SetAgentState"]
    assert kinds(m.feed(i.Interim("stop it"), 2.6)) == []
    assert i.SetTimer("false_interruption", 5.3) in m.feed(i.VoiceEnded(2.8), 3.3)
    assert m.feed(i.Interim("stop it now"), 3.6) == [i.SetTimer("false_interruption", 5.6)]


def test_an_answered_turn_leaves_a_held_speech_where_it_is() -> None:
    m = speaking(can_pause=True, detection="manual", away_timeout=None)
    m.settings.detection = "vad"
    m.feed(i.VoiceStarted(0.0), 0.05)
    m.feed(i.VoiceWindow(0.5, 0.0), 0.5)
    m.feed(i.VoiceEnded(0.8), 1.3)
    m.feed(i.Interim("and then"), 1.4)
    actions = m.feed(i.CommitRequested("manual", expect_final=False), 1.5)
    assert i.CancelTimer("false_interruption") in actions
    assert m.floor is Floor.HELD


@pytest.mark.parametrize(
    ("held", "settings", "words", "timer", "too_few"),
    [
        (True, {}, "one", "endpointing", True),
        (True, {}, "one two", "endpointing", False),
        (True, {}, "one", "away", False),
        (True, {"has_stt": False}, "one", "endpointing", False),
        (True, {"min_words": 0}, "", "endpointing", False),
        (False, {}, "one", "endpointing", False),
    ],
)
def test_too_few_words_end_no_turn_over_a_speech(
    held: bool, settings: dict[str, Any], words: str, timer: Any, too_few: bool
) -> None:
    make = speaking if held else machine
    m = make(**{"has_stt": True, "min_words": 2, **settings})
    m.turn.text = words
    assert m.deadline_with_too_few_words(i.TimerFired(timer)) is too_few


def test_a_speech_that_cannot_be_cut_or_winds_up_needs_no_words_to_be_talked_over() -> None:
    m = speaking(has_stt=True, min_words=2)
    m.turn.text = "one"
    m.feed(i.InterruptibleChanged("s", False), 0.1)
    assert not m.deadline_with_too_few_words(i.TimerFired("endpointing"))
    m.feed(i.InterruptibleChanged("s", True), 0.2)
    assert m.deadline_with_too_few_words(i.TimerFired("endpointing"))
    m.feed(i.SpeechInterrupted("s"), 0.3)
    assert not m.deadline_with_too_few_words(i.TimerFired("endpointing"))


def test_an_empty_final_ends_a_turn_by_hand_with_what_is_known() -> None:
    m = machine(away_timeout=None)
    m.feed(i.Interim("just this"), 1.0)
    m.feed(i.CommitRequested("manual"), 1.1)
    (commit,) = [a for a in m.feed(i.Final(""), 1.2) if isinstance(a, i.CommitTurn)]
    assert commit.text == "just this"


def test_nothing_happens_after_the_end() -> None:
    m = machine()
    m.feed(i.Closed(), 1.0)
    for kind in {kind for table in (USER, FLOOR) for _, kind in table}:
        assert m._row(USER, m.user, kind.__new__(kind)) is None
        assert m._row(FLOOR, m.floor, kind.__new__(kind)) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [("", 0), ("Stop!", 1), ("don't stop", 2), ("8 o'clock, then", 3), ("你好吗", 3), ("ok 你好", 3), ("— …", 0)],
)
def test_words_are_counted(text: str, words: int) -> None:
    assert count_words(text) == words
