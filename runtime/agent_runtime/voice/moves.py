"""Changes of the agent that has the conversation, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Move:
    """A handoff, or the begin or end of an `AgentTask`: from the request to its end."""

    def __init__(self) -> None:
        self.begun = False
        self.held = False
        """Whether it waits for an `AgentTask` that a hook of it awaits: others go on meanwhile."""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Moves:
    """See the module. In the order in which they take place."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._moves: list[Move] = []
        self._changed: asyncio.Future[None] | None = None

    @property
    def under_way(self) -> list[Move]:
        """Those that are about to change the agent."""
        return [move for move in self._moves if not move.held]

    def request(self, *, first: bool = False) -> Move:
        """A move after all others; `first`: before those that haven't begun."""
        move = Move()
        begun = sum(other.begun for other in self._moves)
        self._moves.insert(begun if first else len(self._moves), move)
        self.tell()
        return move

    async def begin(self, move: Move, ready: Callable[[], Awaitable[None]]) -> None:
        """Wait until it is its turn and `ready` has returned."""
        while True:
            await ready()
            if self._is_next(move):
                move.begun = True
                # The begun ones stand first, in the order in which they began.
                self._moves.remove(move)
                self._moves.insert(sum(other.begun for other in self._moves), move)
                return
            await self.changed()

    def _is_next(self, move: Move) -> bool:
        before = self._moves[: self._moves.index(move)]
        return all(other.held for other in before)

    def end(self, move: Move) -> None:
        """It is over, whatever came of it. Does nothing the second time."""
        if move in self._moves:
            self._moves.remove(move)
            move.done.set_result(None)
            self.tell()

    def hold(self, move: Move, held: bool) -> None:
        """Let others go on, or no longer."""
        move.held = held
        self.tell()

    async def settled(self) -> None:
        """Wait until no other agent is about to take over."""
        while self.under_way:
            await self.changed()

    def tell(self) -> None:
        """Something is otherwise than it was: wake whoever waits for that."""
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.set_result(None)
        self._on_change()

    @property
    def change(self) -> asyncio.Future[None]:
        """Ends with the next change."""
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        return self._changed

    async def changed(self) -> None:
        """Wait for the next change."""
        await asyncio.shield(self.change)
