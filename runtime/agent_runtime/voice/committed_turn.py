"""The words of a turn that somebody ended by hand, once they are known."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agent_runtime import events as ev
from agent_runtime.voice.turn_machine import UserTurn

if TYPE_CHECKING:
    from agent_runtime.voice.engine import Engine
    from agent_runtime.voice.turn_inputs import CommitRequested


def commit(engine: Engine, request: CommitRequested) -> asyncio.Future[str]:
    """End the user's turn.

    What comes is what was said: empty if nothing was, or if the turn was cleared or the session closed meanwhile.
    """
    words: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def ended(event: ev.AnyEvent) -> None:
        if words.done() or event.cause == "text":  # what is typed meanwhile is a turn of its own
            return
        words.set_result(event.data.text if isinstance(event.data, ev.TurnCommitted) else "")

    events = engine.session.events
    unsubscribe = events.subscribe(ended, types=[ev.TurnCommitted, ev.TurnDiscarded, ev.SessionClosed])
    words.add_done_callback(lambda _: unsubscribe())
    engine.feed(request)
    if not words.done() and engine.machine.user is not UserTurn.COMMITTING:
        words.set_result("")
    return words
