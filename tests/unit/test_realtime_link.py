"""What a realtime model is told and given to hear, and when; in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

from livekit.rtc import AudioFrame

from agent_runtime import Agent
from agent_runtime.llm import FunctionCall, GenerationCreatedEvent, MessageGeneration
from agent_runtime.testing import (
    Answer,
    ScriptedAudioInput,
    ScriptedRealtimeSession,
    ScriptedSTT,
    ScriptedTTS,
    ScriptedVAD,
    UserSpeech,
    in_virtual_time,
)
from agent_runtime.utils import aio
from tests.support.realtime import HELLO, session_of, talk

MANUAL: dict[str, Any] = {"vad": None, "turn_handling": {"turn_detection": "manual"}}


class Loud(ScriptedAudioInput):
    """A microphone that hears something."""

    def __init__(self) -> None:
        super().__init__()
        count = self._frame.samples_per_channel
        self._frame = AudioFrame(b"\x01\x02" * count, self._frame.sample_rate, 1, count)


def loud(remote: ScriptedRealtimeSession) -> list[bool]:
    """Of each frame that the model was given, whether anything is to be heard."""
    return [any(bytes(frame.data)) for frame in remote.frames]


@in_virtual_time
async def test_a_reply_is_asked_for_once_the_model_knows_everything():
    async with talk([]) as (stage, model):
        await stage.run_until(0.1)
        remote = session_of(model)

        async def slow(instructions: str) -> None:
            await asyncio.sleep(1.0)
            remote.instructions = instructions

        remote.update_instructions = slow  # type: ignore[method-assign]  # a connection that takes its time
        await stage.session.current_agent.update_instructions("Be long.")
        stage.session.generate_reply()
        await stage.run_until(3.0)
        assert stage.times("playout_started") == [1.2]


@in_virtual_time
async def test_one_reply_is_asked_for_at_a_time():
    async with talk([], [Answer("One."), Answer("Two.")], durations=[2.0, 2.0]) as (stage, model):
        first, second = stage.session.generate_reply(), stage.session.generate_reply()
        await stage.run_until(1.0)
        assert len(session_of(model).asked_instructions) == 1
        await second
        assert first.done()
        assert [text for role, text in stage.said() if role == "assistant"] == ["One.", "Two."]


@in_virtual_time
async def test_a_vad_of_ones_own_tells_what_the_user_does():
    async with talk(vad=ScriptedVAD([HELLO])) as (stage, _):
        await stage.run_until(6.0)
        assert stage.times("user_state_changed", new="speaking") == [0.55]
        assert [event.cause for event in stage.of("turn_committed")] == ["realtime_llm"]


@in_virtual_time
async def test_a_model_that_transcribes_needs_no_recogniser():
    stt = ScriptedSTT([HELLO])
    async with talk(stt=stt) as (stage, _):
        await stage.run_until(6.0)
        assert stt.frames == []
        assert [role for role, _ in stage.said() if role == "user"] == ["user"]


@in_virtual_time
async def test_an_answer_while_another_agent_takes_over_is_stopped():
    class Slow(Agent):
        async def on_exit(self) -> None:
            await asyncio.sleep(2.0)

    async with talk(agent=Slow(instructions="")) as (stage, model):
        await stage.run_until(2.0)
        stage.session.update_agent(Agent(instructions="", id="next"))
        await stage.run_until(3.5)
        assert session_of(model).interrupts == 1
        assert not stage.of("speech_created")
        await stage.run_until(5.0)
        assert stage.session.current_agent.id == "next"


@in_virtual_time
async def test_an_answer_that_is_still_being_made_is_stopped():
    async with talk([], [Answer("Hi.", ttft=2.0)]) as (stage, model):
        stage.session.generate_reply()
        await stage.run_until(1.0)
        await stage.session.interrupt()
        assert session_of(model).interrupts == 1


@in_virtual_time
async def test_the_wait_for_the_first_sound_is_the_models():
    class Late(Agent):
        async def realtime_audio_output_node(self, audio: Any, model_settings: Any) -> Any:
            async for frame in audio:
                await asyncio.sleep(0.3)
                yield frame

    async with talk(agent=Late(instructions="")) as (stage, _):
        await stage.run_until(6.0)
        measured: Any = stage.of("turn_measured")[0].data
        assert [(part.name, round(part.end - part.start, 3)) for part in measured.parts] == [("llm", 0.4)]


@in_virtual_time
async def test_the_model_knows_what_a_voice_said_for_it():
    async with talk([], tts=ScriptedTTS([1.0])) as (stage, model):
        await stage.session.say("Good morning")
        await stage.run_until(3.0)
        assert [m.text_content for m in session_of(model).chat_ctx.messages()] == ["Good morning"]


def two_messages(*, finished: bool = True) -> GenerationCreatedEvent:
    """An answer of two messages, two seconds each; the second may be one that the model still writes."""
    messages: aio.Chan[MessageGeneration] = aio.Chan()
    calls: aio.Chan[FunctionCall] = aio.Chan()
    for name in ("first", "second"):
        text: aio.Chan[str] = aio.Chan()
        audio: aio.Chan[AudioFrame] = aio.Chan()
        known: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        known.set_result(["audio", "text"])
        text.send_nowait(f"{name} message")
        audio.send_nowait(AudioFrame(bytes(2 * 48000), 24000, 1, 48000))
        messages.send_nowait(MessageGeneration(name, text, audio, known))
        audio.close()
        if finished or name == "first":
            text.close()
    messages.close()
    calls.close()
    return GenerationCreatedEvent(messages, calls, user_initiated=False)


@in_virtual_time
async def test_each_message_of_an_answer_is_kept_and_cut_by_itself():
    async with talk([]) as (stage, model):
        session_of(model).emit("generation_created", two_messages())
        await stage.run_until(3.5)
        await stage.session.interrupt()
        messages = [m for m in stage.session.history.messages() if m.role == "assistant"]
        assert [(m.id, m.text_content, m.interrupted) for m in messages] == [
            ("first", "first message", False),
            ("second", "second", True),
        ]
        assert session_of(model).truncations == [("second", 1500, "second")]
        heard = [event.data for event in stage.of("agent_heard")]
        assert [(data.item_id, data.text) for data in heard][-1] == ("second", "second")  # type: ignore[union-attr]


@in_virtual_time
async def test_of_an_answer_in_text_only_what_was_cut_is_forgotten():
    async with talk([], speaker=False) as (stage, model):
        session_of(model).emit("generation_created", two_messages(finished=False))
        await stage.run_until(1.0)
        await stage.session.interrupt()
        assert session_of(model).truncations == [("second", 0, "second message")]


@in_virtual_time
async def test_push_to_talk_lets_the_model_hear_from_just_before_the_press_to_the_release():
    async with talk([UserSpeech(1.0, 2.0, "Hello")], **MANUAL) as (stage, model):
        talking, remote = stage.session.push_to_talk, session_of(model)
        talking.press()
        talking.discard()
        await stage.run_until(1.0)
        before, clears = len(remote.frames), remote.clears
        assert before <= 1
        talking.press()
        assert remote.clears == clears + 1
        assert len(remote.frames) - before == 6  # 0.3 s of 50 ms each
        await stage.run_until(2.025)
        talking.send()
        at_release = len(remote.frames)
        await stage.run_until(4.0)
        assert len(remote.frames) == at_release == before + 6 + 20


@in_virtual_time
async def test_what_may_be_the_agents_own_echo_is_silence_to_the_model():
    async with talk([], **MANUAL) as (stage, model):
        stage.session.input.audio = Loud()
        await stage.run_until(0.5)
        remote = session_of(model)
        assert loud(remote)[-1]
        speech = stage.session.generate_reply(allow_interruptions=False)
        await stage.run_until(1.5)
        assert not loud(remote)[-1]
        await speech
        await stage.run_until(4.0)
        assert loud(remote)[-1]
