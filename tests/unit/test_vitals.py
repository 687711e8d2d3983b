"""How the parts around a conversation do, as events: circuits, tokens, recognised seconds, echo, the loop's lag."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from agent_runtime import Agent, APIConnectionError, APIConnectOptions, SessionConnectOptions
from agent_runtime.devices.echo_meter import WINDOW, EchoMeter
from agent_runtime.events import AnyEvent, CircuitsChanged
from agent_runtime.host.watchdog import LAG_WINDOW, Lags
from agent_runtime.llm import ChatContext, FallbackAdapter, LLMStream
from agent_runtime.metrics import Metadata, STTMetrics
from agent_runtime.stt import FallbackAdapter as STTFallbackAdapter
from agent_runtime.testing import Answer, ScriptedLLM, Stage
from agent_runtime.testing.scripted import ScriptedSTT, ScriptedTTS
from agent_runtime.tts import FallbackAdapter as TTSFallbackAdapter
from agent_runtime.tts import StreamAdapter
from agent_runtime.utils.circuit_breaker import CircuitBoard, CircuitBreaker
from tests.support.play import causes, play

DOWN = Answer("", error=APIConnectionError("connection refused", retryable=False))
ONCE = SessionConnectOptions(llm_conn_options=APIConnectOptions(max_retry=0))


class Named(ScriptedLLM):
    """A scripted model with a name of its own."""

    name = ""

    @property
    def model(self) -> str:
        return self.name


def named(name: str, *answers: Answer) -> Named:
    model = Named(list(answers))
    model.name = name
    return model


def circuits(stage: Stage) -> list[tuple[str | None, list[str]]]:
    """Each cause with the states after it."""
    return [
        (event.cause, [circuit.state for circuit in event.data.circuits])
        for event in stage.events
        if isinstance(event.data, CircuitsChanged)
    ]


def typed(stage: Stage, number: int = 0) -> AnyEvent:
    return stage.of("llm_finished")[number]


async def say_two(stage: Stage) -> None:
    await stage.session.generate_reply(user_input="one")
    await asyncio.sleep(2)  # past the pause after a probe that failed
    await stage.session.generate_reply(user_input="two")


# --- providers behind a fallback -------------------------------------------------------------------------------------


def test_a_provider_that_fails_is_told_with_the_reason_and_told_again_when_it_is_back() -> None:
    first = named("big", DOWN, DOWN, Answer("I am back."))
    second = named("small", Answer("Hello."), Answer("Again."))
    stage = play(9.0, act=say_two, llm=FallbackAdapter([first, second]), conn_options=ONCE, microphone=False)
    assert circuits(stage) == [
        ("start", ["closed", "closed"]),
        ("failed", ["open", "closed"]),
        ("probe", ["half_open", "closed"]),
        ("probe_failed", ["open", "closed"]),
        ("probe", ["half_open", "closed"]),
        ("answered", ["closed", "closed"]),
    ]
    failed = stage.of("circuits_changed")[1]
    assert (failed.data.part, failed.data.changed) == ("llm", 0)
    big, small = failed.data.circuits
    assert (big.name, big.problem, big.since) == ("big", "connection refused", pytest.approx(failed.time))
    assert (small.name, small.problem, small.since) == ("small", "", 0.0)


def test_tokens_count_for_the_model_that_answered() -> None:
    adapter = FallbackAdapter([named("big", DOWN, DOWN), named("small", Answer("Hello there."))])
    stage = play(3.0, act=lambda stage: stage.session.generate_reply(user_input="one"), llm=adapter, conn_options=ONCE)
    assert (typed(stage).data.model, typed(stage).data.estimated) == ("small", False)


def test_providers_without_a_fallback_have_nothing_to_tell() -> None:
    stage = play(1.0)
    assert stage.of("circuits_changed") == []


def test_what_takes_an_adapters_place_has_no_circuits() -> None:
    async def act(stage: Stage) -> None:
        stage.session.update_options(llm=named("alone"))

    stage = play(1.0, act=act, llm=FallbackAdapter([named("big"), named("small")]))
    assert circuits(stage) == [("start", ["closed", "closed"]), ("start", [])]


def test_an_adapter_that_is_wrapped_tells_too() -> None:
    voices = TTSFallbackAdapter([ScriptedTTS(), ScriptedTTS()])
    stage = play(1.0, tts=StreamAdapter(tts=voices), stt=STTFallbackAdapter([ScriptedSTT([]), ScriptedSTT([])]))
    assert {event.data.part for event in stage.of("circuits_changed")} == {"stt", "tts"}
    assert causes(stage, "circuits_changed") == ["start", "start"]


async def test_a_board_names_which_changed_until_nobody_listens() -> None:
    board, told = CircuitBoard(), []
    breakers = [board.add(name, CircuitBreaker()) for name in "ab"]
    stop = board.listen(lambda number, cause: told.append((number, cause)))
    breakers[1].record_failure("gone")
    breakers[1].record_failure("gone")
    breakers[1].record_success("cooldown_over")
    stop()
    breakers[0].record_failure()
    assert told == [(1, "failed"), (1, "cooldown_over")]


def test_a_recogniser_that_failed_is_begun_again_and_that_is_told() -> None:
    class Broken(Agent):
        tries = 0

        async def stt_node(self, audio: Any, model_settings: Any) -> Any:
            Broken.tries += 1
            if Broken.tries < 3:
                raise RuntimeError("no ears")
            async for _ in audio:
                yield ""  # never comes: the test is over before

    stage = play(2.0, agent=lambda: Broken(instructions="."))
    told = [(event.data.part, event.data.delay, event.data.failures) for event in stage.of("part_restarting")]
    assert told == [("stt", 0.1, 1), ("stt", 0.2, 2)]


# --- what is used ----------------------------------------------------------------------------------------------------


class Silent(ScriptedLLM):
    """A model whose provider doesn't tell what it used."""

    def chat(self, **request: Any) -> LLMStream:
        stream = super().chat(**request)
        channel = stream._event_ch
        send = channel.send_nowait
        channel.send_nowait = lambda chunk: None if chunk.usage is not None else send(chunk)  # type: ignore[method-assign]
        return stream


