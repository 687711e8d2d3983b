"""What the agent says by itself: say, generate_reply, priorities, text without sound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livekit.rtc import AudioFrame

from agent_runtime import Agent, SpeechHandle
from agent_runtime.testing import Answer, ScriptedAudioOutput, Stage, run_virtual
from tests.support.play import HELLO, causes, play, since

OK = Answer("OK")


def test_say_speaks_and_is_remembered() -> None:
    async def act(stage: Stage) -> None:
        handle = stage.session.say("Welcome")
        assert stage.session.current_speech is handle
        assert await handle is handle
        assert handle.done()
        assert not handle.interrupted
        assert handle.exception() is None
        assert [i.text_content for i in handle.chat_items] == ["Welcome"]

    stage = play(5.0, act=act, durations=[1.0])
    assert since(stage, 0.0, "agent_state_changed") == [
        (0.0, "agent listening"),
        (0.2, "agent speaking"),
        (1.21, "agent listening"),
    ]
    assert stage.said() == [("assistant", "Welcome")]
    assert causes(stage, "turn_started") == ["say"]


def test_say_may_be_forgotten() -> None:
    async def act(stage: Stage) -> None:
        await stage.session.say("Psst", add_to_chat_ctx=False)

    assert play(5.0, act=act).said() == []


def test_say_takes_a_stream_of_text() -> None:
    async def words() -> AsyncIterator[str]:
        for word in ("Wel", "come", " here"):
            await asyncio.sleep(0.1)
            yield word

    async def act(stage: Stage) -> None:
        await stage.session.say(words())

    stage = play(5.0, act=act, durations=[1.0])
    assert stage.said() == [("assistant", "Welcome here")]
    assert stage.times("playout_started") == [0.5]


def test_the_voice_gets_words_that_came_together_as_one_piece_and_others_as_they_come() -> None:
    pieces: list[str] = []

    class Listed(Agent):
        async def tts_node(self, text: AsyncIterator[str], model_settings: Any) -> Any:
            async def noted() -> AsyncIterator[str]:
                async for piece in text:
                    pieces.append(piece)
                    yield piece

            return Agent.default.tts_node(self, noted(), model_settings)

    async def words() -> AsyncIterator[str]:
        for word in ("All ", "at ", "once "):
            yield word
        for word in ("and ", "one ", "by ", "one"):
            await asyncio.sleep(0.1)
            yield word

    async def act(stage: Stage) -> None:
        await stage.session.say(words())

    stage = play(5.0, act=act, agent=lambda: Listed(instructions="Hello."))
    assert pieces == ["All at once ", "and ", "one ", "by ", "one"]
    assert stage.said() == [("assistant", "All at once and one by one")]


def test_say_takes_audio() -> None:
    async def frames() -> AsyncIterator[AudioFrame]:
        for _ in range(10):
            yield AudioFrame(bytes(4800), 24000, 1, 2400)

    async def act(stage: Stage) -> None:
        await stage.session.say("Ding", audio=frames())

    stage = play(5.0, act=act)
    assert stage.tts.texts == []
    assert stage.times("playout_finished") == [1.0]
    assert stage.said() == [("assistant", "Ding")]


def test_audio_that_fails_is_reported_and_the_session_goes_on() -> None:
    async def frames() -> AsyncIterator[AudioFrame]:
        yield AudioFrame(bytes(4800), 24000, 1, 2400)
        raise FileNotFoundError("ding.wav")

    async def act(stage: Stage) -> None:
        handle = stage.session.say("Ding", audio=frames())
        await handle
        assert isinstance(handle.exception(), FileNotFoundError)
        await stage.session.say("Still here")

    stage = play(5.0, act=act, durations=[1.0])
    assert stage.said()[-1] == ("assistant", "Still here")
    assert "ding.wav" in stage.of("error_occurred")[0].data.message


def test_speeches_come_one_after_the_other() -> None:
    async def act(stage: Stage) -> None:
        first, second = stage.session.say("first"), stage.session.say("second")
        assert first.scheduled
        assert second.scheduled
        await second
        assert first.done()

    stage = play(5.0, act=act, durations=[1.0, 1.0])
    assert stage.times("playout_started") == [0.2, 1.21]


def test_silence_between_speeches() -> None:
    async def act(stage: Stage) -> None:
        stage.session.say("first")
        await stage.session.say("second")

    stage = play(5.0, act=act, durations=[1.0, 1.0], min_consecutive_speech_delay=0.5)
    assert stage.times("playout_started") == [0.2, 1.71]


def test_generate_reply_with_instructions() -> None:
    async def act(stage: Stage) -> None:
        await stage.session.generate_reply(instructions="Greet the user.")

    stage = play(5.0, act=act, answers=[Answer("Hello!")], durations=[1.0])
    asked = [(m.role, m.text_content) for m in stage.llm.requests[0].messages()]
    assert asked == [("system", "You are helpful."), ("system", "Greet the user.")]
    assert stage.said() == [("assistant", "Hello!")]
    assert causes(stage, "turn_started") == ["generate_reply"]


def test_generate_reply_waits_its_turn() -> None:
    async def act(stage: Stage) -> None:
        stage.session.say("first")
        await stage.session.generate_reply(user_input="And?")

    stage = play(5.0, act=act, answers=[OK], durations=[1.0, 1.0])
    assert stage.of("agent_interrupted") == []
    assert stage.times("playout_started") == [0.2, 1.21]


def test_text_in_text_out() -> None:
    async def act(stage: Stage) -> None:
        stage.session.send_text("Hello")
        await stage.run_until(0.15)
        assert stage.session.agent_state == "speaking"

    stage = play(3.0, act=act, answers=[Answer("How are you?")], microphone=False, speaker=False)
    assert stage.said() == [("user", "Hello"), ("assistant", "How are you?")]
    assert stage.transcript.text == "How are you?"
    assert stage.tts.texts == []
    assert causes(stage, "turn_committed") == ["text"]
    (measured,) = stage.of("turn_measured")
    assert (round(measured.data.start, 6), round(measured.data.end, 6)) == (0.0, 0.1)


def test_text_that_is_interrupted_keeps_what_was_shown() -> None:
    async def act(stage: Stage) -> None:
        stage.session.send_text("Hello")
        await stage.run_until(1.2)
        stage.session.send_text("Stop")

    slow = Answer("one two three four five", ttft=0.1, duration=4.1)
    stage = play(5.0, act=act, answers=[slow, OK], microphone=False, speaker=False)
    assert stage.said() == [("user", "Hello"), ("assistant", "one two"), ("user", "Stop"), ("assistant", "OK")]


def test_sound_may_be_turned_off_and_on() -> None:
    async def act(stage: Stage) -> None:
        stage.session.output.set_audio_enabled(False)
        await stage.session.say("quiet")
        assert stage.now == 0.0
        stage.session.output.set_audio_enabled(True)
        await stage.session.say("loud")

    stage = play(5.0, act=act, durations=[1.0])
    assert stage.tts.texts == ["loud"]


@pytest.mark.parametrize("interrupted", [False, True])
def test_what_the_voice_was_still_making_when_the_speaker_went_away_was_read(interrupted: bool) -> None:
    async def act(stage: Stage) -> None:
        handle = stage.session.say("Hello, this is the desk.")
        await stage.run_until(0.05)
        stage.session.output.set_audio_enabled(False)
        if interrupted:
            handle.interrupt()
        await handle
        stage.session.output.set_audio_enabled(True)

    stage = play(5.0, act=act, durations=[1.0])
    assert stage.said() == [("assistant", "Hello, this is the desk.")]
    assert not stage.of("playout_finished") or not stage.of("playout_finished")[-1].data.interrupted
    assert [event.data.text for event in stage.of("agent_heard")] == ["Hello, this is the desk."]


def test_what_was_interrupted_before_the_speaker_went_away_was_not_read() -> None:
    async def act(stage: Stage) -> None:
        handle = stage.session.say("Hello, this is the desk.")
        await stage.run_until(0.05)
        handle.interrupt()
        stage.session.output.set_audio_enabled(False)
        await handle

    stage = play(5.0, act=act, durations=[1.0])
    assert stage.said() == []
    assert stage.of("agent_heard") == []


@pytest.mark.parametrize("aligned", [False, True])
def test_what_was_cut_because_the_speaker_went_away_says_so(aligned: bool) -> None:
    async def act(stage: Stage) -> None:
        handle = stage.session.say("Hello, this is the desk.")
        await stage.run_until(2.0)
        stage.session.output.set_audio_enabled(False)
        await handle
        assert not handle.interrupted

    stage = play(9.0, act=act, durations=[4.0], aligned=aligned)
    [message] = [m for m in stage.session.history.messages() if m.role == "assistant"]
    assert message.interrupted
    assert "Hello, this is the desk.".startswith(message.text_content)
    assert "desk" not in message.text_content


def test_words_dont_wait_for_the_voice_once_the_speaker_went_away() -> None:
    async def act(stage: Stage) -> None:
        handle = stage.session.say("Hello, this is the desk.")
        await stage.run_until(0.05)
        stage.session.output.set_audio_enabled(False)
        await stage.run_until(0.06)
        assert handle.done()

    stage = play(5.0, act=act, durations=[1.0])
    assert stage.of("agent_heard")[-1].data.text == "Hello, this is the desk."
    assert stage.said() == [("assistant", "Hello, this is the desk.")]


def test_the_speaker_may_be_changed_in_mid_sentence() -> None:
    other: list[ScriptedAudioOutput] = []

    async def act(stage: Stage) -> None:
        handle = stage.session.say("one two three four five six seven eight nine ten")
        await stage.run_until(5.2)
        other.append(ScriptedAudioOutput())
        stage.session.output.audio = other[0]
        await handle
        await stage.session.say("next")

    stage = play(12.0, act=act, durations=[10.0, 1.0], aligned=True)
    assert stage.speaker is not None
    assert [(p.position, p.interrupted) for p in stage.speaker.played] == [(5.0, True)]
    assert [p.position for p in other[0].played] == [1.01]
    assert stage.said()[0] == ("assistant", "one two three four five")


def test_the_microphone_may_be_changed_in_mid_conversation() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(1.0)
        old, stage.session.input.audio = stage.session.input.audio, None
        await stage.run_until(1.5)
        stage.session.input.audio = old

    stage = play(8.0, HELLO, answers=[OK], act=act)
    assert stage.said() == [("user", HELLO.text), ("assistant", "OK")]


def test_wait_for_idle() -> None:
    async def act(stage: Stage) -> None:
        stage.session.send_text("Hello")
        await stage.session.wait_for_idle()
        assert stage.now == 1.51

    play(5.0, act=act, answers=[OK], durations=[1.0])


def test_a_session_must_be_started() -> None:
    async def scenario() -> None:
        from agent_runtime import AgentSession

        session: AgentSession[Any] = AgentSession()
        with pytest.raises(RuntimeError, match="isn't running"):
            session.say("Hello")
        with pytest.raises(ValueError, match="no userdata"):
            _ = session.userdata
        await session.aclose()

    run_virtual(scenario())


def test_priorities() -> None:
    from agent_runtime.clock import LoopClock
    from agent_runtime.voice.scheduler import SpeechScheduler

    async def scenario() -> None:
        taken: list[SpeechHandle] = []
        scheduler = SpeechScheduler(LoopClock(), on_taken=taken.append, on_released=lambda _: None)
        playing, low, normal, high = (SpeechHandle.create() for _ in range(4))
        scheduler.schedule(playing, SpeechHandle.SPEECH_PRIORITY_NORMAL)
        scheduler.schedule(low, SpeechHandle.SPEECH_PRIORITY_LOW)
        scheduler.schedule(normal, SpeechHandle.SPEECH_PRIORITY_NORMAL)
        scheduler.schedule(high, SpeechHandle.SPEECH_PRIORITY_HIGH)
        assert scheduler.queued == [high, normal, low]
        for speech in (playing, high, normal, low):
            assert scheduler.current is speech
            scheduler.release(speech)
        assert taken == [playing, high, normal, low]
        assert scheduler.idle

    run_virtual(scenario())


def test_done_callbacks() -> None:
    called: list[str] = []

    async def act(stage: Stage) -> None:
        handle = stage.session.say("Hello")
        handle.add_done_callback(lambda h: called.append(h.id))
        with pytest.raises(asyncio.InvalidStateError):
            handle.exception()
        await handle
        handle.add_done_callback(lambda _: called.append("late"))
        await stage.run_until(4.0)
        assert called == [handle.id, "late"]

    play(5.0, act=act)
