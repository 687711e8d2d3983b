"""Stand-ins for an agent's tools: `mock_tools`."""

from __future__ import annotations

import contextlib
import contextvars
import inspect
import weakref
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, overload

if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.session import AgentSession
    from agent_tools import AnyFunctionTool

Mock: TypeAlias = Callable[..., Any] | BaseException
Mocks: TypeAlias = Mapping[str, Mock]
_ByAgent: TypeAlias = dict[type["Agent"], dict[str, Mock]]

_of_context: contextvars.ContextVar[_ByAgent | None] = contextvars.ContextVar("mock_tools", default=None)
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


def tool_or_mock(tool: AnyFunctionTool, session: AgentSession[Any]) -> AnyFunctionTool:
    """The tool that a call goes to: `tool` itself, or what stands in for it."""
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
