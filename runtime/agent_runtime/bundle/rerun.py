"""Gives what the user of a recording said to the present code, through a session like any other, and compares."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from agent_runtime.agent_loader import LoadedAgent, Target, load_agent
from agent_runtime.bundle.comparison import Comparison, compare
from agent_runtime.bundle.reading import Bundle
from agent_runtime.bundle.turns import RecordedTurn, TurnReader, recorded_turns
from agent_runtime.errors import BundleError
from agent_runtime.events import (
    FIGURES,
    AgentStateChanged,
    AnyEvent,
    DeviceChanged,
    ErrorOccurred,
    LogWritten,
    PushToTalkChanged,
    RecordingChanged,
    SessionClosed,
    SessionStarted,
)
from agent_runtime.host import RuntimeHost

if TYPE_CHECKING:
    from agent_runtime.settings import Settings
    from agent_runtime.settings_layers import ResolvedSettings

QUIET: Final = 0.5
"""Seconds without anything after which an exchange is over."""
LAST_WORDS: Final = 3.0
"""Seconds that the agent has, after the last of the recorded sound, to begin an answer."""
PATIENCE: Final = 120.0
"""Seconds that an answer may take before the run is given up: a model may have to be loaded first."""


def rerun(
    bundle: Bundle,
    target: Target,
    resolved: ResolvedSettings,
    *,
    load: Callable[[Target], LoadedAgent] = load_agent,
    output: Path | None = None,
    tell: Callable[[str], None] = lambda text: None,
    show: Callable[[Comparison], None] | None = None,
    given_up: Callable[[], bool] = lambda: False,
) -> Comparison:
    """Run the recorded conversation again and put both beside each other. Blocks; speech takes its own time.

    Spoken turns go through the whole audio path, from the recorded sound on, in real time. Typed ones are sent when the
    exchange before them is over, or at their time where there is sound too; so are the presses of push-to-talk.

    Args:
        bundle: the recording.
        target: the present code.
        resolved: the settings to run it with.
        load: loads it.
        output: the folder that gets the new bundle; a temporary one if left out.
        tell: gets a word on how far it is.
        show: gets what there is to compare by now, each time that there is more.
        given_up: whether nobody wants to know any more.

    Raises:
        BundleError: the recording can't be read, or has no user in it.
        AgentLoadError: the code can't be loaded.
    """
    before = recorded_turns(bundle.events())
    said = [turn for turn in before if turn.user]
    if not said:
        raise BundleError(str(bundle.folder), "nobody said anything in it: there is nothing to run again")
    with ExitStack() as stack:
        folder = output or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="agent-console-")))
        spoken = bundle.user_wav is not None and any(turn.by != "text" for turn in said)
        settings = _settings(resolved.settings, bundle if spoken else None, folder)
        loaded = load(target)
        progress = None if show is None else _Progress(before, str(bundle.folder), show)
        run = _Run(RuntimeHost(lambda: settings, lambda: loaded), tell, progress, given_up)
        try:
            run.converse(said, _keys(bundle, said) if spoken else None, bundle.manifest.begins)
        finally:
            run.host.stop(10.0)
        if run.folder is None:
            raise BundleError(str(folder), run.problem or "the new session was not recorded")
        after = recorded_turns(Bundle.open(run.folder).events())
        kept = str(run.folder) if output is not None else ""
        return compare(before, after, notes=run.notes, before=str(bundle.folder), after=kept)


def _settings(settings: Settings, sound_of: Bundle | None, folder: Path) -> Settings:
    folder.mkdir(parents=True, exist_ok=True)
    changes: dict[str, Any] = {"record": True, "recordings": folder, "reload": False, "events": None}
    if sound_of is None:
        return settings.model_copy(update={**changes, "text": True})
    sound = {"input_wav": sound_of.user_wav, "output_wav": folder / "heard.wav"}
    return settings.model_copy(update={**changes, "text": False, "audio": settings.audio.model_copy(update=sound)})


Press = Literal["press", "send", "discard", "off"]
_PRESSES: Final[dict[str, Press]] = {"pressed": "press", "sent": "send", "discarded": "discard", "off": "off"}


def _keys(bundle: Bundle, said: list[RecordedTurn]) -> list[tuple[float, str, Press | None]]:
    """What the user did by hand while the sound was recorded: (second, text to type, or what to do with the key)."""
    typed: list[tuple[float, str, Press | None]] = [(turn.time, turn.user, None) for turn in said if turn.by == "text"]
    pressed: list[tuple[float, str, Press | None]] = [
        (event.time, "", _PRESSES[event.data.state])
        for event in bundle.events()
        if isinstance(event.data, PushToTalkChanged)
    ]
    return sorted((key for key in (*typed, *pressed) if key[0] >= bundle.manifest.begins), key=lambda key: key[0])


class _Progress:
    """Reads the new session's bundle while it is written: what is shown has no secret in it either."""

    def __init__(self, before: list[RecordedTurn], name: str, show: Callable[[Comparison], None]) -> None:
        self._before = before
        self._name = name
        self._show = show
        self._turns = TurnReader()
        self._offset = 0

    def look(self, folder: Path) -> None:
        """Show what there is by now, if it is more."""
        start = self._offset
        for offset, event in Bundle.open(folder).events_with_offsets(start, meters=False, growing=True):
            self._offset = offset
            self._turns.read(event)
        if self._offset > start:
            self._show(compare(self._before, self._turns.turns, before=self._name, running=True))


