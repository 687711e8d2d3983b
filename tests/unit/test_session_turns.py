"""When a user's turn ends, and why."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from agent_runtime import Agent
from agent_runtime.testing import Answer, Stage, UserSpeech
from agent_tools import StopResponse
from tests.support.play import HELLO, causes, play, since

OK = Answer("OK")


class Detector:
    model = "scripted"
    provider = "tests"

    def __init__(self, probability: float, *, threshold: float | None = 0.5, error: Exception | None = None) -> None:
        self.probability, self.threshold, self.error = probability, threshold, error
        self.asked: list[str] = []

    async def unlikely_threshold(self, language: str | None) -> float | None:
        return self.threshold

    async def supports_language(self, language: str | None) -> bool:
        return language == "en"

    async def predict_end_of_turn(self, chat_ctx: Any, *, timeout: float | None = None) -> float:
        self.asked.append(chat_ctx.messages()[-1].text_content)
        if self.error is not None:
            raise self.error
        return self.probability


def test_a_sure_detector_ends_the_turn_after_the_shortest_wait() -> None:
    detector = Detector(0.9)
    stage = play(6.0, HELLO, answers=[OK], turn_handling={"turn_detection": detector})
    assert stage.times("turn_committed") == [3.0]
    assert causes(stage, "turn_committed") == ["endpointing.min_delay"]
    (waiting,) = stage.of("endpointing_started")
    assert (waiting.data.end_of_turn_probability, waiting.data.threshold) == (0.9, 0.5)
    assert detector.asked == [HELLO.text]


def test_a_doubting_detector_ends_it_after_the_longest() -> None:
    stage = play(9.0, HELLO, answers=[OK], turn_handling={"turn_detection": Detector(0.1)})
    assert stage.times("turn_committed") == [5.5]
    assert causes(stage, "turn_committed") == ["endpointing.max_delay"]
    (waiting,) = stage.of("endpointing_started")
    assert waiting.data.delay == 3.0
    assert waiting.data.deadline == pytest.approx(5.5)


def test_a_detector_that_fails_is_reported_and_done_without() -> None:
    detector = Detector(0.9, error=RuntimeError("no model"))
    stage = play(6.0, HELLO, answers=[OK], turn_handling={"turn_detection": detector})
    assert stage.times("turn_committed") == [3.0]
    (error,) = stage.of("error_occurred")
    assert error.data.source == "turn_detector"
    assert "no model" in error.data.message


def test_a_detector_that_hangs_does_not_hold_the_turn_up_for_ever() -> None:
    class Hanging(Detector):
        async def predict_end_of_turn(self, chat_ctx: Any, *, timeout: float | None = None) -> float:
            await asyncio.sleep(1000)
            return 0.0

    stage = play(9.0, HELLO, answers=[OK], turn_handling={"turn_detection": Hanging(0.0)})
    assert stage.times("turn_committed") == [5.5]
    assert [e.data.source for e in stage.of("error_occurred")] == ["turn_detector"]


def test_speech_that_goes_on_before_the_deadline_is_one_turn() -> None:
    first = UserSpeech(0.5, 1.5, "I would like")
    second = UserSpeech(2.4, 3.4, "a cup of tea")
    stage = play(8.0, first, second, answers=[OK], turn_handling={"turn_detection": Detector(0.1)})
    assert [e.data.text for e in stage.of("turn_committed")] == ["I would like a cup of tea"]
    assert len(stage.of("turn_started")) == 1
    assert stage.times("endpointing_cancelled") == [2.45]


def test_a_late_final_ends_the_turn_at_once() -> None:
    slow = UserSpeech(0.5, 2.5, "Hello", stt_delay=1.5)
    stage = play(8.0, slow, answers=[OK])
    assert stage.times("turn_committed") == [4.0]
    parts = stage.of("turn_measured")[0].data.parts
    assert (parts[0].name, round(parts[0].end - parts[0].start, 6)) == ("transcription", 1.5)


def test_a_noise_is_no_turn() -> None:
    stage = play(6.0, UserSpeech(0.5, 1.5, ""))
    assert stage.of("turn_committed") == []
    assert stage.said() == []


def test_a_final_without_voice_is_a_turn() -> None:
    stage = play(6.0, HELLO, answers=[OK], use_vad=False)
    assert stage.times("turn_committed") == [3.2]


def test_silence_of_both_for_long_means_that_the_user_is_away() -> None:
    stage = play(25.0, UserSpeech(20.0, 21.0, "Hello"), answers=[OK])
    assert since(stage, 0.5, "user_state_changed")[:2] == [(15.0, "user away"), (20.05, "user speaking")]
    assert causes(stage, "user_state_changed")[0] == "away_timer"


def test_no_away_timer_without_a_timeout() -> None:
    stage = play(100.0, user_away_timeout=None)
    assert stage.of("user_state_changed") == []


def test_a_sign_of_life_brings_the_user_back() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(16.0)
        stage.session.reset_away_timer()

    stage = play(40.0, act=act)
    assert since(stage, 0.5) == [(15.0, "user away"), (16.0, "user listening"), (31.0, "user away")]


class Recognizing(Agent):
    """Its stt_node tells of speech's start and end as some recognisers do."""

    async def stt_node(self, audio: Any, model_settings: Any) -> Any:
        from agent_runtime.stt import SpeechEvent, SpeechEventType

        async for event in Agent.default.stt_node(self, audio, model_settings):
            yield SpeechEvent(type=SpeechEventType.START_OF_SPEECH)
            yield event
            yield SpeechEvent(type=SpeechEventType.END_OF_SPEECH)


