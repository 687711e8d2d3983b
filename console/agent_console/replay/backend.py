"""A backend whose events come out of a bundle, when they came in the session."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

from agent_console.backend import AudioDevice
from agent_console.replay.history import History, as_replayed, for_seconds
from agent_console.replay.sound import ReplaySound
from agent_console.replay.transport import Transport
from agent_console.state import ConsoleState
from agent_runtime.bundle import Bundle, TurnMark
from agent_runtime.errors import AgentConsoleError, BundleError
from agent_runtime.events import AnyEvent, ErrorOccurred, Event

if TYPE_CHECKING:
    from agent_runtime.workshop.requests import Request

_SLICE: Final = 0.004
"""Seconds of reading ahead between two looks at what is due."""
_REST: Final = 0.006
"""Seconds that the screen has for itself between two such slices, while nobody waits for them."""


class ReplayBackend:
    """Plays a bundle. What a person asks of a session changes nothing: it has happened.

    Args:
        bundle: the recording.
        speed: one of `transport.SPEEDS`.
        sound: whether to play it through the speaker.
        monotonic: seconds.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        speed: float = 1.0,
        sound: bool = True,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bundle = bundle
        self.transport = Transport(bundle.duration, monotonic, speed=speed)
        self.silent_because: str | None = None if sound else "muted"
        self.on_wound: Callable[[ConsoleState], None] = lambda state: None
        """Gets the state at the place that was wound to, in the replay's thread."""
        self._sink: Callable[[AnyEvent], None] = lambda event: None
        self._sound = ReplaySound(bundle, self.transport) if sound else None
        self._changed = threading.Condition()
        self._target: float | None = None
        self._stopped = False
        self.turns: tuple[TurnMark, ...] = ()
        """Where each turn begins; empty until that has been read, after the first screen."""
        self._history = History(bundle)
        self._offset = 0
        self._whole = True
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)

    # --- the recording ---------------------------------------------------------------------------------------------

    def toggle(self) -> None:
        """Pause, or go on; from the beginning if it is over."""
        if self.transport.playing and self.transport.position < self.transport.duration:
            self.transport.pause()
        else:
            if self.transport.position >= self.transport.duration:
                self.wind(0.0)
            self.transport.play()
        self._wake()

    def change_speed(self, steps: int) -> None:
        """Faster or slower."""
        self.transport.change_speed(steps)
        self._wake()

    def wind(self, position: float) -> None:
        """Go to a second of the session."""
        with self._changed:
            self.transport.wind(position)
            self._target = self.transport.position
            self._changed.notify_all()

    def wind_turns(self, steps: int) -> None:
        """Go to the beginning of a turn: of this one if it began a while ago and `steps` is -1."""
        turns = self.turns
        if not turns:
            return
        here = self.turn_index
        if steps < 0 and here >= 0 and self.transport.position - turns[here].time > 1.0:
            steps += 1
        self.wind(turns[min(max(0, here + steps), len(turns) - 1)].time)

    @property
    def turn_index(self) -> int:
        """Which turn it is in; -1 before the first."""
        return bisect_right(self.turns, self.transport.position, key=_time) - 1

    @property
    def read(self) -> float | None:
        """How much of what came before is read, from 0 to 1, while some of it is missing on the screen."""
        return None if self._whole else min(1.0, self._history.read_to.offset / max(1, self._offset))

    # --- see `Backend` ---------------------------------------------------------------------------------------------

    def start(self, sink: Callable[[AnyEvent], None]) -> None:
        """See `Backend.start`."""
        self._sink = sink
        self.transport.play()
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> bool:
        """See `Backend.stop`."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def send_text(self, text: str) -> None:
        """See `Backend.send_text`: nothing."""

    def interrupt(self) -> None:
        """See `Backend.interrupt`: nothing."""

    def set_muted(self, muted: bool) -> None:
        """See `Backend.set_muted`: nothing."""

    def push_to_talk(self, action: Literal["press", "send", "discard", "off"]) -> None:
        """See `Backend.push_to_talk`: nothing."""

    def reload(self) -> None:
        """See `Backend.reload`: nothing."""

    def set_mode(self, mode: Literal["local", "room"], room: str | None = None, *, start_server: bool = False) -> None:
        """See `Backend.set_mode`: nothing."""

    def record(self, on: bool) -> None:
        """See `Backend.record`: nothing."""

    def ask_workshop(self, request: Request) -> None:
        """See `Backend.ask_workshop`: nothing."""

    def mark_turn(self, turn_id: str) -> None:
        """See `Backend.mark_turn`: nothing."""

    def list_devices(self) -> list[AudioDevice]:
        """See `Backend.list_devices`: it plays through the system's speaker."""
        return []

    def select_device(self, kind: Literal["input", "output"], device_id: str) -> None:
        """See `Backend.select_device`: nothing."""

    # --- the thread ------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        if self._sound is not None:
            self.silent_because = self._sound.open()
        try:
            self.turns = self.bundle.turns
            self._play()
        except AgentConsoleError as exc:
            self.transport.pause()
            self._tell(exc)
        finally:
            if self._sound is not None:
                self._sound.close()

    def _tell(self, exc: AgentConsoleError) -> None:
        error = ErrorOccurred("replay", str(exc), recoverable=False)
        self._sink(Event(1, self.transport.position, self.bundle.manifest.session_id, None, None, error))

    def _play(self) -> None:
        events = self.bundle.events_with_offsets()
        upcoming = next(events, None)
        while not self._stopped:
            with self._changed:
                target, self._target = self._target, None
            if target is not None:
                self._go_to(target)
                events = self.bundle.events_with_offsets(self._offset)
                upcoming = next(events, None)
            elif upcoming is not None and self._wait_for(upcoming[1]) == 0.0:
                self._offset, event = upcoming
                if (shown := as_replayed(event)) is not None:
                    self._sink(shown)
                upcoming = next(events, None)
            else:
                self._read_ahead()
                self._rest(None if upcoming is None else upcoming[1])

    def _rest(self, upcoming: AnyEvent | None) -> None:
        """Until the next event is due, somebody asks for something, or it is time to read on."""
        with self._changed:
            if self._stopped or self._target is not None:
                return
            wait = self._wait_for(upcoming)
            if not self._history.ended:
                rest = _REST if self._whole else 0.0
                wait = rest if wait is None else min(wait, rest)
            self._changed.wait(wait)

    def _wait_for(self, upcoming: AnyEvent | None) -> float | None:
        """Seconds until it is due: 0.0 when it is, None without an end."""
        if upcoming is None or not self.transport.playing:
            return None
        return max(0.0, upcoming.time - self.transport.position) / self.transport.speed

    def _go_to(self, target: float) -> None:
        """Have the console show the state before `target`, unless somebody wants to be elsewhere already."""
        place = self._history.before(target, given_up=lambda: self._stopped or self._target is not None)
        if place is not None:
            self._offset, self._whole = place.offset, place.whole
            self.on_wound(place.state)

    def _read_ahead(self) -> None:
        """Read a little of the recording, so that winding is quick; what was missing on the screen first."""
        if self._history.ended:
            return
        try:
            there = self._history.read(None if self._whole else self._offset, until=for_seconds(_SLICE))
        except BundleError as exc:
            if not self._whole:  # otherwise it is told when it would be played
                self._whole = True
                self._tell(exc)
            return
        if there and not self._whole:
            self._whole = True
            self.on_wound(self._history.read_to.state)


def _time(mark: TurnMark) -> float:
    return mark.time
