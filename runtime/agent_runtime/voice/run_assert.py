"""Assertions about a run: `result.expect`, and what each of its steps gives.

A failed one raises AssertionError with what was expected, what was found, and the whole run around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, TypeAlias, TypeVar, cast, overload

from agent_runtime.types import NOT_GIVEN, NotGivenOr
from agent_runtime.voice.run_events import (
    AgentHandoffEvent,
    ChatMessageEvent,
    FunctionCallEvent,
    FunctionCallOutputEvent,
    RunEvent,
    RunEventType,
    format_run,
)
from agent_runtime.voice.run_expected import Expected, with_fields

if TYPE_CHECKING:
    from agent_runtime.llm import LLM, ChatRole
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.run_result import RunResult

EventT = TypeVar("EventT", bound=RunEvent)


class RunAssert:
    """Goes through a run's events from its first; `[i]` and slices look at any of them without moving on."""

    def __init__(self, run_result: RunResult[Any]) -> None:
        self._run = run_result
        self._position = 0

    @overload
    def __getitem__(self, key: int) -> EventAssert: ...

    @overload
    def __getitem__(self, key: slice) -> EventRangeAssert: ...

    def __getitem__(self, key: int | slice) -> EventAssert | EventRangeAssert:
        """One event, or a range of them. A negative index counts from the end.

        Raises AssertionError if there is no such event, TypeError for another kind of index.
        """
        __tracebackhide__ = True
        events = self._run.events
        if isinstance(key, slice):
            return EventRangeAssert(events[key], self, key)
        if not isinstance(key, int):
            raise TypeError(f"events are found by int or slice, not {type(key).__name__}")
        index = key + len(events) if key < 0 else key
        if not 0 <= index < len(events):
            self._fail(f"expected an event [{key}]\n   found {len(events)} events", range(0))
        return EventAssert(events[index], self, index)

    @overload
    def next_event(self, *, type: None = None) -> EventAssert: ...

    @overload
    def next_event(self, *, type: Literal["message"]) -> ChatMessageAssert: ...

    @overload
    def next_event(self, *, type: Literal["function_call"]) -> FunctionCallAssert: ...

    @overload
    def next_event(self, *, type: Literal["function_call_output"]) -> FunctionCallOutputAssert: ...

    @overload
    def next_event(self, *, type: Literal["agent_handoff"]) -> AgentHandoffAssert: ...

    def next_event(self, *, type: RunEventType | None = None) -> Any:
        """The next event; with `type`, the next one of that type, and those before it are skipped."""
        __tracebackhide__ = True
        events = self._run.events
        for index in range(self._position, len(events)):
            if type is None or events[index].type == type:
                self._position = index + 1
                found = EventAssert(events[index], self, index)
                return found if type is None else found._as(Expected.of(type))
        wanted = "another event" if type is None else with_fields(type, {})
        found_types = ", ".join(event.type for event in events[self._position :])
        self._fail(f"expected {wanted}\n   found {found_types or 'the end of the run'}", self._here())

    @overload
    def skip_next_event_if(
        self, *, type: Literal["message"], role: NotGivenOr[ChatRole] = NOT_GIVEN
    ) -> ChatMessageAssert | None: ...

    @overload
    def skip_next_event_if(
        self,
        *,
        type: Literal["function_call"],
        name: NotGivenOr[str] = NOT_GIVEN,
        arguments: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> FunctionCallAssert | None: ...

    @overload
    def skip_next_event_if(
        self,
        *,
        type: Literal["function_call_output"],
        output: NotGivenOr[str] = NOT_GIVEN,
        is_error: NotGivenOr[bool] = NOT_GIVEN,
    ) -> FunctionCallOutputAssert | None: ...

    @overload
    def skip_next_event_if(
        self, *, type: Literal["agent_handoff"], new_agent_type: NotGivenOr[type[Agent]] = NOT_GIVEN
    ) -> AgentHandoffAssert | None: ...

    def skip_next_event_if(
        self,
        *,
        type: RunEventType,
        role: NotGivenOr[ChatRole] = NOT_GIVEN,
        name: NotGivenOr[str] = NOT_GIVEN,
        arguments: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
        output: NotGivenOr[str] = NOT_GIVEN,
        is_error: NotGivenOr[bool] = NOT_GIVEN,
        new_agent_type: NotGivenOr[type[Agent]] = NOT_GIVEN,
    ) -> Any:
        """Skip the next event if it is like this, and return it; else None, and nothing is skipped."""
        given: dict[str, dict[str, Any]] = {
            "message": {"role": role},
            "function_call": {"name": name, "arguments": arguments},
            "function_call_output": {"output": output, "is_error": is_error},
            "agent_handoff": {"new_agent_type": new_agent_type},
        }
        if type not in given:
            raise ValueError(f"there are no events of type {type!r}; types: {', '.join(given)}")
        expected = Expected.of(type, **given[type])
        events = self._run.events
        if self._position >= len(events) or expected.difference(events[self._position]):
            return None
        self._position += 1
        return EventAssert(events[self._position - 1], self, self._position - 1)._as(expected)

    def skip_next(self, count: int = 1) -> RunAssert:
        """Skip that many events, whatever they are."""
        __tracebackhide__ = True
        left = len(self._run.events) - self._position
        if count > left:
            self._fail(f"expected {count} events to skip\n   found {left}", self._here())
        self._position += count
        return self

    def no_more_events(self) -> None:
        """Nothing comes after what was looked at."""
        __tracebackhide__ = True
        rest = self._run.events[self._position :]
        if rest:
            found = ", ".join(event.type for event in rest)
            self._fail(f"expected no more events\n   found {found}", range(self._position, len(self._run.events)))

    def contains_function_call(
        self, *, name: NotGivenOr[str] = NOT_GIVEN, arguments: NotGivenOr[dict[str, Any]] = NOT_GIVEN
    ) -> FunctionCallAssert:
        """There is such a call anywhere in the run; see `EventAssert.is_function_call`."""
        __tracebackhide__ = True
        return self[:].contains_function_call(name=name, arguments=arguments)

    def contains_message(self, *, role: NotGivenOr[ChatRole] = NOT_GIVEN) -> ChatMessageAssert:
        """There is such a message anywhere in the run."""
        __tracebackhide__ = True
        return self[:].contains_message(role=role)

    def contains_function_call_output(
        self, *, output: NotGivenOr[str] = NOT_GIVEN, is_error: NotGivenOr[bool] = NOT_GIVEN
    ) -> FunctionCallOutputAssert:
        """There is such a result of a tool anywhere in the run."""
        __tracebackhide__ = True
        return self[:].contains_function_call_output(output=output, is_error=is_error)

    def contains_agent_handoff(self, *, new_agent_type: NotGivenOr[type[Agent]] = NOT_GIVEN) -> AgentHandoffAssert:
        """There is such a handoff anywhere in the run."""
        __tracebackhide__ = True
        return self[:].contains_agent_handoff(new_agent_type=new_agent_type)

    def _here(self) -> range:
        return range(self._position, self._position + 1)

    def _fail(self, message: str, marked: range) -> NoReturn:
        __tracebackhide__ = True
        hint = "" if self._run.done() else "\n(the run isn't over: await it before looking at it)"
        shown = format_run(self._run._user_input, self._run.events, marked=marked)
        raise AssertionError(f"{message}{hint}\n\nThe run:\n{shown}")


class EventAssert:
    """One event of a run, whose type isn't known yet."""

    def __init__(self, event: RunEvent, parent: RunAssert, index: int = -1) -> None:
        self._event = event
        self._parent = parent
        self._index = index

    def event(self) -> RunEvent:
        """The event itself."""
        return self._event

    def is_message(self, *, role: NotGivenOr[ChatRole] = NOT_GIVEN) -> ChatMessageAssert:
        """It is a message, from `role` if that is given."""
        __tracebackhide__ = True
        return cast("ChatMessageAssert", self._check(Expected.of("message", role=role)))

    def is_function_call(
        self, *, name: NotGivenOr[str] = NOT_GIVEN, arguments: NotGivenOr[dict[str, Any]] = NOT_GIVEN
    ) -> FunctionCallAssert:
        """It is a call of the tool `name`. Of the call's arguments only those that are in `arguments` are compared."""
        __tracebackhide__ = True
        return cast("FunctionCallAssert", self._check(Expected.of("function_call", name=name, arguments=arguments)))

    def is_function_call_output(
        self, *, output: NotGivenOr[str] = NOT_GIVEN, is_error: NotGivenOr[bool] = NOT_GIVEN
    ) -> FunctionCallOutputAssert:
        """It is a tool's result: that text, failed or not."""
        __tracebackhide__ = True
        expected = Expected.of("function_call_output", output=output, is_error=is_error)
        return cast("FunctionCallOutputAssert", self._check(expected))

    def is_agent_handoff(self, *, new_agent_type: NotGivenOr[type[Agent]] = NOT_GIVEN) -> AgentHandoffAssert:
        """Another agent took over: one of that class or of a class derived from it."""
        __tracebackhide__ = True
        expected = Expected.of("agent_handoff", new_agent_type=new_agent_type)
        return cast("AgentHandoffAssert", self._check(expected))

    def _check(self, expected: Expected) -> _AnyAssert:
        __tracebackhide__ = True
        if difference := expected.difference(self._event):
            marked = range(self._index, self._index + 1)
            self._parent._fail(f"expected {expected}\n   found {difference}", marked)
        return self._as(expected)

    def _as(self, expected: Expected) -> _AnyAssert:
        found: _AnyAssert = _ASSERTS[expected.type](self._event, self._parent, self._index)
        return found


class EventRangeAssert:
    """Some events of a run, in any of which something may be found."""

    def __init__(self, events: Sequence[RunEvent], parent: RunAssert, rng: slice) -> None:
        self._events = list(events)
        self._parent = parent
        self._rng = rng

    def contains_function_call(
        self, *, name: NotGivenOr[str] = NOT_GIVEN, arguments: NotGivenOr[dict[str, Any]] = NOT_GIVEN
    ) -> FunctionCallAssert:
        """One of them is such a call; see `EventAssert.is_function_call`."""
        __tracebackhide__ = True
        return cast("FunctionCallAssert", self._find(Expected.of("function_call", name=name, arguments=arguments)))

    def contains_message(self, *, role: NotGivenOr[ChatRole] = NOT_GIVEN) -> ChatMessageAssert:
        """One of them is such a message."""
        __tracebackhide__ = True
        return cast("ChatMessageAssert", self._find(Expected.of("message", role=role)))

    def contains_function_call_output(
        self, *, output: NotGivenOr[str] = NOT_GIVEN, is_error: NotGivenOr[bool] = NOT_GIVEN
    ) -> FunctionCallOutputAssert:
        """One of them is such a result of a tool."""
        __tracebackhide__ = True
        expected = Expected.of("function_call_output", output=output, is_error=is_error)
        return cast("FunctionCallOutputAssert", self._find(expected))

    def contains_agent_handoff(self, *, new_agent_type: NotGivenOr[type[Agent]] = NOT_GIVEN) -> AgentHandoffAssert:
        """One of them is such a handoff."""
        __tracebackhide__ = True
        expected = Expected.of("agent_handoff", new_agent_type=new_agent_type)
        return cast("AgentHandoffAssert", self._find(expected))

    def _find(self, expected: Expected) -> _AnyAssert:
        __tracebackhide__ = True
        indices = range(*self._rng.indices(len(self._parent._run.events)))
        near = []
        for index, event in zip(indices, self._events, strict=False):
            difference = expected.difference(event)
            if not difference:
                return EventAssert(event, self._parent, index)._as(expected)
            if event.type == expected.type:
                near.append(f"[{index}] {difference}")
        where = "" if self._rng == slice(None) else f" among {_shown_slice(self._rng)}"
        self._parent._fail(f"expected {expected}{where}\n   found {', '.join(near) or 'none'}", indices)


def _shown_slice(rng: slice) -> str:
    parts = [rng.start, rng.stop] if rng.step is None else [rng.start, rng.stop, rng.step]
    return f"[{':'.join('' if part is None else str(part) for part in parts)}]"


class _TypedAssert(Generic[EventT]):
    """One event of a run, whose type is known."""

    def __init__(self, event: EventT, parent: RunAssert, index: int) -> None:
        self._event = event
        self._parent = parent
        self._index = index

    def event(self) -> EventT:
        """The event itself."""
        return self._event


class ChatMessageAssert(_TypedAssert[ChatMessageEvent]):
    """A message of a run."""

    async def judge(self, llm_v: LLM[Any], *, intent: str) -> ChatMessageAssert:
        """Have a model judge whether the message does what `intent` says.

        It needs a model that calls tools well. Raises AssertionError with the model's reason if the message doesn't,
        and if there is no verdict; ValueError for an empty intent, and for the embedded model, which is too small; and
        what the model's request fails with.
        """
        __tracebackhide__ = True
        from agent_runtime.voice.judge import judge_message

        verdict = await judge_message(llm_v, self._event.item.text_content or "", intent=intent)
        if not verdict.success:
            marked = range(self._index, self._index + 1)
            self._parent._fail(f"expected a message that fulfills: {intent}\n   judged {verdict.reason}", marked)
        return self


class FunctionCallAssert(_TypedAssert[FunctionCallEvent]):
    """A tool call of a run."""


class FunctionCallOutputAssert(_TypedAssert[FunctionCallOutputEvent]):
    """A tool's result in a run."""


class AgentHandoffAssert(_TypedAssert[AgentHandoffEvent]):
    """A handoff in a run."""


_AnyAssert: TypeAlias = ChatMessageAssert | FunctionCallAssert | FunctionCallOutputAssert | AgentHandoffAssert
_ASSERTS: dict[RunEventType, type[Any]] = {
    "message": ChatMessageAssert,
    "function_call": FunctionCallAssert,
    "function_call_output": FunctionCallOutputAssert,
    "agent_handoff": AgentHandoffAssert,
}