def test_the_recogniser_may_end_turns() -> None:
    stage = play(
        8.0,
        HELLO,
        answers=[OK],
        agent=lambda: Recognizing(instructions=""),
        use_vad=False,
        turn_handling={"turn_detection": "stt"},
    )
    assert causes(stage, "turn_committed") == ["stt"]
    assert stage.times("turn_committed") == [3.2]
    assert causes(stage, "user_state_changed") == ["stt", "stt"]


def test_a_manual_turn_ends_by_hand_alone() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(5.0)
        assert stage.of("turn_committed") == []
        stage.session.commit_user_turn()

    stage = play(8.0, HELLO, answers=[OK], act=act, turn_handling={"turn_detection": "manual"})
    # The final came long ago, so the recogniser is asked and given its time.
    assert stage.times("turn_committed") == [7.0]
    assert causes(stage, "turn_committed") == ["manual"]
    assert stage.stt.flushes[0] == 5.0


def test_a_manual_turn_whose_final_just_came_is_answered_at_once() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(3.0)
        stage.session.commit_user_turn()

    stage = play(8.0, HELLO, answers=[OK], act=act, turn_handling={"turn_detection": "manual"})
    assert stage.times("turn_committed") == [3.0]
    assert stage.times("agent_state_changed", new="speaking") == [3.5]


def test_a_manual_turn_waits_for_its_final() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(2.5)
        stage.session.commit_user_turn()

    stage = play(8.0, HELLO, answers=[OK], act=act, turn_handling={"turn_detection": "manual"})
    assert stage.times("turn_committed") == [2.7]


def test_a_manual_turn_takes_the_interim_when_no_final_comes() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(2.0)
        stage.session.commit_user_turn(transcript_timeout=1.0)

    speech = UserSpeech(0.5, 1.5, "never", stt_delay=99.0, interims=[(1.0, "Hello")])
    stage = play(8.0, speech, answers=[OK], act=act, turn_handling={"turn_detection": "manual"})
    assert [(e.time, e.data.text) for e in stage.of("turn_committed")] == [(3.0, "Hello")]


def test_a_manual_turn_without_a_word_is_discarded() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(1.0)
        stage.session.commit_user_turn(transcript_timeout=0.5)

    stage = play(4.0, act=act, turn_handling={"turn_detection": "manual"})
    assert causes(stage, "turn_discarded") == ["empty"]
    assert stage.said() == []


