"""Has the agent cut in when the user talks longer than `user_turn_limit` allows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agent_runtime import events as ev
from agent_runtime.voice import turn_inputs as inputs

if TYPE_CHECKING:
    from agent_runtime.voice.engine import Engine


class CutIn:
    """See the module. One per session.

    The agent's hook `on_user_turn_exceeded` is called unless the agent begins to speak by itself. While it runs, or
    another agent takes over, the user may go on.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: asyncio.Task[None] | None = None
        self._running = False

    def exceeded(self, action: inputs.TellExceeded) -> None:
        """The user talked too long, as of now."""
        engine = self._engine
        engine.report.emit(
            ev.UserTurnExceeded(action.transcript, action.accumulated_words, action.duration), action.cause
        )
        if self._running or engine.agents.switching:
            return
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = engine.spawn(self._cut_in(action), "user turn exceeded")

    async def _cut_in(self, action: inputs.TellExceeded) -> None:
        from agent_runtime.voice.events import UserTurnExceededEvent

        engine, machine = self._engine, self._engine.machine
        event = UserTurnExceededEvent(
            transcript=action.transcript,
            accumulated_transcript=action.accumulated_transcript,
            accumulated_word_count=action.accumulated_words,
            duration=action.duration,
            created_at=engine.report.wall(),
        )
        await engine.turns.until(lambda: machine.agent_state == "speaking" or engine.is_idle(None))
        if machine.agent_state == "speaking" or engine.agents.switching or engine.session._closing is not None:
            return
        agent, turn_id, began = engine.require_agent(), engine.report.turn_id, engine.clock.now()
        self._running = True
        try:
            await agent.on_user_turn_exceeded(event)
        except Exception as error:
            engine.report.failed(f"hook on_user_turn_exceeded of {agent.id}", error, turn_id=turn_id)
        finally:
            self._running = False
            engine.report.emit(ev.HookFinished("on_user_turn_exceeded", engine.clock.now() - began), turn_id=turn_id)
