"""Stand-ins for an agent's tools: `mock_tools` for tests, `StandIn` for people who try things out."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import weakref
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from agent_runtime.records import record
from agent_tools import ToolError

if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.session import AgentSession
    from agent_tools import AnyFunctionTool

Mock: TypeAlias = Callable[..., Any] | BaseException
Mocks: TypeAlias = Mapping[str, Mock]
_ByAgent: TypeAlias = dict[type["Agent"], dict[str, Mock]]

_of_context: contextvars.ContextVar[_ByAgent | None] = contextvars.ContextVar("mock_tools", default=None)
_by_hand: weakref.WeakKeyDictionary[AgentSession[Any], dict[str, StandIn]] = weakref.WeakKeyDictionary()
_of_session: weakref.WeakKeyDictionary[AgentSession[Any], _ByAgent] = weakref.WeakKeyDictionary()


@overload
def mock_tools(agent: type[Agent], mocks: Mocks) -> contextlib.AbstractContextManager[None]: ...


@overload
def mock_tools(agent: type[Agent], mocks: Mocks, *, session: AgentSession[Any]) -> None: ...


def mock_tools(
    agent: type[Agent], mocks: Mocks, *, session: AgentSession[Any] | None = None
) -> contextlib.AbstractContextManager[None] | None:
    """Have calls of an agent's tools go to other functions. The model sees the real tools all the same.

    Without `session` it is a context manager: what runs inside, and tasks that were started inside, sees the mocks. An
    inner one for the same class takes the place of the outer one. With `session` they hold for that session from now
    on, until they are set again; those of a context come first.

    A mock is a function, sync or async, that takes any of the tool's parameters by their names, or none. One with
    other names gets them by position, in the order of the tool's own, a `RunContext` included. A returned or given
    exception counts as raised by the tool.

    Args:
        agent: the class whose tools these are; classes derived from it have them too, unless they have mocks of their
            own by that name.
        mocks: by the tool's name.
        session: unset, the running context.
    """
    if session is None:
        return _mocked(agent, mocks)
    _of_session.setdefault(session, {})[agent] = dict(mocks)
    return None


@contextlib.contextmanager
def _mocked(agent: type[Agent], mocks: Mocks) -> Generator[None, None, None]:
    token = _of_context.set({**(_of_context.get() or {}), agent: dict(mocks)})
    try:
        yield
    finally:
        _of_context.reset(token)


@record(frozen=True, slots=True)
class StandIn:
    """What calls of a tool come to instead, by the tool's name: whatever code the agent has by then."""

    result: str | None = None
    """What the model reads as the tool's output."""
    error: str | None = None
    """What the model reads as the tool's failure."""
    delay: float = 0.0
    """Seconds before that; alone, before the tool itself begins."""

    @property
    def kind(self) -> Literal["result", "error", "delay"]:
        """What is noticed most of it."""
        return "error" if self.error is not None else "result" if self.result is not None else "delay"

    def function(self, tool: AnyFunctionTool) -> Callable[..., Any]:
        """What is called in the place of the tool's own function."""

        async def call(**arguments: Any) -> Any:
            await asyncio.sleep(self.delay)
            if self.error is not None:
                raise ToolError(self.error)
            if self.result is not None:
                return self.result
            value = tool(**arguments)
            return await value if inspect.isawaitable(value) else value

        return call


def stand_ins(session: AgentSession[Any]) -> dict[str, StandIn]:
    """What stands in for tools of a session, by name. It may be changed."""
    return _by_hand.setdefault(session, {})


def tool_or_mock(tool: AnyFunctionTool, session: AgentSession[Any]) -> AnyFunctionTool:
    """The tool that a call goes to: `tool` itself, or what stands in for it. What a person set comes first."""
    if (stand_in := _by_hand.get(session, {}).get(tool.id)) is not None:
        return tool.with_function(stand_in.function(tool))
    for by_agent in (_of_context.get(), _of_session.get(session)):
        for cls in type(session.current_agent).__mro__ if by_agent else ():
            mock = (by_agent or {}).get(cls, {}).get(tool.id)
            if mock is not None:
                return tool.with_function(_stand_in(tool, mock))
    return tool


def _stand_in(tool: AnyFunctionTool, mock: Mock) -> Callable[..., Any]:
    if isinstance(mock, BaseException):
        return lambda **_: mock
    signature = inspect.signature(tool)

    def call(**arguments: Any) -> Any:
        bound = signature.bind_partial(**arguments)
        bound.apply_defaults()
        args, kwargs = _arguments_for(mock, bound.arguments)
        return mock(*args, **kwargs)

    return call


def _arguments_for(mock: Callable[..., Any], given: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Of a tool's arguments those that the mock takes."""
    parameters = inspect.signature(mock).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return [], given
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    named = {p.name: given[p.name] for p in parameters if p.kind is p.KEYWORD_ONLY and p.name in given}
    if all(p.name in given or p.default is not p.empty for p in positional):
        args = [given.get(p.name, p.default) for p in positional]
    else:
        args = list(given.values())[: len(positional)]
    return args, named