def test_a_turn_may_be_kept_without_a_reply() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(3.0)
        stage.session.commit_user_turn(skip_reply=True)

    stage = play(8.0, HELLO, act=act, turn_handling={"turn_detection": "manual"})
    assert stage.said() == [("user", HELLO.text)]
    assert stage.llm.requests == []


@pytest.mark.parametrize(
    ("speech", "at", "words", "known"),
    [
        (HELLO, 3.0, HELLO.text, 3.0),
        (HELLO, 2.5, HELLO.text, 2.7),
        (UserSpeech(0.5, 1.5, "never", stt_delay=99.0, interims=[(1.0, "Hello")]), 2.0, "Hello", 4.0),
        (UserSpeech(5.0, 6.0, "later"), 1.0, "", 3.0),
    ],
    ids=["at once", "its final", "its interim", "nothing"],
)
def test_ending_a_turn_by_hand_gives_its_words(speech: UserSpeech, at: float, words: str, known: float) -> None:
    given: list[tuple[str, float]] = []

    async def act(stage: Stage) -> None:
        await stage.run_until(at)
        given.append((await stage.session.commit_user_turn(skip_reply=True), stage.session.events.now()))

    play(5.0, speech, act=act, turn_handling={"turn_detection": "manual"})
    assert given == [(words, pytest.approx(known))]


def test_the_words_of_a_turn_that_is_cleared_are_none() -> None:
    given: list[str] = []

    async def act(stage: Stage) -> None:
        await stage.run_until(2.5)
        words = stage.session.commit_user_turn()
        stage.session.clear_user_turn()
        given.append(await words)
        assert await stage.session.commit_user_turn(transcript_timeout=0.1) == ""

    play(5.0, HELLO, act=act, turn_handling={"turn_detection": "manual"})
    assert given == [""]


def test_nobody_waits_for_the_words_of_a_turn_past_the_session() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(2.5)
        words = stage.session.commit_user_turn(transcript_timeout=60.0)
        stage.session._close_soon("error")
        assert await words == ""

    slow = UserSpeech(0.5, 2.0, "never", stt_delay=99.0)
    play(5.0, slow, act=act, turn_handling={"turn_detection": "manual"})


def test_a_cleared_turn_is_forgotten() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(2.8)
        stage.session.clear_user_turn()

    stage = play(8.0, HELLO, answers=[OK], act=act)
    assert causes(stage, "turn_discarded") == ["api"]
    assert stage.of("turn_committed") == []
    assert stage.said() == []


def test_an_early_reply_to_other_words_is_dropped() -> None:
    first = UserSpeech(0.5, 1.5, "I would like")
    second = UserSpeech(2.2, 3.2, "a cup of tea")
    stage = play(8.0, first, second, answers=[Answer("What?"), OK], turn_handling={"endpointing": {"min_delay": 1.0}})
    assert stage.said() == [("user", "I would like a cup of tea"), ("assistant", "OK")]
    assert causes(stage, "llm_started") == ["preemptive", "preemptive"]
    cancelled = [e.data.cancelled for e in stage.of("llm_finished")]
    assert cancelled.count(False) >= 1


def test_a_hook_that_changes_the_message_gets_a_fresh_reply() -> None:
    class Editing(Agent):
        async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
            turn_ctx.add_message(role="system", content="It is raining.", created_at=turn_ctx.items[-1].created_at)

    stage = play(8.0, HELLO, answers=[Answer("too early"), OK], agent=lambda: Editing(instructions="x"))
    assert stage.said()[-1] == ("assistant", "OK")
    assert "It is raining." in [m.text_content for m in stage.llm.requests[-1].messages()]
    assert "It is raining." not in [m.text_content for m in stage.session.history.messages()]
    assert [e.data.name for e in stage.of("hook_finished")] == ["on_user_turn_completed"]


def test_an_early_reply_to_another_message_is_ended_at_once() -> None:
    class Rewrites(Agent):
        async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
            new_message.content = ["Something else"]

    slow = Answer("Too late", ttft=5.0, duration=6.0)
    stage = play(12.0, HELLO, agent=lambda: Rewrites(instructions=""), answers=[slow, OK])
    early, fresh = stage.of("speech_finished")
    assert (early.time, early.data.interrupted) == (3.0, True)
    assert not fresh.data.interrupted
    assert stage.said() == [("user", "Something else"), ("assistant", "OK")]


