"""Plays a scripted conversation in virtual time and lets a test look at it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from agent_runtime import Agent
from agent_runtime.testing import Stage, UserSpeech, run_virtual, scripted_session

HELLO = UserSpeech(0.5, 2.5, "Hello, how are you?")


def play(
    until: float,
    *speeches: UserSpeech,
    agent: Callable[[], Agent] | None = None,
    act: Callable[[Stage], Awaitable[None]] | None = None,
    **options: Any,
) -> Stage:
    """The stage after `until` seconds, its session closed. `act` runs once the session has started.

    `run_virtual` fails the test if a task is left over.
    """

    async def scenario() -> Stage:
        async with scripted_session(speeches, **options) as stage:
            await stage.session.start(agent() if agent is not None else Agent(instructions="You are helpful."))
            if act is not None:
                await act(stage)
            await stage.run_until(until)
        return stage

    return run_virtual(scenario())


def since(stage: Stage, when: float, *kinds: str) -> list[tuple[float, str]]:
    """The stage's timeline from `when` on."""
    return [entry for entry in stage.timeline(*kinds) if entry[0] >= when]


def causes(stage: Stage, kind: str) -> list[str | None]:
    """The causes of the events of a type."""
    return [event.cause for event in stage.of(kind)]
