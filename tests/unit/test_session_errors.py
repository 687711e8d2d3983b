"""Failures of providers and of the user's own code: named, told, and survived."""

from __future__ import annotations

from typing import Any

import pytest

from agent_runtime import Agent, APIConnectionError, APIConnectOptions, SessionConnectOptions
from agent_runtime.testing import Answer, Stage, UserSpeech
from tests.support.play import HELLO, play

OK = Answer("OK")
NO_RETRY = SessionConnectOptions(
    stt_conn_options=APIConnectOptions(max_retry=0),
    llm_conn_options=APIConnectOptions(max_retry=0),
    tts_conn_options=APIConnectOptions(max_retry=0),
)


def broken() -> Answer:
    return Answer("", error=APIConnectionError("no line", retryable=False))


def test_a_failing_model_is_reported_and_the_next_turn_works() -> None:
    async def act(stage: Stage) -> None:
        handle = stage.session.generate_reply(user_input="one")
        await handle
        assert isinstance(handle.exception(), APIConnectionError)
        stage.session.send_text("two")

    stage = play(5.0, act=act, answers=[broken(), OK], conn_options=NO_RETRY, durations=[1.0])
    assert stage.said()[-1] == ("assistant", "OK")
    (error,) = stage.of("error_occurred")
    assert (error.data.source, error.data.recoverable) == ("llm", False)
    assert error.data.message == "no line"
    (told,) = [p for _, name, p in stage.callbacks if name == "error"]
    assert told.error.recoverable is False
    assert told.source is stage.llm
    assert stage.session.agent_state == "listening"


def test_too_many_failures_in_a_row_close_the_session() -> None:
    async def act(stage: Stage) -> None:
        for _ in range(4):
            await stage.session.generate_reply(user_input="one")

    stage = play(9.0, act=act, answers=[broken() for _ in range(4)], conn_options=NO_RETRY)
    (closed,) = stage.of("session_closed")
    assert closed.data.reason == "error"
    assert "no line" in (closed.data.error or "")


def test_success_forgives_failures() -> None:
    async def act(stage: Stage) -> None:
        for _ in range(7):
            await stage.session.generate_reply(user_input="one")

    answers = [broken(), broken(), broken(), OK, broken(), broken(), broken()]
    stage = play(30.0, act=act, answers=answers, conn_options=NO_RETRY, durations=[1.0])
    assert stage.times("session_closed") == [30.0]


def test_a_failing_voice_keeps_what_was_heard() -> None:
    async def act(stage: Stage) -> None:
        stage.tts.error = APIConnectionError("no voice", retryable=False)
        handle = stage.session.say("Hello")
        await handle
        assert isinstance(handle.exception(), APIConnectionError)

    stage = play(5.0, act=act, conn_options=NO_RETRY)
    assert stage.of("error_occurred")[0].data.source == "tts"
    assert stage.said() == []


def test_without_a_model_it_says_what_is_missing() -> None:
    stage = play(5.0, HELLO, llm=None)
    assert stage.said() == [("user", HELLO.text)]
    (error,) = stage.of("error_occurred")
    assert "there is no llm: give one to AgentSession(llm=…)" in error.data.message


def test_without_a_voice_it_answers_as_text() -> None:
    stage = play(5.0, HELLO, answers=[OK], tts=None)
    assert stage.said() == [("user", HELLO.text), ("assistant", "OK")]
    assert stage.transcript.text == "OK"


@pytest.mark.parametrize("hook", ["on_enter", "on_user_turn_completed", "on_exit"])
def test_a_hook_that_raises_is_named_with_its_line(hook: str) -> None:
    async def fail(self: Agent, *args: Any, **kwargs: Any) -> None:
        raise KeyError("missing")

    Broken = type("Broken", (Agent,), {hook: fail})
    stage = play(8.0, HELLO, agent=lambda: Broken(instructions=""), answers=[OK])
    (error,) = stage.of("error_occurred")
    assert error.data.source == f"hook {hook} of broken"
    assert "test_session_errors.py:" in error.data.message
    assert "KeyError" in error.data.details


