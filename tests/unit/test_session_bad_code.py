"""Nodes, hooks, tools and providers that misbehave: the culprit is named with its line, and the session goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from livekit.rtc import AudioFrame

from agent_runtime import Agent, function_tool
from agent_runtime.llm import ChatChunk, ChoiceDelta, FunctionToolCall
from agent_runtime.stt import SpeechData, SpeechEvent, SpeechEventType
from agent_runtime.testing import Answer, Stage, UserSpeech
from agent_runtime.tts import TTS, ChunkedStream, TTSCapabilities
from tests.support.play import HELLO, play

OK = Answer("OK")
AGAIN = UserSpeech(8.0, 9.0, "Again?")
HERE = "test_session_bad_code.py:"


def broken(**methods: Any) -> Callable[[], Agent]:
    """Makes an agent with these methods that misbehaves for its first turn only, where the method asks."""
    return lambda: type("Broken", (Agent,), {"good": False, **methods})(instructions="")


async def raises_at_once(self: Any, *args: Any) -> AsyncGenerator[Any, None]:
    raise ValueError("cracked")
    yield


async def yields_a_number(self: Any, *args: Any) -> AsyncGenerator[Any, None]:
    yield 42


async def returns_a_number(self: Any, *args: Any) -> int:
    return 42


def raises_in_mid_stream(name: str) -> Callable[..., Any]:
    async def node(self: Any, *args: Any) -> AsyncGenerator[Any, None]:
        async for piece in getattr(Agent.default, name)(self, *args):
            yield piece
            raise ValueError("cracked")

    return node


def only_first(method: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Does as the default does from the second time on."""

    def node(self: Any, *args: Any) -> Any:
        if self.good:
            return getattr(Agent.default, name)(self, *args)
        self.good = True
        return method(self, *args)

    return node


SPEAKING_NODES = ["llm_node", "tts_node", "transcription_node"]


@pytest.mark.parametrize("name", SPEAKING_NODES)
@pytest.mark.parametrize(
    ("method", "message"),
    [
        (raises_at_once, "ValueError: cracked"),
        (None, "ValueError: cracked"),
        (yields_a_number, "{name} of broken yielded a int; it may yield"),
        (returns_a_number, "{name} of broken returned a int; it must be an async generator"),
    ],
    ids=["at once", "mid-stream", "yields int", "returns int"],
)
def test_a_node_that_breaks_is_named_with_its_line_and_the_next_turn_is_answered(
    name: str, method: Callable[..., Any] | None, message: str
) -> None:
    agent = broken(**{name: only_first(method or raises_in_mid_stream(name), name)})
    asks_the_model_twice = name != "llm_node" or method is None
    answers = [Answer("Two words"), OK] if asks_the_model_twice else [OK]
    stage = play(16.0, HELLO, AGAIN, agent=agent, answers=answers, durations=[1.0, 1.0])
    (error,) = stage.of("error_occurred")
    assert error.data.source == f"{name} of broken"
    assert message.format(name=name) in error.data.message
    assert HERE in error.data.message
    assert stage.said()[-1] == ("assistant", "OK")
    assert stage.session.agent_state == "listening"


def test_a_recogniser_node_that_yields_a_number_is_named_with_its_line() -> None:
    stage = play(8.0, agent=broken(stt_node=yields_a_number))
    errors = stage.of("error_occurred")
    assert len(errors) == 4, "as many as max_unrecoverable_errors allows, and the one that ends the session"
    assert {e.data.source for e in errors} == {"stt_node of broken"}
    assert all("stt_node of broken yielded a int" in e.data.message and HERE in e.data.message for e in errors)
    assert stage.of("session_closed")[0].data.reason == "error"


@pytest.mark.parametrize("name", SPEAKING_NODES)
def test_a_node_that_never_ends_is_left_when_the_user_goes_on(name: str) -> None:
    async def never(self: Any, *args: Any) -> AsyncGenerator[Any, None]:
        await asyncio.sleep(1e6)
        yield

    agent = broken(**{name: only_first(never, name)})
    stage = play(20.0, HELLO, AGAIN, agent=agent, answers=[OK, OK], durations=[1.0, 1.0])
    assert stage.said()[-1] == ("assistant", "OK")
    assert stage.of("error_occurred") == []


