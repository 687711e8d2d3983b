"""Where a recording is: playing or paused, at a speed, at a second of the session."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

SPEEDS: Final = (0.5, 0.75, 1.0, 1.5, 2.0, 4.0, 8.0)


class Transport:
    """Keeps the position by a monotonic clock; used from any thread, the audio device's too.

    Args:
        duration: seconds; the position never passes it.
        monotonic: seconds.
        speed: one of `SPEEDS`.
    """

    def __init__(self, duration: float, monotonic: Callable[[], float], *, speed: float = 1.0) -> None:
        self.duration = duration
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._speed = speed
        self._position = 0.0
        self._since: float | None = None

    @property
    def speed(self) -> float:
        """Seconds of the session for each second."""
        return self._speed

    @property
    def playing(self) -> bool:
        """Whether it moves."""
        return self._since is not None

    @property
    def position(self) -> float:
        """Second of the session."""
        with self._lock:
            return self._now()

    def play(self) -> None:
        """Move."""
        with self._lock:
            self._position, self._since = self._now(), self._monotonic()

    def pause(self) -> None:
        """Stand still."""
        with self._lock:
            self._position, self._since = self._now(), None

    def wind(self, position: float) -> None:
        """Be at this second, between the beginning and the end, playing or not as before."""
        with self._lock:
            self._position = min(max(0.0, position), self.duration)
            self._since = None if self._since is None else self._monotonic()

    def change_speed(self, steps: int) -> float:
        """Faster or slower by so many of `SPEEDS`; gives the new one."""
        with self._lock:
            self._position = self._now()
            self._since = None if self._since is None else self._monotonic()
            nearest = min(range(len(SPEEDS)), key=lambda index: abs(SPEEDS[index] - self._speed))
            self._speed = SPEEDS[min(max(0, nearest + steps), len(SPEEDS) - 1)]
            return self._speed

    def _now(self) -> float:
        if self._since is None:
            return self._position
        return min(self.duration, self._position + (self._monotonic() - self._since) * self._speed)
