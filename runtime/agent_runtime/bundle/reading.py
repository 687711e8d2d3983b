"""Opens a bundle: what is needed to show it at once, the rest when it is asked for."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

from agent_runtime.bundle.layout import (
    AGENT_WAV,
    CONFIG,
    EVENTS,
    MANIFEST,
    USER_WAV,
    VERSION,
    CodeCopy,
    Manifest,
    read_manifest,
)
from agent_runtime.bundle.lock import is_locked
from agent_runtime.errors import BundleError, EventDecodeError
from agent_runtime.events import AnyEvent
from agent_runtime.events.codec import loads
from agent_runtime.records import record

logger = logging.getLogger(__name__)

_METER: Final = b'"type":"audio_meter"'
_TURN: Final = (b'"turn_started"',)
_STANDING: Final = (b'"session_started"', b'"agent_changed"', b'"device_changed"', b'"input_muted"')
_CHUNK: Final = 1 << 22
"""Bytes that are searched at a time."""


@record(frozen=True, slots=True)
class TurnMark:
    """Where a turn begins."""

    number: int
    """As the session counts."""
    turn_id: str
    time: float
    """Second of the session."""
    offset: int
    """Byte of the line in the file of events."""


class Bundle:
    """A recorded session. Nothing but its manifest is read when it is opened.

    Opened too: the bare file of events that `--events` writes, as a bundle without sound and code.
    """

    def __init__(self, folder: Path, events: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self._events = events

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a folder, or a file of events. Raises BundleError, which names file, line and field."""
        path = Path(path).expanduser()
        if path.is_file() and path.suffix == ".jsonl":
            return cls(path.parent, path, _manifest_of_events(path))
        if path.is_file():
            raise BundleError(str(path), "is no bundle: name a bundle's folder, or a file of events, *.jsonl")
        if not path.is_dir():
            raise BundleError(str(path), "there is no such bundle")
        if not (path / MANIFEST).exists():
            raise BundleError(str(path), _why_no_bundle(path))
        bundle = cls(path, path / EVENTS, read_manifest(path))
        if not bundle._events.is_file():
            raise BundleError(str(path), f"has no {EVENTS}")
        return bundle

    @property
    def user_wav(self) -> Path | None:
        """What the session heard; None without sound."""
        return self._sound(USER_WAV)

    @property
    def agent_wav(self) -> Path | None:
        """What was heard of the agent; None without sound."""
        return self._sound(AGENT_WAV)

    @property
    def code(self) -> tuple[CodeCopy, ...]:
        """The versions of the code, in the order in which they were in use."""
        return self.manifest.code

    @cached_property
    def config(self) -> dict[str, Any]:
        """The settings that were in effect. Raises BundleError."""
        path = self.folder / CONFIG
        if not path.is_file() or not self.has_manifest:
            return {}
        try:
            config = json.loads(path.read_bytes())
        except json.JSONDecodeError as exc:
            raise BundleError(str(path), f"isn't JSON: {exc.msg}", line=exc.lineno) from exc
        if not isinstance(config, dict):
            raise BundleError(str(path), "has to be a JSON object", line=1)
        return config

    @property
    def has_manifest(self) -> bool:
        """False where it is a bare file of events."""
        return self._events.name == EVENTS and self.manifest.made_by != ""

    @property
    def is_empty(self) -> bool:
        """Whether not a single event is in it."""
        return self._events.stat().st_size == 0

    @property
    def is_being_written(self) -> bool:
        """Whether a process has it open for writing; False where that can't be found out."""
        return not self.manifest.complete and is_locked(self._events)

    def events(self, offset: int = 0) -> Iterator[AnyEvent]:
        """Events from byte `offset` on, which has to be the beginning of a line.

        A last line that was cut off is left out. Raises BundleError for any other that can't be read.
        """
        return (event for _, event in self.events_with_offsets(offset))

    def events_with_offsets(
        self, offset: int = 0, *, meters: bool = True, growing: bool = False
    ) -> Iterator[tuple[int, AnyEvent]]:
        """Events, each with the byte at which the line after it begins; readings of meters only if wanted.

        In a file that is `growing` nobody minds a last line without its end.
        """
        with self._events.open("rb") as file:
            file.seek(offset)
            for line in file:
                begin, offset = offset, offset + len(line)
                if line.isspace() or not (meters or _METER not in line):
                    continue
                try:
                    event = loads(line)
                except EventDecodeError as exc:
                    if not line.endswith(b"\n"):
                        if not growing:
                            logger.warning("%s: the last event is cut off and left out", self._events)
                        return
                    raise self._error(begin, exc.problem) from None
                yield offset, event

    @cached_property
    def turns(self) -> tuple[TurnMark, ...]:
        """Where each turn begins. The lines of turns alone are parsed. Raises BundleError."""
        marks = []
        for begin, line in self._lines_with(_TURN, 0, None):
            if (mark := self._mark(line, begin)) is not None:
                marks.append(mark)
        return tuple(marks)

    def standing(self, begin: int, end: int) -> list[AnyEvent]:
        """Events between two lines' beginnings whose news lasts: sessions, agents, devices, muting.

        The other lines aren't parsed. Raises BundleError.
        """
        found = []
        for offset, line in self._lines_with(_STANDING, begin, end):
            try:
                event = loads(line)
            except EventDecodeError as exc:
                raise self._error(offset, exc.problem) from None
            if f'"{event.data.type}"'.encode() in _STANDING:  # else the words stand in some text
                found.append(event)
        return found

    @cached_property
    def duration(self) -> float:
        """Second of the session at which the last whole event happened; 0.0 without any."""
        with self._events.open("rb") as file:
            size = file.seek(0, 2)
            step = 1 << 16
            while size:
                file.seek(max(0, size - step))
                lines = file.read().split(b"\n")
                # The last one is empty, or cut off; the first one may have begun before.
                for line in reversed(lines[0 if step >= size else 1 : -1]):
                    try:
                        return loads(line).time
                    except EventDecodeError:
                        continue  # `events` says what is wrong with it
                if step >= size:
                    break
                step *= 4
        return 0.0

    def _lines_with(self, words: Sequence[bytes], begin: int, end: int | None) -> Iterator[tuple[int, bytes]]:
        """Whole lines with one of the words, each with the byte at which it begins; much faster than parsing."""
        with self._events.open("rb") as file:
            file.seek(begin)
            rest = b""
            while chunk := file.read(_CHUNK if end is None else max(0, min(_CHUNK, end - file.tell()))):
                text = rest + chunk
                last = text.rfind(b"\n") + 1
                starts = {start for word in words for start in _line_starts(text, word, last)}
                for start in sorted(starts):
                    yield begin + start, text[start : text.index(b"\n", start)]
                rest = text[last:]
                begin += last

    def _mark(self, line: bytes, offset: int) -> TurnMark | None:
        try:
            event = json.loads(line)
            if event["data"]["type"] != "turn_started":
                return None  # the words stand in some text
            return TurnMark(int(event["data"]["number"]), str(event["turn_id"]), float(event["time"]), offset)
        except (ValueError, KeyError, TypeError) as exc:
            raise self._error(offset, f"not an event: {exc}") from None

    def _sound(self, name: str) -> Path | None:
        path = self.folder / name
        return path if self.has_manifest and path.is_file() else None

    def _error(self, offset: int, problem: str) -> BundleError:
        with self._events.open("rb") as file:
            number = file.read(offset).count(b"\n") + 1
        return BundleError(str(self._events), problem, line=number)


def _why_no_bundle(folder: Path) -> str:
    inside = [path for path in folder.iterdir() if (path / MANIFEST).is_file()]
    if not inside:
        empty = not any(folder.iterdir())
        return "is no session bundle: " + ("it is empty" if empty else f"there is no {MANIFEST} in it")
    newest = max(inside, key=lambda path: path.stat().st_mtime)
    count = f"{len(inside)} bundle{'s' if len(inside) > 1 else ''}"
    return f"holds {count} and is none itself: name one, {newest} is the newest"


def _line_starts(text: bytes, word: bytes, end: int) -> Iterator[int]:
    """Where the lines begin that have the word in them."""
    at = text.find(word, 0, end)
    while at >= 0:
        yield text.rfind(b"\n", 0, at) + 1
        at = text.find(word, text.index(b"\n", at), end)


def _manifest_of_events(path: Path) -> Manifest:
    """What the first event of a bare file tells."""
    with path.open("rb") as file:
        line = file.readline()
    try:
        event = loads(line)
    except EventDecodeError as exc:
        raise BundleError(str(path), f"is no file of events: {exc.problem}", line=1) from None
    return Manifest(version=VERSION, session_id=event.session_id)
