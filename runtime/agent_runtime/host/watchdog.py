"""Notices when something blocks the runtime's loop, and says which line."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable
from time import monotonic
from types import FrameType
from typing import Final

from agent_runtime.events import LoopBlocked

BEAT: Final = 0.05
"""Seconds between two signs of life of the loop."""
BLOCKED: Final = 0.25
"""Seconds without one that are told: from here on audio is lost."""


class LoopWatchdog:
    """Watches one loop from a thread of its own.

    Each blockage is told once, when it is over, with the stack that was found while it lasted and the innermost line of
    the user's own code, where there is one. Start and stop it on the loop.

    Args:
        loop: the running loop.
        emit: gets `LoopBlocked`, on the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, emit: Callable[[LoopBlocked], None]) -> None:
        self._loop = loop
        self._emit = emit
        self._loop_thread = threading.get_ident()
        self._beat_at = monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="loop-watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._beat()
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        self._beat_at = monotonic()
        self._timer = self._loop.call_later(BEAT, self._beat)

    def _watch(self) -> None:
        while not self._stopped.wait(BEAT):
            seen = self._beat_at
            if monotonic() - seen < BLOCKED:
                continue
            frame = sys._current_frames().get(self._loop_thread)
            stack = _stack_of(frame)
            del frame  # it would keep alive what its variables hold
            while self._beat_at == seen and not self._stopped.wait(BEAT):
                pass
            # A loop that waits for its selector isn't blocked: it didn't get the processor, or the interpreter's lock.
            waits = not stack or stack[-1].filename.endswith("selectors.py")
            if not waits and not self._stopped.is_set():
                self._tell(LoopBlocked(self._beat_at - seen, *_culprit(stack), "".join(traceback.format_list(stack))))

    def _tell(self, data: LoopBlocked) -> None:
        try:
            self._loop.call_soon_threadsafe(self._emit, data)
        except RuntimeError:
            return  # the loop was closed meanwhile


def _stack_of(frame: FrameType | None) -> list[traceback.FrameSummary]:
    return list(traceback.extract_stack(frame)) if frame is not None else []


def _culprit(stack: list[traceback.FrameSummary]) -> tuple[str, int]:
    """The innermost line that isn't the standard library's, an installed package's or ours; else the innermost."""
    foreign = ("site-packages", "/agent_runtime/", "/agent_tools/", "<frozen", sys.base_prefix)
    own = [entry for entry in stack if not any(mark in entry.filename for mark in foreign)]
    entry = (own or stack)[-1]
    return entry.filename, entry.lineno or 0
