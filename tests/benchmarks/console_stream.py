"""The console under a stream of events, for `bench_console`: `python -m tests.benchmarks.console_stream TURNS IN,OUT`.

A thread sends the events, as the runtime's does. It is told on descriptor IN for how many seconds, and answers on OUT
what the rest of the process did meanwhile: its own time isn't counted.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time
from collections.abc import Callable

from agent_console.app import ConsoleApp
from agent_runtime import events as ev
from agent_runtime.events import AnyEvent, Event
from tests.support.backend import ScriptedBackend
from tests.support.conversation import long_history

RATE = 100
"""Events a second, one each 10 ms: of ten 3 levels, 2 pieces of text, 2 of text that was heard, 3 lines of the log."""
_ORDER = ("level", "text", "log", "level", "heard", "log", "level", "text", "log", "heard")
_SENTENCE = 30
"""Words of a message."""


class StreamingBackend(ScriptedBackend):
    """Plays a history at once, then streams when it is asked to."""

    def __init__(self, turns: int) -> None:
        super().__init__(long_history(turns))
        self._seq = len(self._events)
        self._now = self._events[-1].time
        self._words = 0
        self._text = ""

    def begin_turn(self) -> None:
        """The turn that streams."""
        self._emit(ev.TurnStarted(99_999))

    def stream(self, seconds: float) -> int:
        """Send for that long, in real time; how many it were."""
        began, events = time.perf_counter(), round(seconds * RATE)
        parent = os.getppid()
        for count in range(events):
            if os.getppid() != parent:  # whoever asked is gone
                os._exit(1)
            time.sleep(max(0.0, began + count / RATE - time.perf_counter()))
            self._now += 1 / RATE
            self._emit(self._data(_ORDER[count % len(_ORDER)], count))
        return events

    def _emit(self, data: ev.EventData) -> None:
        self._seq += 1
        event: AnyEvent = Event(self._seq, self._now, "session-1", "turn-live", None, data)
        self.send(event)

    def _data(self, kind: str, count: int) -> ev.EventData:
        if kind == "level":
            level = -30.0 + 20.0 * ((count * 7919) % 100) / 100
            return ev.AudioMeter(level, level + 6, level - 4, (count * 31 % 100) / 100, 0.5)
        if kind == "log":
            return ev.LogWritten("info", "bench.log", f"line {count}")
        item = f"live-{self._words // _SENTENCE}"
        if kind == "heard":
            return ev.AgentHeard("live", item, self._text.strip(), self._now)
        word = f"word{self._words} "
        self._text = self._text + word if self._words % _SENTENCE else word
        self._words += 1
        return ev.AgentText("live", f"live-{(self._words - 1) // _SENTENCE}", word)


class CountingApp(ConsoleApp):
    """Counts what it draws."""

    frames = 0

    def post_display_hook(self) -> None:
        """A frame is drawn."""
        self.frames += 1


def control(app: CountingApp, backend: StreamingBackend, asked: int, answer: int) -> None:
    """Answer requests until there are no more."""

    def idle(seconds: float) -> int:
        time.sleep(seconds)
        return 0

    requests: dict[str, Callable[[float], int]] = {"stream": backend.stream, "idle": idle}
    while not app.is_settled:
        time.sleep(0.05)
    gc.collect()
    gc.freeze()  # as the runtime's host does once its models are loaded: a full collection takes 60 ms
    backend.begin_turn()
    with os.fdopen(asked) as lines, os.fdopen(answer, "w") as answers:
        print("{}", file=answers, flush=True)
        for line in lines:
            request = json.loads(line)
            frames, began = app.frames, time.perf_counter()
            cpu = time.process_time() - time.thread_time()
            events = requests[request["do"]](request["seconds"])
            result = {
                "events": events,
                "frames": app.frames - frames,
                "cpu": time.process_time() - time.thread_time() - cpu,
                "seconds": time.perf_counter() - began,
            }
            print(json.dumps(result), file=answers, flush=True)


def main(turns: str, descriptors: str) -> None:
    backend = StreamingBackend(int(turns))
    app = CountingApp(backend)
    asked, answer = map(int, descriptors.split(","))
    threading.Thread(target=control, args=(app, backend, asked, answer), daemon=True).start()
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
