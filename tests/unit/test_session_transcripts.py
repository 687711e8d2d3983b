"""Transcripts that come late, not at all, at the end of the session, or when the recogniser is told to finish."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import Any

import pytest

from agent_runtime import Agent
from agent_runtime.stt import STTCapabilities
from agent_runtime.testing import Answer, ScriptedSTT, Stage, UserSpeech, in_virtual_time, scripted_session
from tests.support.play import HELLO, causes, play

OK = Answer("OK")
STORY = Answer("One two three four five six seven eight nine ten")


def flushable(*speeches: UserSpeech) -> ScriptedSTT:
    stt = ScriptedSTT(speeches)
    stt._capabilities = STTCapabilities(streaming=True, interim_results=True, manual_flush=True)
    return stt


# --- speech without a transcript -------------------------------------------------------------------------------------


def told(stage: Stage) -> list[tuple[float, float]]:
    return [
        (at, round(e.speech_duration, 6)) for at, name, e in stage.callbacks if name == "user_transcription_timeout"
    ]


def test_speech_without_a_transcript_is_told() -> None:
    stage = play(8.0, UserSpeech(0.5, 1.5), transcription_timeout=2.0)
    assert told(stage) == [(3.5, 1.0)]
    (event,) = stage.of("transcription_timed_out")
    assert (event.data.speech_duration, event.data.speech_started_at) == (pytest.approx(1.0), pytest.approx(0.5))
    (payload,) = [p for _, name, p in stage.callbacks if name == "user_transcription_timeout"]
    assert payload.created_at - payload.vad_speech_started_at == pytest.approx(3.0)


def test_a_transcript_in_time_is_not() -> None:
    assert told(play(8.0, HELLO, answers=[OK], transcription_timeout=2.0)) == []


def test_without_the_option_nothing_is_told() -> None:
    assert told(play(8.0, UserSpeech(0.5, 1.5))) == []


def test_a_timeout_shorter_than_the_detectors_own_delay_is_told_at_once() -> None:
    assert told(play(8.0, UserSpeech(0.5, 1.5), transcription_timeout=0.1)) == [(2.0, 1.0)]


def test_speech_that_goes_on_begins_the_wait_again_and_adds_up() -> None:
    stage = play(9.0, UserSpeech(0.5, 1.5), UserSpeech(2.6, 3.0), transcription_timeout=2.0)
    assert told(stage) == [(5.0, 1.4)]


def test_a_later_turn_begins_afresh() -> None:
    parts = [UserSpeech(0.5, 1.5), UserSpeech(2.5, 3.0, "Hello"), UserSpeech(8.0, 8.4)]
    stage = play(14.0, *parts, answers=[OK], durations=[0.5], transcription_timeout=3.0)
    assert told(stage) == [(11.4, 0.4)]


def test_a_noise_over_the_agent_is_told_too_although_it_goes_on() -> None:
    options = {"interruption": {"false_interruption_timeout": 0.5}}
    stage = play(
        12.0,
        HELLO,
        UserSpeech(5.0, 5.8),
        answers=[STORY],
        durations=[10.0],
        transcription_timeout=3.0,
        turn_handling=options,
    )
    assert stage.times("playout_resumed") == [6.8]
    assert told(stage) == [(8.8, 0.8)]


def test_push_to_talk_without_a_word_is_told() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(0.4)
        stage.session.push_to_talk.press()

    assert told(play(6.0, UserSpeech(0.5, 1.5), act=act, transcription_timeout=1.0)) == [(2.5, 1.0)]


def test_clearing_the_turn_calls_it_off() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(2.5)
        stage.session.clear_user_turn()

    assert told(play(6.0, UserSpeech(0.5, 1.5), act=act, transcription_timeout=2.0)) == []


# --- the end of the session ------------------------------------------------------------------------------------------


def test_what_was_said_last_is_kept_when_the_session_ends() -> None:
    stage = play(2.6, HELLO)  # its final comes at 2.7
    assert stage.said() == [("user", HELLO.text)]
    assert causes(stage, "turn_committed") == ["close"]
    assert stage.times("session_closed") == [2.7]


def test_the_session_waits_only_so_long_for_it() -> None:
    slow = UserSpeech(0.5, 2.5, "Hello", stt_delay=5.0, interims=[(2.0, "Hel")])
    stage = play(2.6, slow, session_close_transcript_timeout=0.5)
    assert stage.said() == [("user", "Hel")]
    assert stage.times("session_closed") == [3.1]


def test_a_session_in_which_nothing_is_owed_ends_at_once() -> None:
    stage = play(6.0, HELLO, answers=[OK], durations=[1.0])
    assert stage.times("session_closed") == [6.0]


@pytest.mark.parametrize(("end", "closed"), [(2.2, 3.2), (3.5, 3.5)])
def test_a_noise_is_waited_for_only_right_after_it(end: float, closed: float) -> None:
    stage = play(end, UserSpeech(0.5, 1.5), session_close_transcript_timeout=1.0)
    assert stage.times("session_closed") == [closed]


def test_what_is_known_already_is_kept_at_once() -> None:
    stage = play(2.9, HELLO, answers=[OK])
    assert stage.said() == [("user", HELLO.text)]
    assert stage.times("session_closed") == [2.9]


def test_the_agent_stops_before_the_last_words_are_waited_for() -> None:
    stage = play(5.2, HELLO, UserSpeech(4.6, 6.0, "wait"), answers=[STORY], durations=[10.0], can_pause=False)
    assert stage.times("agent_interrupted") == [5.1]
    stage = play(4.9, HELLO, UserSpeech(4.6, 6.0, "wait"), answers=[STORY], durations=[10.0], can_pause=False)
    assert (stage.times("agent_interrupted"), causes(stage, "agent_interrupted")) == ([4.9], ["close"])
    assert stage.said()[-1] == ("user", "wait")
    assert stage.times("session_closed") == [6.2]


# --- the recogniser is told to finish --------------------------------------------------------------------------------


def test_silence_tells_a_recogniser_that_can_be_told() -> None:
    slow = UserSpeech(0.5, 2.5, "Hello", stt_delay=0.9)
    stt = flushable(slow)
    stage = play(5.0, slow, stt=stt, answers=[OK])
    assert stt.flushes[:-1] == [pytest.approx(3.0)]  # the last is the end of its input
    assert stage.times("turn_committed") == [3.4]


def test_a_recogniser_that_has_told_already_is_left_alone() -> None:
    stt = flushable(HELLO)
    play(5.0, HELLO, stt=stt, answers=[OK], durations=[0.5])
    assert len(stt.flushes) == 1  # the end of its input


def test_a_recogniser_that_cannot_be_told_is_left_alone() -> None:
    stage = play(5.0, UserSpeech(0.5, 2.5, "Hello", stt_delay=0.9), answers=[OK])
    assert len(stage.stt.flushes) == 1


def test_a_commit_without_a_microphone_lets_the_recogniser_hear_silence() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(2.6)
        stage.session.input.set_audio_enabled(False)
        before = len(stage.stt.frames)
        stage.session.commit_user_turn(stt_flush_duration=1.0)
        await stage.run_until(2.65)
        heard = stage.stt.frames[before:]
        assert sum(f.samples_per_channel / f.sample_rate for f in heard) == pytest.approx(1.0)
        assert not any(any(bytes(f.data)) for f in heard)

    stage = play(6.0, HELLO, answers=[OK], act=act)
    assert stage.times("turn_committed") == [2.7], "what was said before it was switched off is still recognised"
    assert causes(stage, "turn_committed") == ["manual"]
    assert stage.session.user_state in ("listening", "away")


def test_a_commit_with_a_microphone_does_not() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(2.6)
        stage.session.commit_user_turn()
        assert stage.stt.flushes == []
        await asyncio.sleep(0)

    stage = play(6.0, HELLO, answers=[OK], act=act)
    assert len(stage.stt.frames) < 700, "as many as the microphone gave"


def test_a_recogniser_that_can_be_told_hears_no_silence() -> None:
    stt = flushable(HELLO)

    async def act(stage: Stage) -> None:
        await stage.run_until(2.6)
        stage.session.input.set_audio_enabled(False)
        before = len(stt.frames)
        stage.session.commit_user_turn()
        await stage.run_until(2.65)
        assert len(stt.frames) == before
        assert len(stt.flushes) == 1, "at the commit"

    play(6.0, HELLO, stt=stt, answers=[OK], act=act)


# --- waiting until nobody has anything to do -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "flags", "over"),
    [
        (1.0, {"wait_for_agent": False}, 3.0),  # the user's speech, and the decision about it
        (1.0, {"wait_for_user": False}, 1.0),  # the agent has nothing to do while the user speaks
        (3.5, {"wait_for_user": False}, 4.51),
        (3.5, {"wait_for_agent": False}, 3.5),
        (1.0, {}, 4.51),
        (1.0, {"wait_for_agent": False, "wait_for_user": False}, 1.0),
        (5.0, {}, 5.0),
    ],
)
def test_wait_for_idle_waits_for_whom_it_is_told(begin: float, flags: dict[str, bool], over: float) -> None:
    times: list[float] = []

    async def act(stage: Stage) -> None:
        await stage.run_until(begin)
        await stage.session.wait_for_idle(**flags)
        times.append(stage.now)

    play(
        8.0, HELLO, answers=[OK], durations=[1.0], act=act, turn_handling={"preemptive_generation": {"enabled": False}}
    )
    assert times == [pytest.approx(over)]


# --- words with their times ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("option", "heard"), [(None, "One two"), (True, "One two"), (False, "One two three")])
def test_word_times_of_the_voice_are_used_unless_told_otherwise(option: bool | None, heard: str) -> None:
    options = {} if option is None else {"use_tts_aligned_transcript": option}
    # By its times each word takes a second; by their letters the short ones take less.
    stage = play(
        5.3, HELLO, answers=[Answer("One two three incomprehensibilities")], durations=[4.0], aligned=True, **options
    )
    assert stage.said()[-1] == ("assistant", heard)


class Reader(Agent):
    """Keeps what its transcription node gets."""

    got: list[Any]

    def __init__(self, **options: Any) -> None:
        super().__init__(instructions="", **options)
        self.got = []

    async def transcription_node(self, text: AsyncIterable[Any], model_settings: Any) -> Any:
        async for piece in text:
            self.got.append(piece)
            yield piece


@pytest.mark.parametrize("where", ["agent", "session"])
def test_a_transcription_node_gets_the_voices_words_if_asked_for(where: str) -> None:
    option = {"use_tts_aligned_transcript": True}
    agent = Reader(**(option if where == "agent" else {}))
    stage = play(
        12.0,
        HELLO,
        answers=[Answer("One two three")],
        durations=[3.0],
        aligned=True,
        agent=lambda: agent,
        **(option if where == "session" else {}),
    )
    assert [(str(word), word.end_time) for word in agent.got] == [("One", 1.0), (" two", 2.0), (" three", 3.0)]
    assert stage.said()[-1] == ("assistant", "One two three")


@in_virtual_time
async def test_a_transcription_node_makes_no_difference_to_what_was_heard() -> None:
    heard: list[tuple[str, str]] = []
    for agent in (Agent(instructions=""), Reader()):
        async with scripted_session(answers=[Answer("one two three four")], durations=[8.0]) as stage:
            await stage.session.start(agent)
            stage.session.generate_reply()
            await stage.run_until(5.0)
            await stage.session.interrupt()
            heard.append(stage.said()[-1])
    assert heard == [("assistant", "one two")] * 2


def test_it_gets_the_models_text_otherwise() -> None:
    agent = Reader()
    play(12.0, HELLO, answers=[Answer("One two three")], durations=[3.0], aligned=True, agent=lambda: agent)
    assert "".join(agent.got) == "One two three"
    assert all(type(piece) is str for piece in agent.got)
