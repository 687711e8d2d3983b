"""Which turn an item of the conversation belongs to, and which agent had the conversation in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent_runtime.events import AgentChanged, AnyEvent, ItemAdded, TurnStarted

if TYPE_CHECKING:
    from agent_runtime.llm import ChatItem
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.engine import Engine

NEW_CODE = "reload"
"""The cause of a change of agents in which the new one stands in for the old one, in the past too."""


class TurnLog:
    """Follows a session's events from its start."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._number_of: dict[str, int] = {}
        self._turn_of: dict[str, str] = {}
        self._agents: list[tuple[int, Agent]] = []
        """Who took over, and in which turn."""
        engine.report.stream.subscribe(self._note, types=(TurnStarted, ItemAdded, AgentChanged))

    def _note(self, event: AnyEvent) -> None:
        data = event.data
        if isinstance(data, TurnStarted):
            self._number_of[event.turn_id or ""] = len(self._number_of) + 1
        elif isinstance(data, ItemAdded):
            if event.turn_id is not None:
                self._turn_of[data.item["id"]] = event.turn_id
        elif (agent := self._engine.agent) is not None:
            if event.cause == NEW_CODE and self._agents:
                old = self._agents[-1][1]
                self._agents = [(turn, agent if one is old else one) for turn, one in self._agents]
            else:
                self._agents.append((self._number_of.get(event.turn_id or "", len(self._number_of)), agent))

    def knows(self, turn_id: str) -> bool:
        """Whether there was such a turn."""
        return turn_id in self._number_of

    def turn_of(self, item: ChatItem) -> str | None:
        """The turn in which an item was added; None where nothing was said yet, or it was put there by hand."""
        return self._turn_of.get(item.id)

    def put(self, item: ChatItem, turn_id: str | None) -> None:
        """An item that was put there by hand counts to that turn."""
        if turn_id is not None:
            self._turn_of[item.id] = turn_id

    def agent_at(self, turn_id: str) -> Agent | None:
        """Who had the conversation at the end of a turn."""
        number = self._number_of[turn_id]
        return next((agent for turn, agent in reversed(self._agents) if turn <= number), None)

    def until(self, items: Sequence[ChatItem], turn_id: str) -> list[ChatItem]:
        """The items up to the end of a turn. One of no turn stays with what it follows."""
        last = self._number_of[turn_id]
        for index, item in enumerate(items):
            turn = self._turn_of.get(item.id)
            if turn is not None and self._number_of.get(turn, 0) > last:
                return list(items[:index])
        return list(items)
