"""Every event as a line of JSON in a file, written off the runtime's loop."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path

from agent_runtime.events import AnyEvent

logger = logging.getLogger(__name__)


class EventLog:
    """Writes events to a file until it is closed; each line is on disk soon after its event.

    What the file held is replaced. Raises OSError if it can't be opened; a disk that fills up later is told once, in
    the log and to `on_failure` in a thread of its own, and ends the writing, not the conversation.
    """

    def __init__(self, path: Path, on_failure: Callable[[str], None] = lambda problem: None) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._on_failure = on_failure
        self._failed = False
        self._events: queue.SimpleQueue[AnyEvent | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="event-log", daemon=True)
        self._thread.start()

    def put(self, event: AnyEvent) -> None:
        """Have it written; from any thread, returns at once."""
        if not self._failed:
            self._events.put(event)

    def close(self, timeout: float = 1.0) -> None:
        """Write what is waiting and close the file."""
        self._events.put(None)
        self._thread.join(timeout)

    def _write(self) -> None:
        from agent_runtime.events.codec import dumps

        try:
            with self._file:
                while (event := self._events.get()) is not None:
                    self._write_line(event, dumps)
        except OSError as exc:
            self._failed = True
            problem = f"{self._file.name} is no longer written: {exc.strerror or exc}"
            logger.error(problem)
            self._on_failure(problem)

    def _write_line(self, event: AnyEvent, dumps: Callable[[AnyEvent], str]) -> None:
        try:
            self._file.write(dumps(event) + "\n")
        except ValueError as exc:
            logger.error("the event %d can't be written: %s", event.seq, exc)
        if self._events.empty():
            self._file.flush()