def test_a_handler_reads_an_error_of_code_as_it_reads_a_providers() -> None:
    class Clumsy(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="Trip.")

        async def on_enter(self) -> None:
            raise ZeroDivisionError("oops")

    stage = play(1.0, agent=Clumsy)
    (told,) = [p for _, name, p in stage.callbacks if name == "error"]
    assert told.error.recoverable is True
    assert isinstance(told.error.error, ZeroDivisionError)
    assert told.error.label.startswith("hook on_enter")
    assert told.model_dump()["error"]["type"] == "code_error"


def test_a_node_that_raises_is_named_with_its_line() -> None:
    class Broken(Agent):
        async def llm_node(self, chat_ctx: Any, tools: Any, model_settings: Any) -> Any:
            yield "So far"
            raise ValueError("cracked")

    stage = play(8.0, HELLO, agent=lambda: Broken(instructions=""), durations=[1.0])
    (error,) = stage.of("error_occurred")
    assert error.data.source == "llm_node of broken"
    assert "cracked" in error.data.message
    assert "test_session_errors.py:" in error.data.message
    assert stage.session.agent_state == "listening"


def test_a_node_that_yields_the_wrong_type_is_told() -> None:
    class Broken(Agent):
        async def llm_node(self, chat_ctx: Any, tools: Any, model_settings: Any) -> Any:
            yield 42

    stage = play(8.0, HELLO, agent=lambda: Broken(instructions=""))
    (error,) = stage.of("error_occurred")
    assert "llm_node of broken yielded a int" in error.data.message


def test_a_recogniser_that_fails_is_started_again() -> None:
    class Flaky(Agent):
        failures = 0

        async def stt_node(self, audio: Any, model_settings: Any) -> Any:
            async for event in Agent.default.stt_node(self, audio, model_settings):
                yield event
                Flaky.failures += 1
                if Flaky.failures == 1:
                    raise ConnectionError("gone")

    second = UserSpeech(6.0, 7.0, "Still there?")
    stage = play(12.0, HELLO, second, agent=lambda: Flaky(instructions=""), answers=[OK, OK], durations=[1.0, 1.0])
    assert [text for role, text in stage.said() if role == "user"] == [HELLO.text, "Still there?"]
    assert [e.data.source for e in stage.of("error_occurred")] == ["stt_node of flaky"]


def test_a_recogniser_that_always_fails_ends_the_session_and_does_not_spin() -> None:
    class Deaf(Agent):
        async def stt_node(self, audio: Any, model_settings: Any) -> Any:
            raise ConnectionError("gone")
            yield

    stage = play(30.0, agent=lambda: Deaf(instructions=""))
    assert stage.times("error_occurred") == [0.0, 0.1, 0.3, 0.7]
    assert stage.of("session_closed")[0].data.reason == "error"


def test_a_detector_that_fails_is_started_again() -> None:
    from agent_runtime.testing import ScriptedVAD
    from agent_runtime.vad import VADStream

    class Flaky(ScriptedVAD):
        streams = 0

        def stream(self) -> VADStream:
            self.streams += 1
            if self.streams == 1:
                raising = super().stream()
                raising._event_ch.close()
                raising._task.add_done_callback(lambda _: None)

                async def fail() -> Any:
                    raise RuntimeError("no ears")

                raising.__class__ = type("Raising", (type(raising),), {"__anext__": lambda self: fail()})
                return raising
            return super().stream()

    stage = play(8.0, HELLO, vad=Flaky([HELLO]), answers=[OK])
    assert [e.data.source for e in stage.of("error_occurred")] == ["vad"]
    assert stage.said()[-1] == ("assistant", "OK")


def test_a_listener_that_raises_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def act(stage: Stage) -> None:
        def fail(event: Any) -> None:
            raise RuntimeError("listener")

        stage.session.on("agent_state_changed", fail)

    stage = play(8.0, HELLO, answers=[OK], act=act)
    assert stage.said()[-1] == ("assistant", "OK")
    assert "listener" in caplog.text
