"""Pick a microphone and a speaker, in mid-conversation."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from agent_console.backend import AudioDevice, Backend
from agent_console.drawing.text import clean, fit


class DevicesScreen(ModalScreen[None]):
    """One list, microphones first; enter uses what is highlighted and leaves the list open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,d,q", "dismiss", "close"),
        Binding("r", "refresh_devices", "look again"),
        Binding("j", "move(1)", show=False),
        Binding("k", "move(-1)", show=False),
    ]

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self._backend = backend
        self._devices: dict[str, AudioDevice] = {}

    def compose(self) -> ComposeResult:
        """See `Screen.compose`."""
        with Vertical(id="dialog") as dialog:
            dialog.border_title = "Devices"
            dialog.border_subtitle = "enter uses it · r looks again · esc closes"
            yield Static("Looking for devices …", id="devices-note")
            yield OptionList(id="devices-list", compact=True)

    def on_mount(self) -> None:
        """Look for devices."""
        self.action_refresh_devices()

    def action_move(self, step: int) -> None:
        """Highlight another device."""
        devices = self.query_one(OptionList)
        if step > 0:
            devices.action_cursor_down()
        else:
            devices.action_cursor_up()

    @work(exclusive=True)
    async def action_refresh_devices(self) -> None:
        """Ask the backend again; it may take a while, so in a thread."""
        self._fill(await asyncio.to_thread(self._backend.list_devices))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Use a device."""
        device = self._devices[event.option_id or ""]
        self._backend.select_device(device.kind, device.id)
        self._fill(
            [
                replace(known, is_current=known.id == device.id) if known.kind == device.kind else known
                for known in self._devices.values()
            ]
        )

    def _fill(self, devices: list[AudioDevice]) -> None:
        self._devices = {f"{device.kind} {device.id}": device for device in devices}
        options = self.query_one(OptionList)
        highlighted = options.highlighted
        options.clear_options()
        for kind, title in (("input", "Microphones"), ("output", "Speakers")):
            of_kind = [(key, device) for key, device in self._devices.items() if device.kind == kind]
            options.add_option(Option(Content.styled(title, "bold $accent"), disabled=True))
            options.add_options([Option(row_of(device), id=key) for key, device in of_kind])
            if not of_kind:
                options.add_option(Option(Content.styled("  none found", "$muted"), disabled=True))
        options.highlighted = highlighted if highlighted is not None else self._current()
        options.focus()
        self.query_one("#devices-note", Static).display = False

    def _current(self) -> int | None:
        options = self.query_one(OptionList)
        for index, option in enumerate(options.options):
            if option.id is not None and self._devices[option.id].is_current:
                return index
        return None


def row_of(device: AudioDevice) -> Content:
    """A device as it stands in the list: whether it is used, its name, whether it is the system's own choice."""
    mark = ("● ", "$success") if device.is_current else ("  ", "")
    says_so = device.name.startswith("System default")
    default = ("  system default", "$muted") if device.is_default and not says_so else ""
    return Content.assemble("  ", mark, fit(clean(device.name), 48), default)
