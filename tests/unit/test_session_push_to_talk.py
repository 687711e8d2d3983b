"""Turns by hand."""

from __future__ import annotations

from agent_runtime.testing import Answer, Stage, UserSpeech
from tests.support.play import HELLO, causes, play, since

OK = Answer("OK")


async def use(stage: Stage, press: float, release: float) -> None:
    await stage.run_until(press)
    stage.session.push_to_talk.press()
    await stage.run_until(release)
    stage.session.push_to_talk.send()


def test_a_turn_by_hand_ends_with_its_final() -> None:
    async def act(stage: Stage) -> None:
        await use(stage, 0.4, 2.5)

    stage = play(8.0, HELLO, answers=[OK], act=act, durations=[1.0])
    assert stage.said() == [("user", HELLO.text), ("assistant", "OK")]
    assert stage.times("turn_committed") == [2.7]
    assert causes(stage, "turn_committed") == ["push_to_talk"]
    assert causes(stage, "turn_started") == ["push_to_talk"]
    assert [e.data.state for e in stage.of("push_to_talk_changed")] == ["pressed", "sent"]
    assert since(stage, 0.1, "user_state_changed") == [(0.4, "user speaking"), (2.5, "user listening")]


def test_pauses_do_not_end_a_turn_by_hand() -> None:
    async def act(stage: Stage) -> None:
        await use(stage, 0.4, 6.5)

    parts = [UserSpeech(0.5, 1.5, "I would like"), UserSpeech(4.0, 6.0, "a cup of tea")]
    stage = play(12.0, *parts, answers=[OK], act=act, durations=[1.0])
    assert stage.said()[0] == ("user", "I would like a cup of tea")
    assert len(stage.of("turn_committed")) == 1


def test_a_press_stops_the_agent() -> None:
    async def act(stage: Stage) -> None:
        stage.session.say("A very long speech indeed")
        await use(stage, 1.2, 3.0)

    speech = UserSpeech(1.4, 2.7, "Stop")
    stage = play(8.0, speech, answers=[OK], act=act, durations=[5.0, 1.0])
    assert stage.times("agent_interrupted") == [1.2]
    assert causes(stage, "agent_interrupted") == ["push_to_talk"]
    assert stage.said()[-1] == ("assistant", "OK")


def test_a_discarded_turn_is_forgotten() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(0.4)
        stage.session.push_to_talk.press()
        await stage.run_until(2.8)
        stage.session.push_to_talk.discard()

    stage = play(8.0, HELLO, act=act)
    assert stage.said() == []
    assert causes(stage, "turn_discarded") == ["push_to_talk"]


def test_an_empty_turn_is_forgotten() -> None:
    async def act(stage: Stage) -> None:
        await use(stage, 0.4, 1.0)

    stage = play(8.0, act=act)
    assert causes(stage, "turn_discarded") == ["empty"]
    assert stage.session.user_state == "listening"


def test_between_presses_nothing_is_recognised_but_the_pre_roll_is() -> None:
    async def act(stage: Stage) -> None:
        await use(stage, 0.4, 1.0)
        heard = stage.session._engine.recognition
        await stage.run_until(4.0)
        before = len(stage.stt.frames)
        heard.push(loud())
        await stage.run_until(4.1)
        assert not any(bytes(stage.stt.frames[-1].data))
        stage.session.push_to_talk.press()
        await stage.run_until(4.11)
        pre_roll = [f for f in stage.stt.frames[before:] if any(bytes(f.data))]
        assert len(pre_roll) == 1  # the loud frame, 100 ms before the press
        stage.session.push_to_talk.discard()

    play(8.0, act=act)


def loud() -> object:
    from livekit.rtc import AudioFrame

    return AudioFrame(b"\x10\x10" * 800, 16000, 1, 800)


def test_off_goes_back_to_turns_that_end_by_themselves() -> None:
    async def act(stage: Stage) -> None:
        await use(stage, 0.2, 0.4)
        assert stage.session.push_to_talk.active
        stage.session.push_to_talk.off()
        assert not stage.session.push_to_talk.active

    speech = UserSpeech(4.0, 5.0, "Hello")
    stage = play(10.0, speech, answers=[OK], act=act)
    assert causes(stage, "turn_committed") == ["endpointing.min_delay"]
    assert [e.data.state for e in stage.of("push_to_talk_changed")] == ["pressed", "sent", "off"]


