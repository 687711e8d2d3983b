"""Notices when something blocks the runtime's loop, and says which line."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from math import ceil
from time import monotonic
from types import FrameType
from typing import Final

from agent_runtime.events import LoopBlocked, LoopLag, LoopStalled

BEAT: Final = 0.02
"""Seconds between two signs of life of the loop, and between two looks at them."""
LOOKS: Final = 4
"""Looks in a row without a new sign: a call that blocks is caught 60 to 100 ms after it began. They are counted, not
timed: where the whole process gets no processor, this thread doesn't get to look either."""
LAG_WINDOW: Final = 10.0
"""Seconds back from now whose lags are told."""
LAG_INTERVAL: Final = 1.0
"""Seconds between two times that they are."""


class LoopWatchdog:
    """Watches one loop from a thread of its own.

    Each blockage is told twice: when it is noticed, with the stack and the innermost line of the user's own code, where
    there is one; and when it is over, with its length. How late each sign of life came is told once a second. Start and
    stop it on the loop.

    Args:
        loop: the running loop.
        emit: gets `LoopStalled` in the watchdog's thread, since the loop can't tell it, and the others on the loop.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, emit: Callable[[LoopStalled | LoopBlocked | LoopLag], object]
    ) -> None:
        self._loop = loop
        self._emit = emit
        self._loop_thread = threading.get_ident()
        self._beat_at = monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._due = loop.time()
        self._lags = Lags()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="loop-watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._due = self._loop.time()
        self._beat()
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        self._beat_at = monotonic()
        now = self._loop.time()
        if (lag := self._lags.add(now, now - self._due)) is not None:
            self._emit(lag)
        self._due = now + BEAT
        self._timer = self._loop.call_at(self._due, self._beat)

    def _watch(self) -> None:
        seen, looks = self._beat_at, 0
        while not self._stopped.wait(BEAT):
            if self._beat_at != seen:
                seen, looks = self._beat_at, 0
                continue
            looks += 1
            if looks == LOOKS:
                self._follow(seen)

    def _follow(self, seen: float) -> None:
        """Tell of a loop that shows no sign of life since `seen`, now and when it does again."""
        frame = sys._current_frames().get(self._loop_thread)
        stack = _stack_of(frame)
        del frame  # it would keep alive what its variables hold
        # A loop that waits for its selector isn't blocked: it didn't get the processor, or the interpreter's lock.
        if not stack or stack[-1].filename.endswith("selectors.py") or self._beat_at != seen:
            return
        place, text = _culprit(stack), "".join(traceback.format_list(stack))
        self._emit(LoopStalled(monotonic() - seen, *place, text))
        while self._beat_at == seen and not self._stopped.wait(BEAT):
            pass
        if not self._stopped.is_set():
            self._tell(LoopBlocked(self._beat_at - seen, *place, text))

    def _tell(self, data: LoopBlocked) -> None:
        try:
            self._loop.call_soon_threadsafe(self._emit, data)
        except RuntimeError:
            return  # the loop was closed meanwhile


class Lags:
    """How late a loop came to what was due, over the last `LAG_WINDOW` seconds."""

    def __init__(self) -> None:
        self._lags: deque[tuple[float, float]] = deque()
        self._told_at: float | None = None

    def add(self, now: float, lag: float) -> LoopLag | None:
        """One more; once in `LAG_INTERVAL` what they come to."""
        lags = self._lags
        lags.append((now, max(0.0, lag)))
        while lags[0][0] < now - LAG_WINDOW:
            lags.popleft()
        if self._told_at is None:
            self._told_at = now
        if now - self._told_at < LAG_INTERVAL:
            return None
        self._told_at = now
        ordered = sorted(seconds for _, seconds in lags)
        p99, worst = ordered[ceil(0.99 * len(ordered)) - 1], ordered[-1]
        return LoopLag(round(p99, 4), round(worst, 4), round(now - lags[0][0], 2))


def _stack_of(frame: FrameType | None) -> list[traceback.FrameSummary]:
    return list(traceback.extract_stack(frame)) if frame is not None else []


def _culprit(stack: list[traceback.FrameSummary]) -> tuple[str, int]:
    """The innermost line that isn't the standard library's, an installed package's or ours; else the innermost."""
    foreign = ("site-packages", "/agent_runtime/", "/agent_tools/", "<frozen", sys.base_prefix)
    own = [entry for entry in stack if not any(mark in entry.filename for mark in foreign)]
    entry = (own or stack)[-1]
    return entry.filename, entry.lineno or 0