def test_a_node_that_clings_to_its_cancellation_holds_nobody_up_for_ever() -> None:
    async def clings(self: Any, *args: Any) -> AsyncGenerator[Any, None]:
        for _ in range(2):
            try:
                await asyncio.sleep(1e6)
            except asyncio.CancelledError:
                continue
        yield "never said"

    agent = broken(llm_node=only_first(clings, "llm_node"))
    stage = play(30.0, HELLO, AGAIN, agent=agent, answers=[OK], durations=[1.0])
    assert stage.said()[-1] == ("assistant", "OK")


# --- hooks -----------------------------------------------------------------------------------------------------------


async def hangs(self: Any, *args: Any, **kwargs: Any) -> None:
    await asyncio.sleep(1e6)


def test_a_hook_that_never_ends_before_a_reply_is_given_up() -> None:
    third = UserSpeech(40.0, 41.0, "Third?")

    async def hangs_once(self: Any, turn_ctx: Any, new_message: Any) -> None:
        if not self.good:
            self.good = True
            await asyncio.sleep(1e6)

    stage = play(50.0, HELLO, third, agent=broken(on_user_turn_completed=hangs_once), answers=[OK, OK])
    (error,) = stage.of("error_occurred")
    assert (error.time, error.data.source) == (33.0, "hook on_user_turn_completed of broken")
    assert "it did not end within 30 s and the conversation waits for it" in error.data.message
    assert HERE in error.data.message
    assert stage.said()[-1] == ("assistant", "OK")


def test_a_hook_that_never_ends_before_a_handoff_is_given_up() -> None:
    async def act(stage: Stage) -> None:
        stage.session.update_agent(Agent(instructions="", id="next"))

    stage = play(60.0, UserSpeech(40.0, 41.0, "Hi"), agent=broken(on_exit=hangs), answers=[OK], act=act)
    assert [e.data.source for e in stage.of("error_occurred")] == ["hook on_exit of broken"]
    assert stage.times("agent_changed") == [0.0, 30.0]
    assert stage.said()[-1] == ("assistant", "OK")


def test_a_hook_that_speaks_for_long_is_not_given_up() -> None:
    async def speaks(self: Any) -> None:
        await self.session.say("a long goodbye")
        await asyncio.sleep(1.0)

    async def act(stage: Stage) -> None:
        stage.session.update_agent(Agent(instructions="", id="next"))

    stage = play(90.0, agent=broken(on_exit=speaks), act=act, durations=[70.0])
    assert stage.of("error_occurred") == []
    assert stage.times("agent_changed") == [0.0, 71.21]


def test_closing_ends_every_hook_that_a_turn_waits_for() -> None:
    stage = play(12.0, HELLO, AGAIN, agent=broken(on_user_turn_completed=hangs))
    assert stage.of("session_closed") != []
    assert stage.said() == []


def test_on_enter_may_go_on_for_as_long_as_it_likes() -> None:
    stage = play(60.0, HELLO, agent=broken(on_enter=hangs), answers=[OK])
    assert stage.of("error_occurred") == []
    assert stage.said()[-1] == ("assistant", "OK")


# --- tools and providers ---------------------------------------------------------------------------------------------


def test_a_tool_that_gives_what_is_no_json_is_named() -> None:
    class Odd(Agent):
        @function_tool
        async def odd(self) -> Any:
            """Odd."""
            return object()

    answers = [Answer("", [("odd", "{}")]), OK]
    stage = play(12.0, HELLO, agent=lambda: Odd(instructions=""), answers=answers, durations=[1.0])
    (error,) = stage.of("error_occurred")
    assert error.data.source == "tool odd"
    (finished,) = stage.of("tool_finished")
    assert finished.data.output == "odd returned a value of type object that can't be given as text"
    assert stage.said()[-1] == ("assistant", "OK")


def test_a_voice_at_another_rate_is_heard_in_its_true_length() -> None:
    async def slow_voice(self: Any, text: Any, model_settings: Any) -> AsyncGenerator[AudioFrame, None]:
        async for _ in text:
            pass
        yield AudioFrame(bytes(2 * 8000 * 2), 8000, 1, 16000)  # 2 s at 8 kHz
        yield AudioFrame(bytes(4 * 48000), 48000, 2, 48000)  # and 1 s at 48 kHz, in stereo

    stage = play(12.0, HELLO, agent=broken(tts_node=slow_voice), answers=[OK])
    (played,) = stage.of("playout_finished")
    assert played.data.position == pytest.approx(3.0, abs=0.01)
    assert stage.of("error_occurred") == []


