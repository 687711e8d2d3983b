"""A backend that plays events from a script and writes down what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from agent_console.backend import AudioDevice
from agent_runtime.events import AnyEvent
from agent_runtime.workshop.requests import Request

DEVICES = [
    AudioDevice("0", "MacBook Pro Microphone", "input", True, True),
    AudioDevice("3", "USB Headset", "input", False, False),
    AudioDevice("1", "MacBook Pro Speakers", "output", True, True),
    AudioDevice("4", "USB Headset", "output", False, False),
]


class ScriptedBackend:
    """Sends its events at the start, all at once; `send` sends more. `calls` has every request, in order."""

    def __init__(self, events: Iterable[AnyEvent] = (), devices: list[AudioDevice] | None = None) -> None:
        self._events = list(events)
        self._devices = DEVICES if devices is None else devices
        self._sink: Callable[[AnyEvent], None] | None = None
        self.calls: list[tuple[object, ...]] = []

    def start(self, sink: Callable[[AnyEvent], None]) -> None:
        self._sink = sink
        for event in self._events:
            sink(event)

    def send(self, *events: AnyEvent) -> None:
        """More events, from whatever thread."""
        assert self._sink is not None, "not started"
        for event in events:
            self._sink(event)

    def stop(self, timeout: float = 5.0) -> bool:
        self.calls.append(("stop",))
        return True

    def send_text(self, text: str) -> None:
        self.calls.append(("send_text", text))

    def interrupt(self) -> None:
        self.calls.append(("interrupt",))

    def set_muted(self, muted: bool) -> None:
        self.calls.append(("set_muted", muted))

    def push_to_talk(self, action: Literal["press", "send", "discard", "off"]) -> None:
        self.calls.append(("push_to_talk", action))

    def reload(self) -> None:
        self.calls.append(("reload",))

    def set_mode(self, mode: Literal["local", "room"], room: str | None = None, *, start_server: bool = False) -> None:
        self.calls.append(("set_mode", mode, start_server))

    def record(self, on: bool) -> None:
        self.calls.append(("record", on))

    def mark_turn(self, turn_id: str) -> None:
        self.calls.append(("mark_turn", turn_id))

    def ask_workshop(self, request: Request) -> None:
        self.calls.append(("ask_workshop", request))

    def list_devices(self) -> list[AudioDevice]:
        return self._devices

    def select_device(self, kind: Literal["input", "output"], device_id: str) -> None:
        self.calls.append(("select_device", kind, device_id))
