"""Writes a bundle while its session runs, in a thread of its own: what has happened is on disk within half a second."""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from agent_runtime.bundle.code_copy import SourceTree, copy_code
from agent_runtime.bundle.layout import AGENT_WAV, CONFIG, EVENTS, USER_WAV, CodeCopy, Manifest, write_manifest
from agent_runtime.bundle.lock import lock
from agent_runtime.bundle.scrubbing import Scrubber
from agent_runtime.bundle.track import Track
from agent_runtime.errors import BundleError, MediaError
from agent_runtime.events import FIGURES, AnyEvent, InputMuted
from agent_runtime.events.codec import dumps
from agent_runtime.records import record

logger = logging.getLogger(__name__)

SAVE_EVERY: Final = 0.1
"""Seconds between two moments at which everything that can be is on disk."""
HOLD: Final = 0.3
"""Seconds that the microphone's blocks are held back; see `Track`."""
WAITING: Final = 20_000
"""Things that may wait for the disk, about a minute's worth. From there on sound and meters are left out, never what
happened."""

Who: TypeAlias = Literal["user", "agent"]


@record(frozen=True, slots=True)
class _Sound:
    who: Who
    end: float
    samples: NDArray[np.int16]
    rate: int


@record(frozen=True, slots=True)
class _Code:
    read: Callable[[], SourceTree]
    time: float


@record(frozen=True, slots=True)
class _End:
    time: float


_Item: TypeAlias = "AnyEvent | _Sound | _Code | _End"


class Recorder:
    """Writes one bundle. All methods but `close` return at once, from any thread.

    Args:
        folder: a folder that isn't there yet, or is empty.
        manifest: what is known of the session by now.
        scrubber: takes out secrets.
        config: the settings in effect, as plain data.
        now: the session's time, in seconds.
        on_failure: is told, in the recorder's thread, why nothing more is written.

    Raises:
        BundleError: the folder can't be made or written.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        *,
        scrubber: Scrubber,
        config: Mapping[str, Any],
        now: Callable[[], float],
        on_failure: Callable[[str], None] = lambda problem: None,
    ) -> None:
        self.folder = folder
        self._manifest = manifest
        self._scrubber = scrubber
        self._now = now
        self._on_failure = on_failure
        self._items: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._left_out = 0
        self._muted = False
        self._closed = False
        self._tracks = {
            "user": Track(folder / USER_WAV, begins=manifest.begins, hold=HOLD),
            "agent": Track(folder / AGENT_WAV, begins=manifest.begins),
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise BundleError(str(folder), "isn't empty: record into a new folder")
            write_manifest(folder, manifest)
            text = json.dumps(scrubber.value(dict(config)), indent=2, ensure_ascii=False)
            (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
            self._events = (folder / EVENTS).open("w", encoding="utf-8")
            lock(self._events)
        except OSError as exc:
            raise BundleError(str(exc.filename or folder), f"can't be written: {exc.strerror}") from exc
        self._thread = threading.Thread(target=self._run, name="session-recorder", daemon=True)
        self._thread.start()

    def event(self, event: AnyEvent) -> None:
        """It happened."""
        if isinstance(event.data, FIGURES) and self._full():
            return
        self._items.put(event)

    def sound(self, who: Who, end: float, samples: NDArray[np.int16], rate: int) -> None:
        """`int16[samples]` of `rate` Hz were heard, the last of them at second `end`; the array is kept as it is."""
        if not self._full():
            self._items.put(_Sound(who, end, samples, rate))

    def code(self, read: Callable[[], SourceTree], time: float) -> None:
        """Other code is in use from second `time`; `read` gives it, and is called in the recorder's thread."""
        self._items.put(_Code(read, time))

    def close(self, timeout: float = 1.0) -> bool:
        """Write what is waiting and close the files; False if `timeout` seconds weren't enough."""
        if not self._closed:
            self._closed = True
            self._items.put(_End(self._now()))
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _full(self) -> bool:
        if self._items.qsize() < WAITING:
            return False
        self._left_out += 1
        return True

    def _run(self) -> None:
        try:
            with self._events:
                self._write_until_the_end()
        except (OSError, MediaError, BundleError) as exc:
            logger.error("the session is no longer recorded: %s", exc)
            self._on_failure(exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc))
        except Exception as exc:  # a fault of ours: nobody else would hear of it, and what happens on would pile up
            logger.exception("the session is no longer recorded")
            self._on_failure(f"{type(exc).__name__}: {exc}")

    def _write_until_the_end(self) -> None:
        while True:
            save_at = time.monotonic() + SAVE_EVERY
            while (wait := save_at - time.monotonic()) > 0:
                try:
                    item = self._items.get(timeout=wait)
                except queue.Empty:
                    break
                if isinstance(item, _End):
                    self._finish(item.time)
                    return
                self._write(item)
            self._events.flush()
            for track in self._tracks.values():
                track.save(self._now())

    def _write(self, item: AnyEvent | _Sound | _Code) -> None:
        if isinstance(item, _Sound):
            # What isn't listened to isn't written down either.
            silent = item.who == "user" and self._muted
            samples = np.zeros_like(item.samples) if silent else item.samples
            self._tracks[item.who].put(item.end, samples, item.rate)
        elif isinstance(item, _Code):
            self._write_code(item)
        else:
            self._write_event(item)

    def _write_event(self, event: AnyEvent) -> None:
        if isinstance(event.data, InputMuted):
            self._muted = event.data.muted
        try:
            line = dumps(event)
        except ValueError as exc:
            logger.error("the event %d can't be recorded: %s", event.seq, exc)
            return
        self._events.write(self._scrubber.line(line) + "\n")

    def _write_code(self, code: _Code) -> None:
        number = len(self._manifest.code) + 1
        entry = copy_code(code.read(), self.folder, number, self._scrubber)
        copy = CodeCopy(folder=entry.parts[0] + "/" + entry.parts[1], entry="/".join(entry.parts[2:]), time=code.time)
        self._change_manifest(code=(*self._manifest.code, copy))

    def _finish(self, end: float) -> None:
        for track in self._tracks.values():
            track.close(end)
        self._events.flush()
        self._change_manifest(complete=True)

    def _change_manifest(self, **changes: Any) -> None:
        self._manifest = self._manifest.model_copy(update={"left_out": self._left_out, **changes})
        write_manifest(self.folder, self._manifest)