class _Run:
    """The new session, as somebody who types into it sees it."""

    def __init__(
        self,
        host: RuntimeHost,
        tell: Callable[[str], None],
        progress: _Progress | None,
        given_up: Callable[[], bool],
    ) -> None:
        self.host = host
        self.folder: Path | None = None
        self.problem: str | None = None
        self.notes: list[str] = []
        self._tell = tell
        self._progress = progress
        self._given_up = given_up
        self._changed = threading.Condition()
        self._started = self._over = self._sound_over = False
        self._sound_began: float | None = None
        self._agent = "initializing"
        self._last = time.monotonic()

    def converse(
        self, said: list[RecordedTurn], keys: list[tuple[float, str, Press | None]] | None, begins: float
    ) -> None:
        """Have the whole conversation, until it is over or given up; with `keys` beside the sound, else typed."""
        self.host.start(self._heard)
        if not self._wait(lambda: self._started or self._over, PATIENCE, "the session didn't start"):
            return
        if keys is None:
            self._type(said)
        else:
            self._speak(said, keys, begins)

    def _type(self, said: list[RecordedTurn]) -> None:
        if not self._wait(self._is_quiet, PATIENCE, "the agent didn't come to rest before the first turn"):
            return
        for number, turn in enumerate(said, start=1):
            if self._over:
                self.notes.append(f"the session ended before turn {number} of {len(said)}")
                return
            self._tell(f"turn {number} of {len(said)}: {turn.user}")
            self._touch()
            self.host.send_text(turn.user)
            if not self._wait(self._is_quiet, PATIENCE, f"turn {number} took longer than {PATIENCE:g} s"):
                return

    def _speak(self, said: list[RecordedTurn], keys: list[tuple[float, str, Press | None]], begins: float) -> None:
        self._tell(f"{len(said)} turns, in real time: {said[-1].time - begins:.0f} s and the last answer")
        # The sound waits until those who are to hear it are loaded.
        began = self._wait(lambda: self._sound_began is not None or self._over, PATIENCE, "the sound didn't begin")
        if not began or self._sound_began is None:
            return
        origin = self._sound_began - begins
        for second, text, press in keys:
            if not self._wait(partial(self._is_due, origin + second), None, ""):
                return
            if press is None:
                self.host.send_text(text)
            else:
                self.host.push_to_talk(press)
        if not self._wait(lambda: self._sound_over or self._over, None, ""):
            return
        self._touch()
        self._wait(lambda: self._is_quiet(LAST_WORDS), PATIENCE, f"the last answer took longer than {PATIENCE:g} s")

    def _is_due(self, moment: float) -> bool:
        return self._over or time.monotonic() >= moment

    def _is_quiet(self, seconds: float = QUIET) -> bool:
        resting = self._agent in ("listening", "idle") and time.monotonic() - self._last >= seconds
        return resting or self._over

    def _wait(self, condition: Callable[[], bool], seconds: float | None, problem: str) -> bool:
        """Wait for it; note the problem if it doesn't come. None waits as long as it takes."""
        deadline = float("inf") if seconds is None else time.monotonic() + seconds
        while True:
            with self._changed:
                if condition():
                    return True
                if time.monotonic() >= deadline:
                    self.notes.append(problem)
                    return False
                self._changed.wait(0.02)
            if self._given_up():
                self.notes.append("it was given up")
                return False
            if self._progress is not None and self.folder is not None:
                self._progress.look(self.folder)

    def _touch(self) -> None:
        with self._changed:
            self._last = time.monotonic()

    def _heard(self, event: AnyEvent) -> None:
        data = event.data
        if isinstance(data, (*FIGURES, LogWritten)):
            return
        with self._changed:
            self._last = time.monotonic()
            if isinstance(data, SessionStarted):
                self._started = True
            elif isinstance(data, SessionClosed):
                self._over = True
            elif isinstance(data, AgentStateChanged):
                self._agent = data.new
            elif isinstance(data, RecordingChanged):
                self.folder, self.problem = Path(data.folder), data.problem
            elif isinstance(data, DeviceChanged) and data.kind == "input":
                self._sound_over |= data.state == "closed"
                if data.state == "opened":
                    self._sound_began = time.monotonic()
            elif isinstance(data, ErrorOccurred):
                self.notes.append(f"{data.source}: {data.message}")
                self._over = self._over or not data.recoverable
            self._changed.notify_all()
