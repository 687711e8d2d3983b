"""One turn is one trace: its spans, their times, what they say, and what they keep to themselves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agent_runtime import Agent, function_tool, telemetry
from agent_runtime import events as ev
from agent_runtime.clock import LoopClock
from agent_runtime.errors import ConfigError, MissingDependencyError
from agent_runtime.events import Event, EventStream
from agent_runtime.host import tracing
from agent_runtime.telemetry import exporters, trace_turns, traces
from agent_runtime.telemetry.spans import Turn
from agent_runtime.telemetry.turn_spans import TurnSpans
from agent_runtime.testing import Answer, Stage, UserSpeech, run_virtual, scripted_session
from agent_runtime.testing.virtual_time import EPOCH
from tests.support.traces import Traces, check_shape, check_waits

FIRST = UserSpeech(0.5, 2.5, "Is it warm?")


class Weather(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You are helpful.", id="weather")

    @function_tool
    async def get_weather(self, location: str) -> str:
        """Get the weather."""
        if location == "nowhere":
            raise RuntimeError("no such place")
        return "sunny"


def traced(
    until: float,
    *speeches: UserSpeech,
    act: Callable[[Stage], Awaitable[None]] | None = None,
    capture_content: bool = False,
    **options: Any,
) -> tuple[Traces, Stage]:
    result = Traces()

    async def scenario() -> Stage:
        async with scripted_session(speeches, **options) as stage:
            trace_turns(stage.session.events, result.provider, capture_content=capture_content)
            await stage.session.start(Weather())
            if act is not None:
                await act(stage)
            await stage.run_until(until)
        return stage

    stage = run_virtual(scenario())
    check_shape(result)
    check_waits(result, stage.events)
    return result, stage


def seconds(nanoseconds: int | None) -> float:
    """Since the session began."""
    assert nanoseconds is not None
    return round((nanoseconds - round(EPOCH * 1e9)) / 1e9, 6)


def tree(result: Traces, span: Any) -> list[tuple[str, float, float]]:
    return [(child.name, seconds(child.start_time), seconds(child.end_time)) for child in result.children(span)]


def test_a_turn_with_a_tool() -> None:
    calls = [("get_weather", '{"location": "Tokyo"}')]
    answers = [Answer("Let me look.", calls), Answer("It is sunny.")]
    result, _ = traced(12.0, FIRST, answers=answers, durations=[2.0, 3.0])
    (turn,) = result.named("turn")
    assert (seconds(turn.start_time), seconds(turn.end_time)) == (0.5, 8.72)
    assert tree(result, turn) == [
        ("user_speech", 0.5, 2.5),
        ("wait", 2.5, 3.2),
        ("chat scripted-llm", 2.7, 3.0),
        ("execute_tool get_weather", 3.0, 3.0),
        ("text_to_speech scripted-tts", 3.0, 3.2),
        ("playout", 3.2, 5.21),
        ("chat scripted-llm", 5.21, 5.51),
        ("text_to_speech scripted-tts", 5.31, 5.71),
        ("playout", 5.71, 8.72),
    ]
    (wait,) = result.named("wait")
    assert tree(result, wait) == [("wait.endpointing", 2.5, 3.0), ("wait.tts", 3.0, 3.2)]
    attributes = dict(turn.attributes)
    assert attributes.pop("session.id") == attributes.pop("gen_ai.conversation.id")
    assert round(attributes.pop("turn.latency"), 6) == 0.7
    assert round(attributes.pop("playout.duration"), 6) == 5.02
    assert attributes == {
        "turn.id": "turn_1",
        "turn.number": 1,
        "turn.cause": "speech",
        "turn.end_cause": "endpointing.min_delay",
        "turn.interrupted": False,
        "turn.tool_calls": 1,
        "gen_ai.agent.id": "weather",
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 6,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "tts.characters": len("Let me look.It is sunny."),
    }


def test_work_names_its_model_tokens_and_delays() -> None:
    result, _ = traced(8.0, FIRST, answers=[Answer("It is sunny.")], durations=[2.0])
    (chat,) = result.named("chat scripted-llm")
    assert chat.attributes["gen_ai.request.model"] == "scripted-llm"
    assert chat.attributes["llm.cause"] == "preemptive"
    assert round(chat.attributes["gen_ai.response.time_to_first_chunk"], 6) == 0.1
    assert [(event.name, seconds(event.timestamp)) for event in chat.events] == [("first_token", 2.8)]
    (speech,) = result.named("text_to_speech scripted-tts")
    assert round(speech.attributes["tts.time_to_first_byte"], 6) == 0.2
    assert speech.attributes["tts.characters"] == len("It is sunny.")
    (endpointing,) = result.named("wait.endpointing")
    assert endpointing.attributes["wait.setting"] == "endpointing.min_delay"


@pytest.mark.parametrize("capture", [False, True])
def test_content_is_kept_out_unless_asked_for(capture: bool) -> None:
    answers = [Answer("", [("get_weather", '{"location": "nowhere"}')]), Answer("No idea.")]
    result, _ = traced(12.0, FIRST, answers=answers, durations=[2.0], capture_content=capture)
    written = repr(
        [(span.name, dict(span.attributes), [dict(e.attributes) for e in span.events]) for span in result.spans]
    )
    for content in ("Is it warm?", "No idea.", "nowhere", "An internal error"):
        assert (content in written) is capture


def test_a_failed_tool_is_an_error() -> None:
    answers = [Answer("", [("get_weather", '{"location": "nowhere"}')]), Answer("No idea.")]
    result, _ = traced(12.0, FIRST, answers=answers, durations=[2.0])
    (tool,) = result.named("execute_tool get_weather")
    assert tool.status.is_ok is False
    assert tool.attributes["error.type"] == "tool_error"


def test_an_interrupted_turn_ends_where_it_fell_silent() -> None:
    stop = UserSpeech(5.0, 6.0, "Stop!")
    story = Answer("Here is a long story for you, and this is the end.")
    result, _ = traced(10.0, FIRST, stop, answers=[story, Answer("OK")], durations=[10.0, 1.0])
    one, two = result.named("turn")
    assert seconds(one.end_time) == 5.5  # it is cut for good at 6.2, but silent since it was paused
    assert (one.attributes["turn.interrupted"], one.attributes["turn.interruption_cause"]) == (True, "voice")
    assert (seconds(two.start_time), seconds(two.end_time)) == (5.0, 8.01)
    assert one.context.trace_id != two.context.trace_id


def test_a_false_interruption_is_a_pause_and_a_discarded_turn() -> None:
    story = Answer("Here is a long story for you, and this is the end.")
    result, _ = traced(18.0, FIRST, UserSpeech(5.0, 5.8), answers=[story], durations=[10.0])
    playout = result.named("playout")[0]
    assert [(e.name, seconds(e.timestamp)) for e in playout.events] == [("paused", 5.5), ("resumed", 8.3)]
    assert seconds(playout.end_time) == 16.01
    assert result.named("turn")[1].attributes["turn.discarded"] == "empty"


def test_an_early_reply_that_is_dropped_is_no_interruption() -> None:
    going_on = [FIRST, UserSpeech(3.1, 4.0, "today, I mean?")]
    waiting = {"endpointing": {"min_delay": 1.0}}
    answers = [Answer("One."), Answer("Two.")]
    result, _ = traced(12.0, *going_on, answers=answers, durations=[1.0], turn_handling=waiting)
    (turn,) = result.named("turn")
    assert turn.attributes["turn.interrupted"] is False
    assert "early_reply_dropped" in [event.name for event in turn.events]
    assert len(result.named("chat scripted-llm")) == 2
    assert [(seconds(s.start_time), seconds(s.end_time)) for s in result.named("user_speech")] == [
        (0.5, 2.5),
        (3.1, 4.0),
    ]


def test_a_reply_that_is_stopped_before_it_is_heard_is_interrupted() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(3.1)  # the reply was begun early, is the turn's answer since 3.0, and silent until 3.2
        stage.session.interrupt()

    result, _ = traced(8.0, FIRST, act=act, answers=[Answer("It is sunny.")], durations=[2.0])
    (turn,) = result.named("turn")
    assert turn.attributes["turn.interrupted"] is True
    assert "early_reply_dropped" not in [event.name for event in turn.events]
    assert seconds(turn.end_time) == 3.1


def feed(*told: tuple[float, str, str | None, ev.EventData]) -> list[Turn]:
    turns: list[Turn] = []
    spans = TurnSpans(turns.append)
    for seq, (time, turn_id, cause, data) in enumerate(told):
        spans.feed(Event(seq, time, "s", turn_id, cause, data))
    return turns


def test_what_is_said_later_in_a_turn_joins_its_trace() -> None:
    result = Traces()

    async def scenario() -> None:
        stream = EventStream(session_id="s", clock=LoopClock())
        stop = trace_turns(stream, result.provider)
        stream.emit(ev.TurnStarted(1), turn_id="turn_1", cause="say")
        for speech in ("a", "b"):
            stream.emit(ev.SpeechCreated(speech, "say", True, 5), turn_id="turn_1")
            stream.emit(ev.SpeechFinished(speech, False), turn_id="turn_1")
        stop()
        stop()

    run_virtual(scenario())
    one, two = result.spans
    assert two.parent is not None
    assert (one.context.trace_id, two.parent.span_id) == (two.context.trace_id, one.context.span_id)


def test_a_turn_that_nothing_answers_is_told_after_a_few_others() -> None:
    told: list[tuple[float, str, str | None, ev.EventData]] = []
    for number in range(1, 7):
        turn = f"turn_{number}"
        told += [(number, turn, "text", ev.TurnStarted(number)), (number, turn, "text", ev.TurnCommitted("hm", None))]
    assert [turn.turn_id for turn in feed(*told)] == ["turn_1", "turn_2"]


def test_a_discarded_turn_is_told_at_once() -> None:
    turns = feed(
        (1.0, "turn_1", "speech", ev.TurnStarted(1)),
        (2.0, "turn_1", "empty", ev.TurnDiscarded("")),
    )
    assert [(turn.root.end, turn.root.attributes["turn.discarded"]) for turn in turns] == [(2.0, "empty")]


def test_closing_tells_what_is_open_once() -> None:
    turns = feed(
        (1.0, "turn_1", "say", ev.TurnStarted(1)),
        (1.0, "turn_1", None, ev.SpeechCreated("a", "say", True, 5)),
        (2.0, "turn_1", None, ev.PlayoutStarted("a")),
        (3.0, "turn_1", "vad", ev.PlayoutPaused("a", 1.0)),
        (4.0, "turn_1", None, ev.SessionClosed("user_initiated")),
    )
    assert [(turn.root.start, turn.root.end) for turn in turns] == [(1.0, 3.0)]


def test_a_speech_in_stretches_has_a_playout_for_each() -> None:
    (turn,) = feed(
        (1.0, "turn_1", "say", ev.TurnStarted(1)),
        (1.0, "turn_1", None, ev.SpeechCreated("a", "say", True, 5)),
        (2.0, "turn_1", None, ev.PlayoutStarted("a")),
        (4.0, "turn_1", None, ev.PlayoutFinished("a", 2.0, False)),
        (7.0, "turn_1", None, ev.PlayoutFinished("a", 2.5, False)),
        (7.0, "turn_1", None, ev.SpeechFinished("a", False)),
    )
    assert [(s.name, s.start, s.end) for s in turn.root.children] == [("playout", 2.0, 4.0), ("playout", 4.5, 7.0)]
    assert turn.root.attributes["playout.duration"] == 4.5


def test_an_error_that_ends_the_session_fails_the_turn() -> None:
    def failed(recoverable: bool) -> bool:
        error = ev.ErrorOccurred("llm", "secret", recoverable)
        (turn,) = feed(
            (1.0, "turn_1", "text", ev.TurnStarted(1)),
            (1.0, "turn_1", None, error),
            (1.0, "turn_1", None, ev.SessionClosed("error")),
        )
        assert turn.root.moments[-1].attributes == {"error.source": "llm", "error.recoverable": recoverable}
        return turn.root.failed

    assert (failed(True), failed(False)) == (False, True)


def test_every_session_of_a_process_can_be_traced() -> None:
    result = Traces()
    telemetry.set_tracer_provider(result.provider, metadata={"tenant": "x"})
    try:

        async def scenario() -> None:
            async with scripted_session([FIRST], answers=[Answer("Yes.")], durations=[1.0]) as stage:
                await stage.session.start(Weather())
                await stage.run_until(8.0)

        run_virtual(scenario())
    finally:
        telemetry.set_tracer_provider(None)
    assert len(result.named("turn")) == 1
    assert all(span.attributes["tenant"] == "x" for span in result.spans)
    run_virtual(scenario())
    assert len(result.named("turn")) == 1


def test_nothing_of_opentelemetry_is_imported_until_it_is_used() -> None:
    code = "import sys, agent_runtime.host.tracing, agent_runtime.voice.session; print('opentelemetry' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_what_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        trace_turns(EventStream(session_id="s", clock=LoopClock()))

    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(MissingDependencyError, match=r"agent-console\[telemetry\]"):
        run_virtual(scenario())
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(MissingDependencyError, match=r"agent-console\[telemetry\]"):
        tracing.make_provider(["otlp"], {})
    assert traces.INSTALL.startswith("pip install")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, []),
        ({"OTEL_TRACES_EXPORTER": "none"}, []),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ["otlp"]),
        ({"OTEL_TRACES_EXPORTER": "otlp, zipkin"}, ["otlp", "zipkin"]),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, ["otlp"]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4318/v1/traces"}, ["otlp"]),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", "OTEL_TRACES_EXPORTER": "none"}, []),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, []),
    ],
)
def test_the_environment_turns_it_on_and_off(environment: dict[str, str], expected: list[str]) -> None:
    assert exporters.wanted("traces", environment) == expected


@pytest.mark.parametrize(
    ("name", "environment", "problem"),
    [
        ("console", {}, "write over the screen"),
        ("zipkin", {}, "no exporter zipkin"),
        ("otlp", {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "no exporter otlp_proto_grpc"),
    ],
)
def test_an_exporter_that_cannot_be_used_is_told(name: str, environment: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        tracing.make_provider([name], environment)
    told: list[ev.EventData] = []
    follower = tracing.Tracing(told.append, {"OTEL_TRACES_EXPORTER": name, **environment})

    async def scenario() -> None:
        follower.follow(EventStream(session_id="s", clock=LoopClock()))

    run_virtual(scenario())
    follower.close()
    assert isinstance(told[0], ev.ErrorOccurred)
    assert problem in told[0].message
    assert told[0].recoverable


def test_the_service_has_a_name_unless_it_is_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracing.make_provider([], {}).resource.attributes["service.name"] == "agent-console"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "desk")
    assert tracing.make_provider([], {"OTEL_SERVICE_NAME": "desk"}).resource.attributes["service.name"] == "desk"
