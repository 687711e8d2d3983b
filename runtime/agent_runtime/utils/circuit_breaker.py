"""Leaving a provider alone after it failed, and finding out when it is back."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from agent_runtime.clock import Clock, LoopClock

CircuitState: TypeAlias = Literal["closed", "open", "half_open"]

DEFAULT_COOLDOWN: Final = 1.0
DEFAULT_MAX_COOLDOWN: Final = 30.0


class CircuitBreaker:
    """Tells whether a provider should be asked.

        closed ── failure ──► open ── begin_probe ──► half_open ── success ──► closed
                                ▲                         │
                                └──────── failure ────────┘

    While it is open, requests go elsewhere at once. A probe is one request whose failure hurts nobody. The first may be
    made right after the failure, since most failures pass at once; after a probe that failed, the next one waits for
    `cooldown` seconds, then twice as long, and so on up to `max_cooldown`.
    """

    def __init__(
        self,
        *,
        cooldown: float = DEFAULT_COOLDOWN,
        max_cooldown: float = DEFAULT_MAX_COOLDOWN,
        clock: Clock | None = None,
    ) -> None:
        self._cooldown = cooldown
        self._max_cooldown = max_cooldown
        self._clock = clock or LoopClock()
        self._state: CircuitState = "closed"
        self._failed_probes = 0
        self._probe_at = 0.0

    @property
    def state(self) -> CircuitState:
        """Where it is in the drawing."""
        return self._state

    @property
    def available(self) -> bool:
        """Whether requests should go to the provider: it is closed."""
        return self._state == "closed"

    def record_success(self) -> bool:
        """A request or probe succeeded. Returns whether this made the provider available again."""
        changed = self._state != "closed"
        self._state = "closed"
        self._failed_probes = 0
        return changed

    def record_failure(self) -> bool:
        """A request or probe failed. Returns whether this made the provider unavailable."""
        was_available = self._state == "closed"
        if self._state == "half_open":
            self._probe_at = self._clock.now() + min(self._cooldown * 2**self._failed_probes, self._max_cooldown)
            self._failed_probes += 1
        elif was_available:
            self._probe_at = self._clock.now()
        self._state = "open"
        return was_available

    def begin_probe(self) -> bool:
        """Whether a probe may be made now; it must be followed by `record_…` or `abandon_probe`."""
        if self._state != "open" or self._clock.now() < self._probe_at:
            return False
        self._state = "half_open"
        return True

    def abandon_probe(self) -> None:
        """The probe was cancelled, which says nothing about the provider."""
        if self._state == "half_open":
            self._state = "open"