def transcripts(*told: tuple[float, SpeechEventType, str]) -> Callable[[], Agent]:
    """An agent whose recogniser says so much at these times."""

    async def stt_node(self: Any, audio: Any, model_settings: Any) -> AsyncGenerator[SpeechEvent, None]:
        began = asyncio.get_running_loop().time()
        for at, kind, text in told:
            await asyncio.sleep(max(0.0, began + at - asyncio.get_running_loop().time()))
            yield SpeechEvent(type=kind, alternatives=[SpeechData(language="en", text=text)] if text else [])
        async for _ in audio:
            pass

    return broken(stt_node=stt_node)


FINAL, END = SpeechEventType.FINAL_TRANSCRIPT, SpeechEventType.END_OF_SPEECH


def test_a_final_without_an_interim_is_a_turn() -> None:
    stage = play(10.0, UserSpeech(0.5, 2.5), agent=transcripts((2.7, FINAL, "Hello")), answers=[OK], durations=[1.0])
    assert stage.said() == [("user", "Hello"), ("assistant", "OK")]
    assert stage.of("error_occurred") == []


def test_text_after_the_end_of_speech_belongs_to_the_turn_or_is_one_of_its_own() -> None:
    told = transcripts((2.7, FINAL, "Hello"), (2.8, END, ""), (2.9, FINAL, "there"), (7.0, FINAL, "Late"))
    stage = play(12.0, UserSpeech(0.5, 2.5), agent=told, answers=[OK, OK, OK], durations=[1.0, 1.0])
    assert [text for role, text in stage.said() if role == "user"] == ["Hello there", "Late"]
    assert stage.said()[-1] == ("assistant", "OK")
    assert stage.session.agent_state == "listening"


def test_a_recogniser_node_that_ends_in_silence_is_named_and_begun_again() -> None:
    async def ends(self: Any, *args: Any) -> AsyncGenerator[SpeechEvent, None]:
        return
        yield

    stage = play(16.0, HELLO, AGAIN, agent=broken(stt_node=only_first(ends, "stt_node")), answers=[OK, OK])
    (error,) = stage.of("error_occurred")
    assert error.data.source == "stt_node of broken"
    assert "stt_node of broken ended while the session goes on" in error.data.message
    assert HERE in error.data.message
    assert [text for role, text in stage.said() if role == "user"] == [HELLO.text, AGAIN.text]


# --- nothing, and too much -------------------------------------------------------------------------------------------


def test_a_model_that_gives_nothing_is_told() -> None:
    stage = play(16.0, HELLO, AGAIN, answers=[Answer(""), OK], durations=[1.0])
    (error,) = stage.of("error_occurred")
    assert (error.time, error.data.source) == (3.0, "llm")
    assert "the llm gave neither text nor a tool call" in error.data.message
    assert stage.said()[-1] == ("assistant", "OK")
    assert stage.session.agent_state == "listening"


def test_a_node_of_the_agents_own_may_be_silent() -> None:
    async def silent(self: Any, *args: Any) -> AsyncGenerator[str, None]:
        return
        yield

    stage = play(16.0, HELLO, AGAIN, agent=broken(llm_node=only_first(silent, "llm_node")), answers=[OK])
    assert stage.of("error_occurred") == []
    assert stage.said()[-1] == ("assistant", "OK")


def test_a_voice_node_without_audio_for_a_text_is_told() -> None:
    async def silent(self: Any, *args: Any) -> AsyncGenerator[AudioFrame, None]:
        return
        yield

    stage = play(16.0, HELLO, AGAIN, agent=broken(tts_node=only_first(silent, "tts_node")), answers=[OK, OK])
    (error,) = stage.of("error_occurred")
    assert error.data.source == "tts_node of broken"
    assert "gave no audio for a text" in error.data.message
    assert HERE in error.data.message
    assert stage.said()[-1] == ("assistant", "OK")


class Pushes(TTS):
    """A voice that gives this for the text OK, and a second of silence for any other."""

    def __init__(self, audio: Any) -> None:
        super().__init__(capabilities=TTSCapabilities(streaming=False), sample_rate=24000, num_channels=1)
        self.audio = audio

    def synthesize(self, text: str, *, conn_options: Any = None) -> ChunkedStream:
        return _Pushed(tts=self, input_text=text, conn_options=conn_options)


