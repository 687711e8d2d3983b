"""The session's time between two events, for countdowns and the clock in the header."""

from __future__ import annotations

from collections.abc import Callable


class SessionClock:
    """Goes on from the time of the newest event by a monotonic clock of the console's own."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._session_id = ""
        self._offset: float | None = None

    def heard(self, session_id: str, time: float) -> None:
        """An event of this session time was just seen.

        Events come late, never early, so within one session they only pull the clock forward.
        """
        offset = time - self._monotonic()
        if self._offset is None or offset > self._offset or session_id != self._session_id:
            self._session_id, self._offset = session_id, offset

    def now(self) -> float:
        """Seconds of the session; 0.0 before the first event."""
        return 0.0 if self._offset is None else self._offset + self._monotonic()