def test_pressing_twice_and_releasing_twice_change_nothing() -> None:
    async def act(stage: Stage) -> None:
        talk = stage.session.push_to_talk
        talk.send()
        talk.discard()
        talk.off()
        await stage.run_until(0.4)
        talk.press()
        talk.press()
        await stage.run_until(2.5)
        talk.send()
        talk.send()

    stage = play(8.0, HELLO, answers=[OK], act=act)
    assert [e.data.state for e in stage.of("push_to_talk_changed")] == ["pressed", "sent"]
    assert len(stage.of("turn_committed")) == 1


def test_pressing_again_goes_on_with_the_turn() -> None:
    async def act(stage: Stage) -> None:
        await use(stage, 0.4, 1.6)
        await use(stage, 1.65, 4.0)

    parts = [UserSpeech(0.5, 1.5, "I would like", stt_delay=0.3), UserSpeech(2.2, 3.5, "tea")]
    stage = play(10.0, *parts, answers=[OK], act=act)
    assert [e.data.text for e in stage.of("turn_committed")] == ["I would like tea"]


def test_muting_hears_silence() -> None:
    async def act(stage: Stage) -> None:
        stage.session.set_input_muted(True)
        stage.session._engine.recognition.push(loud())
        await stage.run_until(0.1)
        assert not any(any(bytes(f.data)) for f in stage.stt.frames)
        stage.session.set_input_muted(False)
        stage.session._engine.recognition.push(loud())
        await stage.run_until(0.2)
        assert any(any(bytes(f.data)) for f in stage.stt.frames)

    stage = play(1.0, act=act)
    assert [e.data.muted for e in stage.of("input_muted")] == [True, False]


def test_two_quick_presses_without_a_word_leave_nothing_behind() -> None:
    async def act(stage: Stage) -> None:
        await use(stage, 0.40, 0.45)
        await use(stage, 0.50, 0.52)

    stage = play(8.0, act=act)
    assert stage.of("turn_committed") == []
    assert causes(stage, "turn_discarded") == ["empty"], "the second press goes on with the turn of the first"
    assert stage.session.user_state == "listening"
    assert [e.data.state for e in stage.of("push_to_talk_changed")] == ["pressed", "sent"] * 2


def test_a_second_press_takes_over_what_the_first_one_still_waits_for() -> None:
    async def act(stage: Stage) -> None:
        await use(stage, 0.40, 1.55)  # its final comes at 1.7
        await stage.run_until(1.60)
        stage.session.push_to_talk.press()
        await stage.run_until(1.75)
        stage.session.push_to_talk.discard()

    stage = play(8.0, UserSpeech(0.5, 1.5, "Hello"), act=act)
    assert causes(stage, "turn_discarded") == ["push_to_talk"]
    assert stage.of("turn_committed") == []
    assert stage.said() == []


def test_discarding_in_mid_speech_forgets_the_rest_of_it_too() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(0.4)
        stage.session.push_to_talk.press()
        await stage.run_until(1.5)
        stage.session.push_to_talk.discard()
        await stage.run_until(4.0)
        await use(stage, 4.0, 5.5)

    never_final = UserSpeech(0.5, 2.5, "Hello", stt_delay=60.0, interims=[(1.0, "Hel")])
    stage = play(9.0, never_final, UserSpeech(4.2, 5.2, "Once more"), answers=[OK], act=act, durations=[1.0])
    assert stage.said() == [("user", "Once more"), ("assistant", "OK")]
    assert stage.session.user_state == "listening"


def test_a_press_in_mid_speech_of_an_automatic_turn_takes_what_was_said() -> None:
    async def act(stage: Stage) -> None:
        await use(stage, 1.5, 2.6)

    stage = play(8.0, HELLO, answers=[OK], act=act, durations=[1.0])
    assert stage.said() == [("user", HELLO.text), ("assistant", "OK")]
    assert causes(stage, "turn_committed") == ["push_to_talk"]
