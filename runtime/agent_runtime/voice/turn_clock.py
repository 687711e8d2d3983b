"""Where the time of a turn goes, from the user's last voiced frame to the agent's first audible sample."""

from __future__ import annotations

from agent_runtime.events import PartName, TurnMeasured, TurnPart


class TurnClock:
    """Marks along a turn. A mark ends the part that it names; the next part begins there.

    The parts can't but add up: each begins where the one before it ended, and a mark that lies before the last one (a
    reply that was begun early has its first token before the turn is over) ends its part at once, at zero length.
    """

    def __init__(self, start: float) -> None:
        self.start = start
        self._last = start
        self._parts: list[TurnPart] = []
        self._measured = False

    def mark(self, part: PartName, at: float, setting: str | None = None) -> None:
        """`part` ended at `at` (seconds on the session's clock). Marks after the measurement are ignored."""
        if self._measured or at <= self._last:
            return
        previous = self._parts[-1] if self._parts else None
        if previous is not None and previous.name == part and previous.setting == setting:
            self._parts[-1] = TurnPart(part, previous.start, at, setting)
        else:
            self._parts.append(TurnPart(part, self._last, at, setting))
        self._last = at

    def measure(self, end: float) -> TurnMeasured | None:
        """The whole, once: the agent is heard since `end`. None the second time."""
        if self._measured:
            return None
        self.mark("playout", end)
        self._measured = True
        return TurnMeasured(self.start, self._last, tuple(self._parts))
