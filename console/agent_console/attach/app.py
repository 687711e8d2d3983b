"""The console over a job of a worker: its screen, with a line that says how the connection is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen

from agent_console.app import ConsoleApp
from agent_console.attach.backend import MODE, READ_ONLY, AttachBackend, Attachment
from agent_console.attach.drawing import banner, foot_line
from agent_console.attach.jobs_screen import JobsScreen
from agent_console.attach.keys import ATTACHED, JOBS, NOT_FROM_AFAR, WRITING
from agent_console.keys import bindings, keys_of
from agent_console.panels import every_action
from agent_console.screens.console import ConsoleScreen
from agent_console.state import Banner, ConsoleState
from agent_console.widgets.panels import Panel


class AttachScreen(ConsoleScreen):
    """The console's screen, with the worker's line at its foot, and nothing to type into where one may only watch."""

    BINDINGS: ClassVar[Any] = bindings(ATTACHED)
    DEFAULT_CSS = "AttachScreen #attached { height: 1; background: $panel; }"

    def __init__(self, app: AttachApp) -> None:
        super().__init__(app)
        self._attached = app.attach
        self._key_bar.display = False
        keys = self._jobs_key = " ".join(keys_of(JOBS, app.keymap_in_use))
        self._foot = Panel(
            lambda state, now, width, _: [foot_line(self._attached.attachment, keys, width)], id="attached"
        )
        self._allow(self._attached.attachment)

    def compose(self) -> ComposeResult:
        """See `Screen.compose`."""
        yield from super().compose()
        yield self._foot

    def show(self, state: ConsoleState, now: float) -> None:
        """See `ConsoleScreen.show`."""
        super().show(state, now)
        self._foot.show(state, now)

    def show_attachment(self, now: Attachment) -> None:
        """Draw how the connection is."""
        self._allow(now)
        self._refresh_now()
        self._banner_bar.changed()
        self._foot.changed()

    def _allow(self, now: Attachment) -> None:
        self._prompt_bar.display = now.can_write or self._searching

    def _banners(self) -> list[Banner]:
        worker = banner(self._attached.attachment, self._jobs_key)
        return [*super()._banners(), *((worker,) if worker is not None else ())]

    def _show_search(self, shown: bool) -> None:
        super()._show_search(shown)
        self._allow(self._attached.attachment)

    @property
    def _can_talk(self) -> bool:
        return False  # the microphone is elsewhere

    def action_type(self) -> None:
        """Type to the agent, where that is allowed."""
        if self._attached.attachment.can_write:
            super().action_type()
        else:
            self.notify(READ_ONLY)

    def action_jobs(self) -> None:
        """Pick another job."""
        self._attach_app.pick_job()

    @property
    def _attach_app(self) -> AttachApp:
        assert isinstance(self.app, AttachApp)
        return self.app

    def action_help(self) -> None:
        """The keys that count here."""
        from agent_console.screens.help import HelpScreen

        without = NOT_FROM_AFAR if self._attached.attachment.can_write else NOT_FROM_AFAR | WRITING
        console = [action for action in every_action() if action.id not in without]
        self.app.push_screen(HelpScreen(self._host.keymap_in_use, [*ATTACHED, *console]))


class AttachApp(ConsoleApp):
    """Shows the jobs of a worker.

    Args:
        attach: the connection.
        wall: seconds since the epoch, for how long jobs run.
        options: of `ConsoleApp`.
    """

    class Changed(Message):
        """The connection, or what the worker tells of itself, is another."""

    def __init__(self, attach: AttachBackend, *, wall: Callable[[], float] = time.time, **options: Any) -> None:
        self.attach = attach
        self._wall = wall
        super().__init__(attach, mode=MODE, **options)
        attach.on_switched = self._pump.replace
        attach.on_changed = self._tell_changed

    def get_default_screen(self) -> Screen[None]:
        """See `App.get_default_screen`."""
        return AttachScreen(self)

    def on_mount(self) -> None:
        """Show the list of jobs until one is chosen."""
        if self.attach.attachment.job_id is None:
            self.pick_job()

    def pick_job(self) -> None:
        """Open the list of jobs."""
        if not isinstance(self.screen, JobsScreen):
            self.push_screen(JobsScreen(self.attach.attachment, self._wall), self._picked)

    def _picked(self, job_id: str | None) -> None:
        if job_id is not None and job_id != self.attach.attachment.job_id:
            self.attach.choose(job_id)

    def _tell_changed(self) -> None:
        self.post_message(self.Changed())

    def on_attach_app_changed(self) -> None:
        """Draw it: on the screen, and in the list where that is open."""
        if not self.screen_stack:
            return  # the app is closing
        now = self.attach.attachment
        top = self.screen
        if isinstance(top, JobsScreen):
            if now.job_id is not None and now.report is not None and len(now.jobs) == 1 and now.over is None:
                top.dismiss(None)  # the only one was chosen
            else:
                top.show(now)
        assert isinstance(self.console_screen, AttachScreen)
        self.console_screen.show_attachment(now)
