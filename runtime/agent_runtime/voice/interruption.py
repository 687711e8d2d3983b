"""Stops what the agent says and is about to say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agent_runtime.voice.scope import scope_in
from agent_runtime.voice.speech_handle import SpeechHandle
from agent_runtime.voice.turn_inputs import InterruptCause

if TYPE_CHECKING:
    from agent_runtime.voice.engine import Engine


def stop_speech(
    engine: Engine, cause: InterruptCause, *, force: bool = False, strict: bool = False
) -> asyncio.Future[None]:
    """Interrupt the speech that has the floor and those that wait. The future ends when all of them did.

    Those that don't allow it go on, unless `force`; with `strict`, RuntimeError is raised for the one that has the
    floor.
    """
    engine.turns.cancel_early()
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    stopped: list[SpeechHandle] = []
    current = engine.scheduler.current
    background = [speech for speech in engine.replies.at_work() if speech is not current]
    for speech in ([current] if current is not None else []) + background:
        if speech.allow_interruptions or force or (strict and speech is current):
            stopped.append(speech._interrupt(cause, force=force))
    scope = scope_in(engine)
    # A tool that stops the speech that called it doesn't wait for it: that waits for the tool.
    own = scope.speech if scope is not None else None
    remaining = [speech for speech in stopped if not speech.done() and speech is not own]

    def ended(_: SpeechHandle) -> None:
        if not done.done() and all(speech.done() for speech in remaining):
            done.set_result(None)

    for speech in remaining:
        speech.add_done_callback(ended)
    if not remaining:
        done.set_result(None)
    return done
