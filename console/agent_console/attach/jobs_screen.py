"""Pick a job of the worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from agent_console.attach.backend import Attachment
from agent_console.attach.drawing import job_row


class JobsScreen(ModalScreen[str | None]):
    """The worker's jobs as they come and go; enter shows the one that is highlighted.

    Args:
        now: what is attached to.
        wall: seconds since the epoch.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,J", "leave", "close"),
        Binding("q", "quit", "quit"),
        Binding("j", "move(1)", show=False),
        Binding("k", "move(-1)", show=False),
    ]

    def __init__(self, now: Attachment, wall: Callable[[], float]) -> None:
        super().__init__()
        self._attachment = now
        self._wall = wall

    def compose(self) -> ComposeResult:
        """See `Screen.compose`."""
        with Vertical(id="dialog") as dialog:
            dialog.border_title = "Jobs"
            dialog.border_subtitle = "enter watches it · esc closes · q quits"
            yield Static(id="jobs-note")
            yield OptionList(id="jobs-list", compact=True)

    def on_mount(self) -> None:
        """Draw the jobs that there are."""
        self._draw()
        self.query_one(OptionList).focus()

    def show(self, now: Attachment) -> None:
        """Draw these; what is highlighted stays so."""
        self._attachment = now
        if self.is_mounted:
            self._draw()

    def _draw(self) -> None:
        now = self._attachment
        options = self.query_one(OptionList)
        chosen = options.highlighted_option.id if options.highlighted_option is not None else now.job_id
        wall = self._wall()
        options.clear_options()
        options.add_options(
            [Option(Content.assemble(*job_row(job, wall, job.id == now.job_id)), id=job.id) for job in now.jobs]
        )
        places = {job.id: place for place, job in enumerate(now.jobs)}
        options.highlighted = places.get(chosen or "", 0) if places else None
        self.query_one("#jobs-note", Static).update(_note(now))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Watch it."""
        self.dismiss(event.option_id)

    def action_move(self, step: int) -> None:
        """Highlight another."""
        options = self.query_one(OptionList)
        if step > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def action_leave(self) -> None:
        """Go on with the one that is shown."""
        self.dismiss(None)

    async def action_quit(self) -> None:
        """Leave the console."""
        await self.app.action_quit()


def _note(now: Attachment) -> Content:
    if now.report is None:
        text = now.worker.problem or f"connecting to {now.url} …"
        return Content.styled(text, "$error" if now.worker.problem else "$muted")
    who = f"{now.report.agent_name or 'worker'} {now.report.worker_id} · {now.report.state}"
    load = f"load {now.report.worker_load:.2f} · {now.report.ready_processes} ready"
    if now.worker.state != "connected":
        return Content.styled(f"{who} · {now.worker.problem or 'connecting …'}", "$error")
    none = "" if now.jobs else "\nno job runs now: one appears here when it starts"
    return Content.styled(f"{who} · {load}{none}", "$muted")
