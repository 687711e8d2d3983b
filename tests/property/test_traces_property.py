"""Whatever happens in a conversation: a turn is one trace, and its waits have no gap."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_runtime import events as ev
from agent_runtime.events import AnyEvent, Event, EventData
from agent_runtime.telemetry.spans import Span, Turn
from agent_runtime.telemetry.traces import trace_turns
from agent_runtime.telemetry.turn_spans import TurnSpans
from agent_runtime.testing import Answer, Stage, UserSpeech, run_virtual, scripted_session
from agent_runtime.voice.turn_clock import TurnClock
from tests.property.test_turn_session_property import ACTIONS, ANSWERS, NO_RETRY, Busy, perform, speeches
from tests.support.traces import Traces, check_gapless, check_shape, check_waits

TIMES = st.floats(0, 1e5)
NAMES = st.sampled_from(["", "a", "b", "user"])
OVERRIDES: dict[str, st.SearchStrategy[Any]] = {"item": st.fixed_dictionaries({"role": NAMES})}


def _values(annotation: Any) -> st.SearchStrategy[Any]:
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return st.sampled_from(typing.get_args(annotation))
    if origin is types.UnionType:
        return st.one_of([_values(inner) for inner in typing.get_args(annotation)])
    if origin in (tuple, dict):
        return st.just(origin())
    plain = {str: NAMES, float: TIMES, int: st.integers(0, 9), bool: st.booleans(), type(None): st.none()}
    return plain.get(annotation, st.none())


@st.composite
def measured(draw: st.DrawFn) -> ev.TurnMeasured:
    clock = TurnClock(draw(TIMES))
    for name in draw(st.lists(st.sampled_from(["endpointing", "transcription", "hook", "llm", "tts"]), max_size=6)):
        clock.mark(name, draw(TIMES), draw(NAMES))
    result = clock.measure(draw(TIMES))
    assert result is not None
    return result


def any_data(kind: type) -> st.SearchStrategy[Any]:
    if kind is ev.TurnMeasured:
        return measured()
    hints = typing.get_type_hints(kind)
    fields = {
        f.name: OVERRIDES.get(f.name, _values(hints[f.name])) for f in dataclasses.fields(kind) if f.name != "type"
    }
    return st.builds(kind, **fields)


DATA = st.one_of([any_data(kind) for kind in typing.get_args(EventData)])
SEQUENCES = st.lists(st.tuples(st.floats(0, 5), st.sampled_from([None, "turn_1", "turn_2"]), NAMES, DATA), max_size=60)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SEQUENCES)
def test_any_sequence_of_events(sequence: list[tuple[float, str | None, str, EventData]]) -> None:
    traces, now = Traces(), 0.0
    stream = _Replay()
    stop = trace_turns(stream, traces.provider)  # type: ignore[arg-type]  # as much of a stream as is read
    for seq, (wait, turn_id, cause, data) in enumerate(sequence):
        now += wait
        stream.send(Event(seq, now, "s", turn_id, cause, data))
    stop()
    assert all(span.start_time <= span.end_time for span in traces.spans)
    assert {span.attributes["turn.id"] for span in traces.named("turn")} <= {"turn_1", "turn_2"}
    for wait in traces.named("wait"):
        check_gapless(traces, wait)


class _Replay:
    """A stream without a session."""

    session_id = "s"

    def __init__(self) -> None:
        self._read: list[tuple[Any, Any]] = []
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def subscribe(self, callback: Any, *, types: Any = None) -> Any:
        self._read.append((callback, types))
        return lambda: self._read.remove((callback, types))

    def send(self, event: AnyEvent) -> None:
        self._now = event.time
        for callback, kinds in self._read:
            if kinds is None or type(event.data) in kinds:
                callback(event)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow])
@given(speeches(), ANSWERS, ACTIONS, st.booleans())
def test_any_conversation(
    said: list[UserSpeech], answers: list[Answer], actions: list[tuple[float, str]], can_pause: bool
) -> None:
    traces = Traces()

    async def scenario() -> Stage:
        async with scripted_session(said, answers=answers, can_pause=can_pause, conn_options=NO_RETRY) as stage:
            trace_turns(stage.session.events, traces.provider)
            await stage.session.start(Busy())
            for at, action in sorted(actions):
                await stage.run_until(at)
                await perform(stage, action)
            await stage.run_until(60.0)
        return stage

    stage = run_virtual(scenario())
    check_shape(traces)
    check_waits(traces, stage.events)
    numbers = {event.turn_id for event in stage.events if isinstance(event.data, ev.TurnStarted)}
    assert {span.attributes["turn.id"] for span in traces.named("turn")} == numbers
    played = sum(event.data.position for event in stage.events if isinstance(event.data, ev.PlayoutFinished))
    heard = sum(float(span.attributes.get("playout.position", 0.0)) for span in traces.named("playout"))
    assert abs(heard - played) < 1e-6


def test_the_spans_of_a_turn_never_reach_beyond_it() -> None:
    turns: list[Turn] = []
    spans = TurnSpans(turns.append)
    spans.feed(Event(1, 5.0, "s", "turn_1", "say", ev.TurnStarted(1)))
    spans.feed(Event(2, 5.0, "s", "turn_1", None, ev.HookFinished("on_enter", 2.0)))
    spans.close(6.0)
    assert [(turn.root.start, turn.root.end) for turn in turns] == [(3.0, 5.0)]
    assert isinstance(turns[0].root.children[0], Span)
