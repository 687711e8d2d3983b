"""Leaving a provider alone after it failed, and finding out when it is back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias

from agent_runtime.clock import Clock, LoopClock

CircuitState: TypeAlias = Literal["closed", "open", "half_open"]
CircuitCause: TypeAlias = Literal["failed", "probe", "probe_failed", "probe_cancelled", "answered", "cooldown_over"]

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
        self.problem = ""
        """Why it failed last."""
        self.on_change: Callable[[CircuitCause], None] = lambda cause: None
        """Called after each change of `state`."""

    @property
    def state(self) -> CircuitState:
        """Where it is in the drawing."""
        return self._state

    @property
    def available(self) -> bool:
        """Whether requests should go to the provider: it is closed."""
        return self._state == "closed"

    def record_success(self, cause: CircuitCause = "answered") -> bool:
        """A request or probe succeeded. Returns whether this made the provider available again."""
        self._failed_probes = 0
        return self._change("closed", cause)

    def record_failure(self, problem: str = "") -> bool:
        """A request or probe failed. Returns whether this made the provider unavailable."""
        was_available, was_probed = self._state == "closed", self._state == "half_open"
        self.problem = problem or self.problem
        if was_probed:
            self._probe_at = self._clock.now() + min(self._cooldown * 2**self._failed_probes, self._max_cooldown)
            self._failed_probes += 1
        elif was_available:
            self._probe_at = self._clock.now()
        self._change("open", "probe_failed" if was_probed else "failed")
        return was_available

    def begin_probe(self) -> bool:
        """Whether a probe may be made now; it must be followed by `record_…` or `abandon_probe`."""
        if self._state != "open" or self._clock.now() < self._probe_at:
            return False
        return self._change("half_open", "probe")

    def abandon_probe(self) -> None:
        """The probe was cancelled, which says nothing about the provider."""
        if self._state == "half_open":
            self._change("open", "probe_cancelled")

    def _change(self, state: CircuitState, cause: CircuitCause) -> bool:
        changed = state != self._state
        self._state = state
        if changed:
            self.on_change(cause)
        return changed


class CircuitBoard:
    """The circuits of the providers that stand in for each other, best first, for who wants to know how they do."""

    def __init__(self) -> None:
        self.circuits: list[tuple[Any, CircuitBreaker]] = []
        """Each provider with its own."""
        self._listeners: list[Callable[[int, CircuitCause], None]] = []

    def add(self, provider: Any, breaker: CircuitBreaker) -> CircuitBreaker:
        """Put one at the end; returns the breaker."""
        number = len(self.circuits)
        self.circuits.append((provider, breaker))
        breaker.on_change = lambda cause: self._changed(number, cause)
        return breaker

    def listen(self, listener: Callable[[int, CircuitCause], None]) -> Callable[[], None]:
        """Call with the place of each that changes and why. Returns the function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _changed(self, number: int, cause: CircuitCause) -> None:
        for listener in tuple(self._listeners):
            listener(number, cause)
