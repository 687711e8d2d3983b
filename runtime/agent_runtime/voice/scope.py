"""Which piece of the agent's own code runs in a task: a tool, or a hook. An `AgentTask` can be awaited there."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_runtime.voice.run_context import leave_run_context

if TYPE_CHECKING:
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.engine import Engine
    from agent_runtime.voice.moves import Move
    from agent_runtime.voice.speech_handle import SpeechHandle


@dataclass(eq=False, slots=True)
class Scope:
    """One run of a tool or hook."""

    engine: Engine
    agent: Agent
    name: str
    """`tool book`, `hook on_enter of clerk`."""
    speech: SpeechHandle | None = None
    """The speech that made the call; hooks have none."""
    move: Move | None = None
    """The change of agents that waits for it: `on_exit` is part of one."""
    decides_turn: bool = False
    """Whether it is `on_user_turn_completed`: no turn is answered before it has ended."""
    unanswered: SpeechHandle | None = None
    """The speech whose turn is still to be answered by what an arriving agent says first."""
    waiting: bool = False
    """Whether it is paused by an `AgentTask` that it awaits."""
    over: bool = False

    @property
    def is_on_enter(self) -> bool:
        """Whether it is the hook with which an agent begins."""
        return self.name.startswith("hook on_enter ")


_current: contextvars.ContextVar[Scope | None] = contextvars.ContextVar("agent_scope", default=None)


@contextlib.contextmanager
def entered(scope: Scope) -> Generator[Scope, None, None]:
    """Make it the current one of the running task, and of the tasks that it starts."""
    token = _current.set(scope)
    try:
        yield scope
    finally:
        scope.over = True
        _current.reset(token)


def current_scope() -> Scope | None:
    """The tool or hook that runs here, None outside of them and after its end."""
    scope = _current.get()
    return None if scope is None or scope.over else scope


def scope_in(engine: Engine) -> Scope | None:
    """The same, if it is one of that session's."""
    scope = current_scope()
    return scope if scope is not None and scope.engine is engine else None


def hand_on_turn(engine: Engine, speech: SpeechHandle) -> None:
    """Let the first speech of an arriving task answer the turn in which it was awaited: people wait for that one."""
    scope = scope_in(engine)
    origin = scope.unanswered if scope is not None else None
    if scope is None or origin is None:
        return
    scope.unanswered = None
    hand_on_clock(origin, speech)
    if speech._turn_clock is not None:
        speech._turn_clock.mark("tools", engine.report.relative(engine.clock.now()))


def hand_on_clock(origin: SpeechHandle, speech: SpeechHandle) -> None:
    """Have `speech` be what the turn of `origin` is measured by."""
    speech._turn_clock, origin._turn_clock = origin._turn_clock, None


def outside_scopes() -> contextvars.Context:
    """A copy of the running context that is in no tool or hook: for what a tool sets off and doesn't own."""
    context = contextvars.copy_context()
    context.run(_current.set, None)
    context.run(leave_run_context)
    return context
