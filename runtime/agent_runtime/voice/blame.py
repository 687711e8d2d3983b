"""Whose fault it is: names the agent's node or hook on what goes wrong in it, and gives up on hooks that don't end."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Generator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from agent_runtime.clock import TimerHandle
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.scope import Scope

E = TypeVar("E", bound=Exception)

HOOK_TIMEOUT = 30.0
"""Seconds of silence after which a hook that the conversation waits for is given up."""


@contextlib.contextmanager
def blamed(agent: Agent, node: str) -> Generator[None]:
    """What is raised inside is the fault of that node, if the agent has one of its own."""
    try:
        yield
    except Exception as error:
        if culprit_of(error) is None and _is_own(agent, node):
            _name(error, agent, node)
        raise


def culprit_of(error: BaseException) -> str | None:
    """The node that it is the fault of, if one was named."""
    return getattr(error, "_culprit", None)


async def open_node(agent: Agent, node: str, result: Any, *single: type) -> Any:
    """What a node gave: an async iterable, None, or one of the types in `single`.

    Raises TypeError, with the line of the node, for anything else.
    """
    value = await result if inspect.isawaitable(result) else result
    if value is None or isinstance(value, (AsyncIterable, *single)):
        return value
    kind = type(value).__name__
    raise TypeError(f"{node} of {agent.id} returned a {kind}; it must be an async generator{_at(agent, node)}")


def wrong_piece(agent: Agent, node: str, piece: object, allowed: str) -> TypeError:
    """The error of a node that yields something of no use."""
    kind = type(piece).__name__
    return TypeError(f"{node} of {agent.id} yielded a {kind}; it may yield {allowed}{_at(agent, node)}")


def fault(agent: Agent, node: str, provider: str, said: str) -> RuntimeError:
    """The error of an answer of no use: the fault of the agent's node, with its line, or else of the provider."""
    if not _is_own(agent, node):
        return RuntimeError(f"the {provider} {said}")
    return _name(RuntimeError(f"{node} of {agent.id} {said}{_at(agent, node)}"), agent, node)


async def finished(agent: Agent, hook: str, result: Awaitable[None]) -> None:
    """Wait for a hook. Raises TypeError, with its line, if it is no coroutine function."""
    if not inspect.isawaitable(result):
        kind = type(result).__name__
        raise TypeError(f"{hook} of {agent.id} gave a {kind}; it must be `async def`, without yield{_at(agent, hook)}")
    await result


@contextlib.asynccontextmanager
async def limited(scope: Scope) -> AsyncGenerator[None]:
    """Run a hook for `HOOK_TIMEOUT` at most, not counting what is said meanwhile and tasks that it awaits.

    Raises TimeoutError.
    """
    engine, task, expired = scope.engine, asyncio.current_task(), False
    assert task is not None
    timer: TimerHandle | None = None

    def count() -> TimerHandle:
        return engine.clock.call_at(engine.clock.now() + HOOK_TIMEOUT, check)

    def check() -> None:
        nonlocal expired, timer
        if scope.waiting or engine.replies.at_work():
            timer = count()
        else:
            expired = True
            task.cancel()

    timer = count()
    try:
        yield
    except asyncio.CancelledError as cancelled:
        if expired and task.uncancel() == 0:
            error = TimeoutError(f"it did not end within {HOOK_TIMEOUT:g} s and the conversation waits for it")
            raise error.with_traceback(cancelled.__traceback__) from None
        raise
    finally:
        timer.cancel()


def _name(error: E, agent: Agent, node: str) -> E:
    error._culprit = f"{node} of {agent.id}"  # type: ignore[attr-defined]  # read by `culprit_of` alone
    return error


def _is_own(agent: Agent, node: str) -> bool:
    from agent_runtime.voice.agent import Agent

    return getattr(type(agent), node, None) is not getattr(Agent, node, None)


def _at(agent: Agent, node: str) -> str:
    code = getattr(inspect.unwrap(getattr(type(agent), node)), "__code__", None)
    return f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""
