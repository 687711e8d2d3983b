"""What the console can see and ask for, whatever runs the agent: this process, a recording, another machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol

from agent_runtime.events import AnyEvent
from agent_runtime.records import record

if TYPE_CHECKING:
    from agent_runtime.workshop.requests import Request


@record(frozen=True, slots=True)
class AudioDevice:
    """A microphone or speaker that can be picked."""

    id: str
    name: str
    kind: Literal["input", "output"]
    is_default: bool
    is_current: bool


class Backend(Protocol):
    """A source of events and the few things that a person can ask of it.

    Nothing here blocks and nothing raises: a request is passed to the runtime's own thread, and what came of it is
    told by events. The console draws only from events.
    """

    def start(self, sink: Callable[[AnyEvent], None]) -> None:
        """Begin. `sink` gets every event, from whatever thread, and returns at once."""

    def stop(self, timeout: float = 5.0) -> bool:
        """End the session and give devices back; waits for it. False if `timeout` (seconds) was not enough."""
        ...

    def send_text(self, text: str) -> None:
        """The user typed a turn; it interrupts the agent."""

    def interrupt(self) -> None:
        """Stop the agent's speech."""

    def set_muted(self, muted: bool) -> None:
        """Mute or unmute the microphone."""

    def push_to_talk(self, action: Literal["press", "send", "discard", "off"]) -> None:
        """`press` starts a manual turn (with the pre-roll before it), `send` ends it, `discard` drops it.

        `off` goes back to automatic turn detection.
        """

    def reload(self) -> None:
        """Load the agent's code again, changed or not."""

    def set_mode(self, mode: Literal["local", "room"], room: str | None = None, *, start_server: bool = False) -> None:
        """Go on in a LiveKit room, or on this machine again. `room` is its name; unset, the configured or an own one.

        Where no server is configured, `start_server` starts one for as long as the session lasts.
        """

    def record(self, on: bool) -> None:
        """Begin a session bundle, or complete the one that is written."""

    def mark_turn(self, turn_id: str) -> None:
        """Mark a turn to come back to."""

    def ask_workshop(self, request: Request) -> None:
        """Try a tool, stand in for one, rewrite the conversation, fork it."""

    def list_devices(self) -> list[AudioDevice]:
        """The microphones and speakers there are. Called off the interface's thread: it may take a while."""
        ...

    def select_device(self, kind: Literal["input", "output"], device_id: str) -> None:
        """Use another microphone or speaker, in mid-conversation."""
