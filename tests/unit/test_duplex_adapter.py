"""A duplex model as a realtime model: what it says cut into answers, and what it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from agent_runtime.llm import (
    AgentConfigUpdate,
    AgentHandoff,
    ChatContext,
    ChatMessage,
    DuplexAudioFrame,
    DuplexRealtimeAdapter,
    FixedGate,
    FunctionCallOutput,
    GenerationCreatedEvent,
    InputTranscriptionCompleted,
    RealtimeError,
    RealtimeModelError,
    RealtimeSession,
    RealtimeSessionReconnectedEvent,
)
from agent_runtime.testing import in_virtual_time
from agent_runtime.types import NOT_GIVEN, TimedString
from tests.support.duplex import FakeDuplexModel, FakeDuplexSession, sound


@dataclass
class Heard:
    """An answer, as it was heard."""

    began: float
    user_initiated: bool
    words: list[str] = field(default_factory=list)
    seconds: float = 0.0
    calls: list[str] = field(default_factory=list)
    ended: float = 0.0

    @property
    def text(self) -> str:
        return "".join(self.words)


@dataclass
class Talk:
    session: RealtimeSession[Any]
    duplex: FakeDuplexSession
    answers: list[Heard] = field(default_factory=list)
    errors: list[RealtimeModelError] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


@asynccontextmanager
async def talk(model: FakeDuplexModel | None = None, **options: Any) -> AsyncIterator[Talk]:
    model = model or FakeDuplexModel()
    session = DuplexRealtimeAdapter(model, **options).session()
    talk = Talk(session, model.sessions[-1])
    session.on("generation_created", lambda event: _listen(talk, event))
    session.on("error", talk.errors.append)
    yield talk
    await session.aclose()
    await asyncio.gather(*talk.tasks)


def _listen(talk: Talk, event: GenerationCreatedEvent) -> None:
    now = asyncio.get_running_loop().time
    heard = Heard(round(now(), 3), event.user_initiated)
    talk.answers.append(heard)

    async def calls() -> None:
        async for call in event.function_stream:
            heard.calls.append(call.name)

    async def text(message: Any) -> None:
        async for words in message.text_stream:
            heard.words.append(words)

    async def listen() -> None:
        calling = asyncio.create_task(calls())
        async for message in event.message_stream:
            reading = asyncio.create_task(text(message))
            async for frame in message.audio_stream:
                heard.seconds = round(heard.seconds + frame.duration, 3)
            await reading
        await calling
        heard.ended = round(now(), 3)

    talk.tasks.append(asyncio.create_task(listen()))


@in_virtual_time
async def test_what_is_said_in_one_go_is_one_answer():
    async with talk() as parts:
        await asyncio.sleep(1.01)
        parts.duplex.speak("Hello there", 2.0)
        await asyncio.sleep(4.0)
        [answer] = parts.answers
        assert (answer.text, answer.user_initiated) == ("Hello there", False)
        # The gate closes after half a second of silence, which is part of what was sent before.
        assert (answer.began, answer.ended, answer.seconds) == (1.02, 3.5, 2.48)
        first, second = answer.words
        assert isinstance(first, TimedString)
        assert isinstance(second, TimedString)
        assert (first.start_time, first.end_time, second.start_time, second.end_time) == (0.0, 1.0, 1.0, 2.0)
        [message] = parts.session.chat_ctx.messages()
        assert (message.role, message.text_content) == ("assistant", "Hello there")


@in_virtual_time
async def test_words_come_no_sooner_than_shortly_before_their_sound():
    async with talk() as parts:
        await asyncio.sleep(0.01)
        parts.duplex.speak("one two three four", 4.0)
        await asyncio.sleep(1.5)
        assert parts.answers[0].text == "one two"
        await asyncio.sleep(0.3)
        assert parts.answers[0].text == "one two three"


@in_virtual_time
async def test_two_utterances_are_two_answers_and_each_has_its_words():
    async with talk() as parts:
        await asyncio.sleep(0.01)
        parts.duplex.speak("First one.", 1.0)
        parts.duplex.speak("", 1.0, level=0)
        parts.duplex.speak("Second one.", 1.0)
        await asyncio.sleep(5.0)
        assert [answer.text for answer in parts.answers] == ["First one.", "Second one."]


@in_virtual_time
async def test_words_without_times_go_to_what_is_being_said():
    async with talk() as parts:
        await asyncio.sleep(0.01)
        parts.duplex.words("Hello")
        parts.duplex.speak(seconds=1.0)
        await asyncio.sleep(0.5)
        assert parts.answers[0].words == ["Hello"]


@in_virtual_time
async def test_words_of_sound_that_is_over_are_no_part_of_what_follows():
    async with talk() as parts:
        await asyncio.sleep(0.01)
        parts.duplex.speak("Well", 1.0)
        await asyncio.sleep(3.0)
        parts.duplex.words(" now.", 5900, 6000)
        parts.duplex.speak("Next.", 1.0)
        await asyncio.sleep(3.0)
        assert [(answer.text, answer.seconds > 0) for answer in parts.answers] == [
            ("Well", True),
            (" now.", False),
            ("Next.", True),
        ]


@in_virtual_time
async def test_words_for_which_no_sound_comes_are_shown_all_the_same(caplog: pytest.LogCaptureFixture):
    async with talk() as parts:
        await asyncio.sleep(0.01)
        parts.duplex.words("Hello?")
        await asyncio.sleep(2.9)
        assert parts.answers == []
        await asyncio.sleep(0.2)
        assert [(answer.text, answer.seconds) for answer in parts.answers] == [("Hello?", 0.0)]
        assert "sent no sound" in caplog.text
        assert parts.session.chat_ctx.messages()[0].text_content == "Hello?"


@in_virtual_time
async def test_a_model_that_sends_nothing_while_it_is_silent_is_waited_for():
    async with talk(FakeDuplexModel(streams_silence=False, gate=FixedGate(0.001)), audio_timeout=0.3) as parts:
        await asyncio.sleep(0.01)
        parts.duplex.speak("Hi", 1.0)
        await asyncio.sleep(2.0)
        assert parts.answers[0].ended == pytest.approx(1.02 + 0.3, abs=0.021)
        assert parts.answers[0].seconds == 1.0


@in_virtual_time
async def test_a_call_is_part_of_what_is_said_or_an_answer_of_its_own():
    async with talk() as parts:
        await asyncio.sleep(0.51)
        parts.duplex.call("alone")
        await asyncio.sleep(0.1)
        assert [(answer.calls, answer.text) for answer in parts.answers] == [(["alone"], "")]
        parts.duplex.speak("One moment.", 1.0)
        await asyncio.sleep(0.5)
        parts.duplex.call("along")
        await asyncio.sleep(2.0)
        assert [(answer.calls, answer.text) for answer in parts.answers[1:]] == [(["along"], "One moment.")]
        assert [item.type for item in parts.session.chat_ctx.items].count("function_call") == 2


@in_virtual_time
async def test_the_times_of_words_never_go_back():
    async with talk(FakeDuplexModel(gate=FixedGate(0.001))) as parts:
        parts.duplex.words("one", 5000, 5400)
        parts.duplex.words(" two", 5200, 5300)
        parts.duplex.words(" three", 5100)
        parts.duplex.speak(seconds=1.0)
        await asyncio.sleep(1.0)
        times = [(word.start_time, word.end_time) for word in parts.answers[0].words if isinstance(word, TimedString)]
        assert times == [(0.0, 0.4), (0.4, 0.4), (0.4, NOT_GIVEN)]


@in_virtual_time
async def test_words_that_an_utterance_does_not_reach_are_for_the_next_within_three_seconds():
    async with talk(FakeDuplexModel(gate=FixedGate(0.001))) as parts:
        parts.duplex.speak("now", 2.0)
        parts.duplex.words("later", 9000)
        await asyncio.sleep(2.5 + 2.9)
        assert [answer.text for answer in parts.answers] == ["now"]
        await asyncio.sleep(0.2)
        assert [answer.text for answer in parts.answers] == ["now", "later"]


@in_virtual_time
async def test_after_a_silence_without_sound_the_gate_opens_anew():
    model = FakeDuplexModel(streams_silence=False, gate=FixedGate(0.01))
    async with talk(model) as parts:
        parts.duplex.speak(seconds=0.2, level=1200)
        await asyncio.sleep(2.0)
        parts.duplex.speak(seconds=0.2, level=700)
        await asyncio.sleep(2.0)
        assert [answer.seconds for answer in parts.answers] == [0.2]


# --- replies that are asked for ---------------------------------------------------------------------------------------


@in_virtual_time
async def test_the_next_speech_is_the_reply_that_was_asked_for():
    async with talk() as parts:
        await asyncio.sleep(0.51)
        asked = parts.session.generate_reply(instructions="Greet.")
        parts.duplex.call("look")
        await asyncio.sleep(0.1)
        assert not asked.done()
        parts.duplex.speak("Hello.")
        await asyncio.sleep(0.1)
        assert asked.result().user_initiated
        assert [answer.user_initiated for answer in parts.answers] == [False, True]
        assert parts.duplex.told == [("asked", "Greet.")]
        await asyncio.sleep(3.0)
        parts.duplex.speak("Still there?")
        await asyncio.sleep(0.1)
        assert not parts.answers[-1].user_initiated


@in_virtual_time
async def test_a_model_has_ten_seconds_to_speak():
    async with talk() as parts:
        asked = parts.session.generate_reply()
        await asyncio.sleep(9.9)
        assert not asked.done()
        await asyncio.sleep(0.2)
        with pytest.raises(RealtimeError, match="within 10 s"):
            asked.result()


@pytest.mark.parametrize(
    ("what", "message"),
    [("ask", "another reply"), ("reconnect", "connection was lost"), ("close", "session was closed")],
)
@in_virtual_time
async def test_a_reply_that_will_not_come_is_refused(what: str, message: str):
    async with talk() as parts:
        asked = parts.session.generate_reply()
        if what == "ask":
            parts.session.generate_reply().add_done_callback(lambda future: future.exception())
        elif what == "reconnect":
            parts.duplex.emit("session_reconnected", RealtimeSessionReconnectedEvent())
        else:
            await parts.session.aclose()
        with pytest.raises(RealtimeError, match=message):
            asked.result()


@in_virtual_time
async def test_a_model_that_cannot_be_asked_says_so():
    async with talk(FakeDuplexModel(can_be_asked=False)) as parts:
        with pytest.raises(RealtimeError, match="can't be asked to speak"):
            await parts.session.generate_reply()


@in_virtual_time
async def test_a_reconnection_ends_what_is_said_and_forgets_words_that_wait():
    async with talk() as parts:
        reconnected: list[object] = []
        parts.session.on("session_reconnected", reconnected.append)
        await asyncio.sleep(0.01)
        parts.duplex.speak("one two three four", 4.0)
        await asyncio.sleep(0.5)
        parts.duplex.emit("session_reconnected", RealtimeSessionReconnectedEvent())
        await asyncio.sleep(0.0)
        assert parts.answers[0].text == "one"
        await asyncio.sleep(1.0)
        assert (len(reconnected), parts.answers[1].text) == (1, "")


@in_virtual_time
async def test_after_a_reconnection_the_times_of_words_begin_anew():
    async with talk(FakeDuplexModel(gate=FixedGate(0.001))) as parts:
        parts.duplex.speak("First.", 1.0)
        await asyncio.sleep(2.0)
        parts.duplex.emit("session_reconnected", RealtimeSessionReconnectedEvent())
        parts.duplex.words("Again.", 100)
        parts.duplex.speak(seconds=1.0)
        await asyncio.sleep(2.0)
        assert [(answer.text, answer.seconds > 0) for answer in parts.answers] == [("First.", True), ("Again.", True)]


# --- the conversation -------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_the_model_is_told_only_what_is_new(caplog: pytest.LogCaptureFixture):
    async with talk() as parts:
        context = ChatContext.empty()
        context.add_message(role="user", content="Hello")
        context.items.append(AgentHandoff(new_agent_id="other"))
        await parts.session._update_session(instructions="Be brief.", chat_ctx=context, tools=[])
        assert parts.duplex.told == ["Be brief.", ["Hello"], set()]
        assert parts.duplex._configured.is_set()
        parts.duplex.told.clear()
        await parts.session.update_chat_ctx(context)
        assert parts.duplex.told == []
        context.add_message(role="system", content="Be polite.")
        context.items.append(AgentConfigUpdate(instructions="Be polite."))
        await parts.session.update_chat_ctx(context)
        assert parts.duplex.told == []
        context.items.append(FunctionCallOutput(call_id="call_1", output="sunny", is_error=False))
        await parts.session.update_chat_ctx(context)
        assert parts.duplex.told == [["sunny"]]
        await parts.session._update_session(chat_ctx=context)
        assert parts.duplex.told == [["sunny"]]
        assert caplog.text == ""


@pytest.mark.parametrize(
    ("role", "change", "warned"),
    [("user", "edit", True), ("user", "remove", True), ("assistant", "edit", False), ("assistant", "remove", False)],
)
@in_virtual_time
async def test_a_duplex_model_forgets_nothing(role: Any, change: str, warned: bool, caplog: pytest.LogCaptureFixture):
    async with talk() as parts:
        message = ChatMessage(role=role, content=["one two"])
        await parts.session._update_session(chat_ctx=ChatContext([message]))
        changed = message.model_copy(update={"content": ["one"]})
        await parts.session.update_chat_ctx(ChatContext([changed] if change == "edit" else []))
        assert ("forgets nothing" in caplog.text) is warned
        assert parts.duplex.told == [["one two"]]


@in_virtual_time
async def test_what_the_user_said_is_in_the_conversation_under_the_models_name():
    async with talk() as parts:
        events: list[Any] = []
        parts.session.on("input_audio_transcription_completed", events.append)
        parts.duplex.user_stops("Hello", "user_7")
        [message] = parts.session.chat_ctx.messages()
        assert (message.id, message.role, message.text_content) == ("user_7", "user", "Hello")
        assert [event.item_id for event in events] == ["user_7"]
        late = InputTranscriptionCompleted(item_id="user_8", transcript="Hm", is_final=True, turn_started_at=7.0)
        parts.duplex.emit("input_audio_transcription_completed", late)
        interim = InputTranscriptionCompleted(item_id="user_9", transcript="And", is_final=False)
        parts.duplex.emit("input_audio_transcription_completed", interim)
        assert [(m.id, m.created_at == 7.0) for m in parts.session.chat_ctx.messages()] == [
            ("user_8", True),
            ("user_7", False),
        ]


@in_virtual_time
async def test_a_model_that_refuses_its_configuration_is_closed():
    async with talk() as parts:

        async def refuse(_: str) -> None:
            raise ValueError("too long")

        parts.duplex._update_instructions = refuse  # type: ignore[method-assign]  # as a provider's would
        with pytest.raises(ValueError, match="too long"):
            await parts.session._update_session(instructions="…")
        assert parts.duplex.told == ["closed"]
        assert parts.duplex._closing
        assert parts.duplex._configured.is_set()


@in_virtual_time
async def test_sound_that_fails_is_an_error_from_which_there_is_no_way_back():
    async with talk() as parts:
        parts.duplex.failure = ConnectionError("gone")
        await asyncio.sleep(0.1)
        [error] = parts.errors
        assert (str(error.error), error.recoverable) == ("gone", False)
        assert error.label == "tests.support.duplex.FakeDuplexModel"


@in_virtual_time
async def test_sound_that_ends_by_itself_is_one_too():
    async with talk() as parts:
        parts.duplex._ticker.cancel()
        await asyncio.sleep(0.1)
        parts.duplex._stream.close()
        await asyncio.sleep(0.1)
        [error] = parts.errors
        assert "ended before the session" in str(error.error)
        assert not error.recoverable


@in_virtual_time
async def test_closing_ends_what_is_said_and_survives_a_provider_that_fails(caplog: pytest.LogCaptureFixture):
    async with talk() as parts:

        async def fail() -> None:
            raise OSError("no route")

        await asyncio.sleep(0.01)
        parts.duplex.speak("Hello", 5.0)
        await asyncio.sleep(1.0)
        parts.duplex.aclose = fail  # type: ignore[method-assign]  # as a provider's would
        await parts.session.aclose()
        await asyncio.sleep(0.0)
        assert parts.answers[0].ended == pytest.approx(1.01)
        assert "didn't close properly" in caplog.text
        parts.duplex._ticker.cancel()


async def test_what_a_duplex_model_can_do():
    model = FakeDuplexModel(mutable_tools=True, user_transcription=False)
    async with DuplexRealtimeAdapter(model) as adapter:
        can = adapter.capabilities
        assert can.turn_detection
        assert can.supports_overlapping_speech
        assert can.audio_output
        assert can.auto_tool_reply_generation
        assert can.mutable_tools
        cannot = ("user_transcription", "message_truncation", "manual_function_calls", "supports_say")
        assert not any(getattr(can, name) for name in (*cannot, "mutable_instructions", "mutable_chat_context"))
        assert (adapter.model, adapter.provider, adapter.duplex_model) == ("fake-duplex", "fake", model)
    assert model.closed


async def test_a_frame_that_tells_its_place_in_time_sets_the_clock():
    model = FakeDuplexModel(streams_silence=False, gate=FixedGate(0.001))
    async with talk(model) as parts:
        parts.duplex.words("Hi", 0)
        parts.duplex._stream.send_nowait(DuplexAudioFrame(sound(), start_ms=7000))
        await asyncio.sleep(0.01)
        parts.duplex.words(" you", 1300)
        parts.duplex.words(" there", 1400)
        parts.duplex._stream.send_nowait(DuplexAudioFrame(sound(), start_ms=8000))
        await asyncio.sleep(0.01)
        assert parts.answers[0].text == "Hi you"
