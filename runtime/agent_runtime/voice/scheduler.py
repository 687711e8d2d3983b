"""Whose turn it is among the agent's speeches: by priority, then by age, one at a time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from agent_runtime.clock import Clock, TimerHandle
from agent_runtime.voice.speech_handle import SpeechHandle


class SpeechScheduler:
    """Gives the floor to one speech after the other.

    `on_taken` is called when a speech gets the floor, `on_released` when it gave it back, before the next one gets it.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        on_taken: Callable[[SpeechHandle], None],
        on_released: Callable[[SpeechHandle], None],
    ) -> None:
        self._clock = clock
        self._on_taken = on_taken
        self._on_released = on_released
        self._queue: list[tuple[int, int, SpeechHandle]] = []
        self._order = itertools.count()
        self._delay: TimerHandle | None = None
        self._last_end: float | None = None
        self.current: SpeechHandle | None = None
        self._held = False
        self.min_delay = 0.0
        """Seconds of silence between two speeches."""

    @property
    def queued(self) -> list[SpeechHandle]:
        """Speeches that wait, in the order in which they will come."""
        return [speech for _, _, speech in sorted(self._queue, key=lambda entry: entry[:2]) if not speech.done()]

    @property
    def idle(self) -> bool:
        """Whether nobody has the floor and nobody waits for it."""
        return self.current is None and not any(not speech.done() for _, _, speech in self._queue)

    def schedule(self, speech: SpeechHandle, priority: int) -> None:
        """Put it into the queue; it may get the floor before this returns."""
        heapq.heappush(self._queue, (-priority, next(self._order), speech))
        speech._mark_scheduled()
        self.advance()

    def hold(self) -> None:
        """Nobody gets the floor from now on; who has it keeps it."""
        self._held = True

    def go_on(self) -> None:
        """Give the floor again."""
        self._held = False
        self.advance()

    def release(self, speech: SpeechHandle) -> None:
        """The speech has nothing more to play for now. Does nothing if it doesn't have the floor."""
        if self.current is not speech:
            return
        self.current = None
        self._last_end = self._clock.now()
        speech._end_step()
        self._on_released(speech)
        self.advance()

    def advance(self) -> None:
        """Give the floor to the next one if it is free."""
        while self.current is None and self._delay is None and self._queue and not self._held:
            if self._queue[0][2].done():
                heapq.heappop(self._queue)
                continue
            if self._last_end is not None and self.min_delay > 0:
                when = self._last_end + self.min_delay
                if when > self._clock.now():
                    self._delay = self._clock.call_at(when, self._delay_is_over)
                    return
            _, _, speech = heapq.heappop(self._queue)
            self.current = speech
            self._on_taken(speech)
            speech._authorize()

    def _delay_is_over(self) -> None:
        self._delay = None
        self._last_end = None
        self.advance()

    def close(self) -> None:
        """Forget the queue; whoever has the floor keeps it."""
        if self._delay is not None:
            self._delay.cancel()
            self._delay = None
        self._queue.clear()