def test_turn_options_are_checked() -> None:
    with pytest.raises(ValueError, match=r"turn_handling\['endpointing'\] has no 'min_dely'"):
        play(1.0, turn_handling={"endpointing": {"min_dely": 1.0}})
    with pytest.raises(ValueError, match="must be 0 or more"):
        play(1.0, turn_handling={"interruption": {"min_duration": -1}})


def test_options_may_change_in_mid_conversation() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(1.0)
        stage.session.update_options(turn_handling={"endpointing": {"min_delay": 1.0}})

    stage = play(8.0, HELLO, answers=[OK], act=act)
    assert stage.times("turn_committed") == [3.5]


def test_the_parts_of_a_turn_add_up() -> None:
    stage = play(8.0, HELLO, answers=[OK], turn_handling={"preemptive_generation": {"enabled": False}})
    (measured,) = stage.of("turn_measured")
    parts = measured.data.parts
    assert (round(measured.data.start, 6), round(measured.data.end, 6)) == (2.5, 3.5)
    assert parts[0].start == measured.data.start
    assert parts[-1].end == measured.data.end
    assert all(a.end == b.start for a, b in pairwise(parts))
    assert {p.name: round(p.end - p.start, 6) for p in parts} == {
        "endpointing": 0.5,
        "llm": 0.1,
        "llm_sentence": 0.2,
        "tts": 0.2,
    }


def test_a_detector_that_does_not_know_the_language_is_not_asked() -> None:
    class Elsewhere(Detector):
        async def supports_language(self, language: str | None) -> bool:
            return False

    detector = Elsewhere(0.1)
    stage = play(6.0, HELLO, answers=[OK], turn_handling={"turn_detection": detector})
    assert stage.times("turn_committed") == [3.0]
    assert detector.asked == []


def test_closing_while_the_detector_thinks_keeps_what_was_said() -> None:
    class Hanging(Detector):
        async def predict_end_of_turn(self, chat_ctx: Any, *, timeout: float | None = None) -> float:
            await asyncio.sleep(1000)
            return 0.0

    stage = play(3.2, HELLO, turn_handling={"turn_detection": Hanging(0.0)})
    assert causes(stage, "turn_committed") == ["close"]
    assert stage.times("session_closed") == [3.2]