class _Pushed(ChunkedStream):
    async def _run(self, output_emitter: Any) -> None:
        output_emitter.initialize(request_id="it", sample_rate=24000, num_channels=1, mime_type="audio/pcm")
        audio = self._tts.audio if self.input_text == "OK" else bytes(48000)  # type: ignore[attr-defined]  # a Pushes
        if isinstance(audio, Exception):
            raise audio
        output_emitter.push(audio)
        output_emitter.flush()


@pytest.mark.parametrize(
    ("audio", "message"),
    [("text", "can't concat str to bytearray"), (ValueError("cracked"), "ValueError: cracked")],
    ids=["text", "raises"],
)
def test_a_voice_that_breaks_is_told_once(audio: Any, message: str) -> None:
    stage = play(16.0, HELLO, AGAIN, tts=Pushes(audio), answers=[OK, Answer("Fine")])
    (error,) = stage.of("error_occurred")
    assert error.data.source == "tts"
    assert message in error.data.message
    assert HERE in error.data.message
    assert stage.said()[-1] == ("assistant", "Fine")


def test_half_a_sample_at_the_end_of_the_audio_is_left_out() -> None:
    stage = play(16.0, HELLO, tts=Pushes(bytes(48001)), answers=[OK])
    (played,) = stage.of("playout_finished")
    assert played.data.position == pytest.approx(1.0, abs=0.03)
    assert stage.of("error_occurred") == []
    assert stage.said()[-1] == ("assistant", "OK")


@pytest.mark.parametrize("audio", [b"", b"\0"], ids=["no bytes", "half a sample"])
def test_a_voice_without_audio_is_tried_again_and_told(audio: bytes) -> None:
    stage = play(20.0, HELLO, AGAIN, tts=Pushes(audio), answers=[OK, Answer("Fine")])
    errors = stage.of("error_occurred")
    assert [error.data.recoverable for error in errors] == [True, True, True, False]
    assert {error.data.source for error in errors} == {"tts"}
    assert "gave no audio for the text 'OK'" in errors[-1].data.message
    assert stage.said()[-1] == ("assistant", "Fine")


def test_calls_of_one_id_are_told_apart() -> None:
    class Twice(Agent):
        ran: tuple[int, ...] = ()

        @function_tool
        async def note(self, number: int) -> str:
            """Note a number."""
            self.ran += (number,)
            return f"noted {number}"

        async def llm_node(self, chat_ctx: Any, tools: Any, model_settings: Any) -> AsyncGenerator[Any, None]:
            if self.ran:
                yield "Done"
                return
            calls = [FunctionToolCall(name="note", arguments=f'{{"number": {n}}}', call_id="same") for n in (1, 2)]
            yield ChatChunk(id="it", delta=ChoiceDelta(role="assistant", tool_calls=calls))

    stage = play(16.0, HELLO, agent=lambda: Twice(instructions=""))
    (error,) = stage.of("error_occurred")
    assert error.data.source == "llm_node of twice"
    assert "gave two calls the id 'same'" in error.data.message
    assert HERE in error.data.message
    items = stage.session.history.items
    calls = {item.call_id: item.arguments for item in items if item.type == "function_call"}
    outputs = {item.call_id: item.output for item in items if item.type == "function_call_output"}
    assert {calls[call_id]: output for call_id, output in outputs.items()} == {
        '{"number": 1}': "noted 1",
        '{"number": 2}': "noted 2",
    }
    assert stage.said()[-1] == ("assistant", "Done")


def test_a_tool_that_nobody_has_is_answered_with_those_there_are() -> None:
    stage = play(16.0, HELLO, answers=[Answer("", [("nobody_has_it", "{}")]), OK])
    (finished,) = stage.of("tool_finished")
    assert finished.data.output.startswith("Unknown function: nobody_has_it")
    assert finished.data.is_error
    assert stage.said()[-1] == ("assistant", "OK")


@pytest.mark.parametrize("name", ["on_enter", "on_exit", "on_user_turn_completed"])
def test_a_hook_that_is_no_coroutine_is_named_with_its_line(name: str) -> None:
    async def yields(self: Any, *args: Any, **kwargs: Any) -> AsyncGenerator[int, None]:
        yield 1

    for hook, kind in ((lambda self, *args, **kwargs: None, "NoneType"), (yields, "async_generator")):
        stage = play(6.0, HELLO, agent=broken(**{name: hook}), answers=[OK])
        (error,) = stage.of("error_occurred")
        assert error.data.source == f"hook {name} of broken"
        assert f"{name} of broken gave a {kind}; it must be `async def`" in error.data.message
        assert HERE in error.data.message