def test_tokens_that_a_provider_does_not_tell_are_estimated_and_called_so() -> None:
    async def act(stage: Stage) -> None:
        await stage.session.generate_reply(user_input="12345678")

    stage = play(3.0, act=act, llm=Silent([Answer("abcd efgh ijkl")]), agent=lambda: Agent(instructions="Be kind."))
    told = typed(stage).data
    assert told.estimated
    # "Be kind." and "12345678" are two tokens each by the length, and each message has four around it.
    assert (told.prompt_tokens, told.completion_tokens) == (2 * (4 + 2), 4)


def test_what_the_provider_tells_is_no_estimate() -> None:
    stage = play(3.0, act=lambda stage: stage.session.generate_reply(user_input="hi"), answers=[Answer("One two.")])
    told = typed(stage).data
    assert (told.prompt_tokens, told.completion_tokens, told.estimated) == (10, 2, False)


def test_without_a_model_nothing_is_estimated() -> None:
    class Echo(Agent):
        async def llm_node(self, chat_ctx: ChatContext, tools: Any, model_settings: Any) -> Any:
            yield "I say what I want."

    async def act(stage: Stage) -> None:
        await stage.session.generate_reply(user_input="hi")

    stage = play(3.0, act=act, llm=None, agent=lambda: Echo(instructions="."))
    told = typed(stage).data
    assert (told.prompt_tokens, told.completion_tokens, told.estimated) == (0, 0, False)


def test_recognised_seconds_are_told_for_the_model_that_heard_them() -> None:
    def metrics(seconds: float) -> STTMetrics:
        about = Metadata(model_name="tiny", model_provider="embedded")
        return STTMetrics(
            label="x", request_id="", timestamp=0.0, duration=0.0, audio_duration=seconds, streamed=True, metadata=about
        )

    async def act(stage: Stage) -> None:
        stage.stt.emit("metrics_collected", metrics(2.5))
        stage.stt.emit("metrics_collected", metrics(0.0))  # a connection was made, nothing was heard

    stage = play(1.0, act=act)
    (told,) = stage.of("speech_recognized")
    assert (told.data.model, told.data.audio_duration) == ("tiny", 2.5)


# --- echo and lag ----------------------------------------------------------------------------------------------------

FAR = np.full(480, 8000, np.int16)


def test_what_is_taken_out_is_told_in_decibels_once_a_second_of_sound() -> None:
    meter = EchoMeter()
    for _ in range(WINDOW - 1):
        meter.add(FAR // 2, FAR, FAR // 200)
    assert meter.removed is None
    meter.add(FAR // 2, FAR, FAR // 200)
    assert meter.removed == 40.0


def test_a_silent_speaker_has_no_echo() -> None:
    meter = EchoMeter()
    for _ in range(2 * WINDOW):
        meter.add(FAR, FAR // 1000, FAR)
        meter.add(FAR, None, FAR)
    assert meter.removed is None


def test_lags_of_the_last_seconds_are_told_once_a_second() -> None:
    lags = Lags()
    told = []
    for beat in range(1, 2101):
        late = 0.3 if beat == 100 else 0.002 if beat % 40 == 0 else 0.001
        if (lag := lags.add(beat * 0.01, late)) is not None:
            told.append(lag)
    assert len(told) == 20
    assert told[0].window == pytest.approx(1.0)
    assert (told[5].p99, told[5].worst) == (0.002, 0.3)
    assert (told[-1].p99, told[-1].worst, told[-1].window) == (0.002, 0.002, pytest.approx(LAG_WINDOW, abs=0.02))


def test_one_lag_in_a_hundred_is_the_99th_percentile() -> None:
    lags = Lags()
    (lag,) = filter(None, (lags.add(n / 100, 0.05 if n % 50 == 0 else 0.0) for n in range(1, 102)))
    assert (lag.p99, lag.worst) == (0.05, 0.05)


async def test_a_loop_that_is_idle_lags_little() -> None:
    loop = asyncio.get_running_loop()
    lags = Lags()
    due = loop.time()
    await asyncio.sleep(0)
    assert lags.add(due, -0.001) is None  # a timer may come a tick early: that is no lag
    lag = lags.add(due + 1.0, 0.0)
    assert lag is not None
    assert lag.worst == 0.0