class SlowHook(Agent):
    """Takes its time with each turn."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(instructions="")
        self.error = error
        self.asked: list[str | None] = []

    async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
        self.asked.append(new_message.text_content)
        await asyncio.sleep(3.0)
        if self.error is not None:
            raise self.error


def test_a_turn_that_ends_while_the_hook_of_the_last_one_runs_waits_for_it() -> None:
    agent = SlowHook()
    later = UserSpeech(3.2, 4.0, "Still there?")
    stage = play(
        14.0,
        HELLO,
        later,
        agent=lambda: agent,
        answers=[OK],
        durations=[1.0],
        turn_handling={"preemptive_generation": {"enabled": False}},
    )
    assert agent.asked == [HELLO.text, later.text]
    assert [text for role, text in stage.said() if role == "user"] == [HELLO.text, later.text]
    assert stage.said()[-1] == ("assistant", "OK")
    assert len(stage.llm.requests) == 1, "the first is kept and not answered"


def test_a_hook_that_wants_no_response_gets_none() -> None:
    stage = play(9.0, HELLO, agent=lambda: SlowHook(StopResponse()), answers=[OK])
    assert causes(stage, "turn_discarded") == ["stop_response"]
    assert stage.said() == []


def test_messages_say_which_models_they_came_through_and_when_the_first_sentence_was_there() -> None:
    stage = play(
        8.0, HELLO, answers=[Answer("One sentence. And another.", ttft=0.1, duration=1.0)], durations=[1.0, 1.0]
    )
    user, agent = stage.session.history.messages()
    assert user.metrics["stt_metadata"] == {"model_name": stage.stt.model, "model_provider": stage.stt.provider}
    assert "llm_metadata" not in user.metrics
    assert agent.metrics["llm_metadata"] == {"model_name": stage.llm.model, "model_provider": stage.llm.provider}
    assert agent.metrics["tts_metadata"] == {"model_name": stage.tts.model, "model_provider": stage.tts.provider}
    assert agent.metrics["llm_node_ttft"] == pytest.approx(0.1)
    assert agent.metrics["llm_node_ttfs"] == pytest.approx(1.0)


def test_what_is_said_without_a_model_names_none() -> None:
    async def act(stage: Stage) -> None:
        await stage.session.say("Hello.")

    (message,) = play(4.0, act=act, durations=[1.0]).session.history.messages()
    assert "tts_metadata" in message.metrics
    assert not {"llm_metadata", "llm_node_ttft", "llm_node_ttfs"} & message.metrics.keys()


def test_words_without_a_voice_can_be_committed_by_hand() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(1.2)
        stage.session.commit_user_turn(transcript_timeout=0.3)

    speech = UserSpeech(0.5, 2.0, "never final", stt_delay=60.0, interims=[(1.0, "this much")])
    stage = play(4.0, speech, answers=[OK], act=act, use_vad=False)
    assert stage.times("turn_committed") == [1.5]
    (message,) = [m for m in stage.session.history.messages() if m.role == "user"]
    assert message.text_content == "this much"
    assert "stopped_speaking_at" not in message.metrics


def test_an_interruption_that_comes_too_late_changes_nothing() -> None:
    from agent_runtime.voice import turn_inputs as inputs

    async def act(stage: Stage) -> None:
        await stage.run_until(3.5)
        stage.session._engine.turns._interrupt(inputs.InterruptSpeech("one that is over", "voice"))

    stage = play(8.0, HELLO, answers=[OK], durations=[1.0], act=act)
    assert stage.of("agent_interrupted") == []


class Slow(Detector):
    """Thinks for `takes` seconds."""

    def __init__(self, probability: float, takes: float, failures: int = 0) -> None:
        super().__init__(probability)
        self.takes, self.failures = takes, failures

    async def predict_end_of_turn(self, chat_ctx: Any, *, timeout: float | None = None) -> float:
        self.asked.append(chat_ctx.messages()[-1].text_content)
        await asyncio.sleep(self.takes)
        if self.failures:
            self.failures -= 1
            raise RuntimeError("no model")
        return self.probability


def test_a_detector_is_asked_when_the_words_are_known_and_once() -> None:
    detector = Slow(0.9, 0.25)
    stage = play(6.0, HELLO, answers=[OK], turn_handling={"turn_detection": detector})
    assert stage.times("turn_committed") == [3.0]  # the final came at 2.7, the silence at 3.0
    assert detector.asked == [HELLO.text]


def test_without_early_replies_a_detector_is_asked_in_the_silence() -> None:
    detector = Slow(0.9, 0.25)
    handling: Any = {"turn_detection": detector, "preemptive_generation": {"enabled": False}}
    stage = play(6.0, HELLO, answers=[OK], turn_handling=handling)
    assert stage.times("turn_committed") == [3.25]


def test_a_detector_that_failed_ahead_is_asked_again() -> None:
    detector = Slow(0.9, 0.1, failures=1)
    stage = play(6.0, HELLO, answers=[OK], turn_handling={"turn_detection": detector})
    assert stage.times("turn_committed") == [3.1]
    assert detector.asked == [HELLO.text] * 2
    assert stage.of("error_occurred") == []


def test_words_that_changed_are_judged_anew() -> None:
    first = UserSpeech(0.5, 1.5, "I would like")
    second = UserSpeech(2.4, 3.4, "a cup of tea")
    detector = Slow(0.1, 0.1)
    stage = play(8.0, first, second, answers=[OK, OK], turn_handling={"turn_detection": detector})
    assert detector.asked == ["I would like", "I would like a cup of tea"]
    assert [e.data.text for e in stage.of("turn_committed")] == ["I would like a cup of tea"]
