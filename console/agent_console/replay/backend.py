"""A backend whose events come out of a bundle, when they came in the session."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from agent_console.backend import AudioDevice
from agent_console.replay.sound import ReplaySound
from agent_console.replay.transport import Transport
from agent_console.state import ConsoleState, reduce
from agent_runtime.bundle import Bundle, TurnMark
from agent_runtime.errors import AgentConsoleError
from agent_runtime.events import AnyEvent, ErrorOccurred, Event, RecordingChanged, SessionStarted

if TYPE_CHECKING:
    from agent_runtime.workshop.requests import Request

_KEEP_EVERY: Final = 5_000
"""Events between two states that are kept, so that winding back needn't begin at the beginning."""


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
        self._kept: list[tuple[float, int, ConsoleState]] = [(0.0, 0, ConsoleState(mode="replay"))]
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
        turns = self.bundle.turns
        if not turns:
            return
        here = self.turn_index
        if steps < 0 and here >= 0 and self.transport.position - turns[here].time > 1.0:
            steps += 1
        self.wind(turns[min(max(0, here + steps), len(turns) - 1)].time)

    @property
    def turn_index(self) -> int:
        """Which turn it is in; -1 before the first."""
        return bisect_right(self.bundle.turns, self.transport.position, key=_time) - 1

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
            self._play()
        except AgentConsoleError as exc:
            self.transport.pause()
            error = ErrorOccurred("replay", str(exc), recoverable=False)
            self._sink(Event(1, self.transport.position, self.bundle.manifest.session_id, None, None, error))
        finally:
            if self._sound is not None:
                self._sound.close()

    def _play(self) -> None:
        events = self._events(0)
        upcoming = next(events, None)
        while True:
            with self._changed:
                target, self._target = self._target, None
                if self._stopped:
                    return
                if target is None and (wait := self._wait_for(upcoming)) != 0.0:
                    self._changed.wait(wait)
                    continue
            if target is not None:
                events = self._events(self._wound_to(target))
            elif upcoming is not None:
                self._sink(upcoming)
            upcoming = next(events, None)

    def _wait_for(self, upcoming: AnyEvent | None) -> float | None:
        """Seconds until it is due: 0.0 when it is, None without an end."""
        if upcoming is None or not self.transport.playing:
            return None
        return max(0.0, upcoming.time - self.transport.position) / self.transport.speed

    def _events(self, offset: int) -> Iterator[AnyEvent]:
        return (shown for event in self.bundle.events(offset) if (shown := _as_replayed(event)) is not None)

    def _wound_to(self, target: float) -> int:
        """Have the console show the state before `target`; gives where the events go on."""
        place = bisect_right(self._kept, target, key=lambda kept: kept[0]) - 1
        _, offset, state = self._kept[place]
        last_kept, count = place == len(self._kept) - 1, 0
        for after, event in self.bundle.events_with_offsets(offset, meters=False):
            if event.time >= target:
                break
            if self._stopped or self._target is not None:  # somebody wants to be elsewhere already
                return offset
            if (shown := _as_replayed(event)) is not None:
                state = reduce(state, shown)
            offset, count = after, count + 1
            if last_kept and count % _KEEP_EVERY == 0:
                self._kept.append((event.time, offset, state))
        self.on_wound(state)
        return offset


def _as_replayed(event: AnyEvent) -> AnyEvent | None:
    """The event as it is shown again; None for what is of the recording itself."""
    if isinstance(event.data, RecordingChanged):
        return None
    if isinstance(event.data, SessionStarted):
        return replace(event, data=replace(event.data, mode="replay"))
    return event


def _time(mark: TurnMark) -> float:
    return mark.time
