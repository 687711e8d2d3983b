"""Recording a hosted session into a bundle: from its start, or from the moment when somebody asks for it."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent_runtime.errors import BundleError
from agent_runtime.events import (
    FIGURES,
    AgentChanged,
    AnyEvent,
    CircuitsChanged,
    DeviceChanged,
    EventData,
    EventStream,
    InputMuted,
    ModelLoading,
    RecordingChanged,
    ReloadFinished,
    SessionStarted,
)
from agent_runtime.settings_places import recordings_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agent_runtime.bundle.recorder import Recorder, Who
    from agent_runtime.clock import Clock
    from agent_runtime.io import AudioInput, AudioOutput
    from agent_runtime.project import WatchList
    from agent_runtime.settings import Settings

PAST: Final = 20_000
"""Events that are remembered, so that a recording that begins late tells what was said before."""
STANDING: Final = (SessionStarted, AgentChanged, DeviceChanged, InputMuted, ModelLoading, CircuitsChanged)
"""What stays true until another of its kind: the last of each is kept longer than `PAST` goes back."""

CodeInUse = Callable[[], "tuple[Path, WatchList]"]


class Recording:
    """What a host records, and whether it does.

    Args:
        settings: the settings in effect.
        agent: the agent as a command line names it.
        name: the agent's name, for the folder's.
        tell: emits an event of the session; from any thread.
        secrets: values that must not be written.
    """

    def __init__(
        self,
        settings: Settings,
        agent: str,
        tell: Callable[[EventData], None],
        secrets: Iterable[str],
        *,
        name: str = "",
    ) -> None:
        self._settings = settings
        self._agent = agent
        self._name = name or agent
        self._tell = tell
        self._secrets = list(secrets)
        self._lock = threading.RLock()
        self._past: deque[AnyEvent] = deque()
        self._standing: dict[tuple[object, ...], AnyEvent] = {}
        self._stream: EventStream | None = None
        self._code: CodeInUse | None = None
        self._recorder: Recorder | None = None

    @property
    def folder(self) -> Path | None:
        """The bundle that is being written, if one is."""
        return None if self._recorder is None else self._recorder.folder

    def put(self, event: AnyEvent) -> None:
        """An event happened, in whatever thread."""
        with self._lock:
            if self._recorder is not None:
                self._recorder.event(event)
                if isinstance(event.data, ReloadFinished):
                    self._copy_code()
            if not isinstance(event.data, FIGURES):
                self._remember(event)

    def follow(self, stream: EventStream) -> None:
        """The session is there; record it if the settings say so."""
        self._stream = stream
        if self._settings.record:
            self.start(begins=0.0)

    def use_code(self, code: CodeInUse) -> None:
        """Tell which files the agent's code is, now and after each reload."""
        with self._lock:
            self._code = code
            self._copy_code()

    def hear(self, source: AudioInput, clock: Clock) -> AudioInput:
        """The microphone, with what passes through it written down while it records."""
        from agent_runtime.bundle.taps import TappedInput

        return TappedInput(source, lambda end, samples, rate: self._sound("user", end, samples, rate, clock), clock)

    def speak(self, sink: AudioOutput, clock: Clock) -> AudioOutput:
        """The speaker, likewise."""
        from agent_runtime.bundle.taps import TappedOutput

        return TappedOutput(sink, lambda end, samples, rate: self._sound("agent", end, samples, rate, clock), clock)

    def start(self, *, begins: float | None = None) -> None:
        """Begin a bundle; while one is written already, do nothing. What goes wrong is told as an event.

        Args:
            begins: second of the session at which the sound begins; now if left out.
        """
        if self._recorder is not None or self._stream is None:
            return
        folder = self._new_folder()
        try:
            recorder = self._make(folder, self._stream, self._stream.now() if begins is None else begins)
        except BundleError as exc:
            self._tell(RecordingChanged("failed", str(folder), str(exc)))
            return
        with self._lock:
            for event in (*self._standing.values(), *self._past):
                recorder.event(event)
            self._recorder = recorder
            self._copy_code()
        self._tell(RecordingChanged("started", str(folder)))

    def stop(self) -> None:
        """Complete the bundle."""
        if self._recorder is not None:
            self._tell(RecordingChanged("stopped", str(self._recorder.folder)))
            self.close()

    def close(self) -> None:
        """Complete the bundle without a word: the session is over."""
        with self._lock:
            recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close()

    def _make(self, folder: Path, stream: EventStream, begins: float) -> Recorder:
        from importlib.metadata import version

        from agent_runtime.bundle import VERSION, Manifest, Recorder, Scrubber

        manifest = Manifest(
            version=VERSION,
            made_by=f"agent-console {version('agent-console')}",
            session_id=stream.session_id,
            agent=self._agent,
            started_at=time.time() - stream.now(),
            begins=begins,
        )
        config = self._settings.model_dump(mode="json")
        return Recorder(
            folder,
            manifest,
            scrubber=Scrubber(self._secrets),
            config=config,
            now=stream.now,
            on_failure=lambda problem: self._failed(folder, problem),
        )

    def _new_folder(self) -> Path:
        name = re.sub(r"[^\w.-]+", "-", self._name).strip("-.") or "session"
        first = (self._settings.recordings or recordings_folder()) / f"{time.strftime('%Y-%m-%d-%H%M%S')}-{name}"
        folder, number = first, 1
        while folder.exists():
            number += 1
            folder = first.with_name(f"{first.name}-{number}")
        return folder

    def _failed(self, folder: Path, problem: str) -> None:
        with self._lock:
            if self._recorder is not None and self._recorder.folder == folder:
                self._recorder = None
        self._tell(RecordingChanged("failed", str(folder), problem))

    def _remember(self, event: AnyEvent) -> None:
        self._past.append(event)
        if len(self._past) > PAST:
            old = self._past.popleft()
            if isinstance(old.data, STANDING):
                data: Any = old.data
                kind = getattr(data, "kind", getattr(data, "part", None))
                self._standing[type(data), kind] = old

    def _copy_code(self) -> None:
        if self._recorder is None or self._code is None or self._stream is None:
            return
        from agent_runtime.bundle.code_copy import SourceTree

        entry, watched = self._code()
        self._recorder.code(lambda: SourceTree.read(entry, {*watched.files, *watched.matches()}), self._stream.now())

    def _sound(self, who: Who, end: float, samples: NDArray[np.int16], rate: int, clock: Clock) -> None:
        recorder, stream = self._recorder, self._stream
        if recorder is not None and stream is not None:
            recorder.sound(who, end - clock.now() + stream.now(), samples, rate)
