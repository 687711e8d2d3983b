"""Turns as trees of spans, made of nothing but the session's events.

`turn` reaches from the user's first voiced frame (or text) to the last sample played. Within it, `wait` is what the
person waited for the answer: its children follow each other without a gap, because they are the parts of
`TurnMeasured`. Beside it lies the work itself, which may overlap: requests to the model, tools, synthesis, playout.
Names of attributes are those of OpenTelemetry's conventions for generative AI, where those have one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from agent_runtime import events as ev
from agent_runtime.events import AnyEvent
from agent_runtime.telemetry.open_turn import OpenTurn
from agent_runtime.telemetry.spans import Turn

_KEPT_OPEN = 4
"""Turns without a reply that are kept in case one still comes: a hook may take long while the user speaks on."""
_REMEMBERED = 64
"""Turns that were told, of which more may still come."""


class TurnSpans:
    """Reads a session's events and hands on each turn once it is over.

    Args:
        on_turn: gets the turns, within `feed`.
        capture_content: whether attributes may hold what was said and what tools were given and gave back.
    """

    def __init__(self, on_turn: Callable[[Turn], None], *, capture_content: bool = False) -> None:
        self._on_turn = on_turn
        self._capture_content = capture_content
        self._agent = ""
        self._open: dict[str, OpenTurn] = {}
        self._told: deque[str] = deque(maxlen=_REMEMBERED)

    def feed(self, event: AnyEvent) -> None:
        """The next event, in the stream's order."""
        data: Any = event.data
        if isinstance(data, ev.AgentChanged):
            self._agent = data.new
        elif isinstance(data, ev.SessionClosed):
            self.close(event.time)
        elif event.turn_id is not None and (turn := self._turn_of(event)) is not None:
            turn.feed(event)
            if turn.over:
                self._tell(turn, event.time)
            if len(self._open) > _KEPT_OPEN:
                self._tell_silent_ones(event.time)

    def close(self, time: float) -> None:
        """No more events: tell what is open as it is."""
        for turn in list(self._open.values()):
            self._tell(turn, time)

    def _turn_of(self, event: AnyEvent) -> OpenTurn | None:
        turn_id = event.turn_id
        assert turn_id is not None
        turn = self._open.get(turn_id)
        if turn is None and isinstance(event.data, ev.TurnStarted | ev.SpeechCreated):
            turn = OpenTurn(event, agent=self._agent, capture_content=self._capture_content)
            self._open[turn_id] = turn
        return turn

    def _tell_silent_ones(self, time: float) -> None:
        silent = [turn for turn in self._open.values() if turn.silent]
        for turn in silent[:-_KEPT_OPEN]:
            self._tell(turn, time)

    def _tell(self, turn: OpenTurn, time: float) -> None:
        del self._open[turn.turn_id]
        continues = turn.turn_id in self._told
        if not continues:
            self._told.append(turn.turn_id)
        self._on_turn(Turn(turn.turn_id, turn.finish(time), continues))
