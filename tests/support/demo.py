"""The console on a recorded conversation, played in real time: `python -m tests.support.demo [STORY] [THEME]`."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from agent_console.app import ConsoleApp
from agent_runtime.events import AnyEvent
from tests.support.backend import ScriptedBackend
from tests.support.conversation import STORIES


class PlayingBackend(ScriptedBackend):
    """Sends its events at their times, from a thread of its own."""

    def start(self, sink: Callable[[AnyEvent], None]) -> None:
        self._sink = sink
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def _play(self) -> None:
        now = 0.0
        for event in self._events:
            if event.time > now and self._stopped.wait(event.time - now):
                return
            now = max(now, event.time)
            self.send(event)

    def stop(self, timeout: float = 5.0) -> bool:
        self._stopped.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()


def main(story: str = "interrupted", theme: str = "nocturne") -> None:
    ConsoleApp(PlayingBackend(STORIES[story]().events), theme=theme).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
