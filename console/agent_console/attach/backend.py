"""A backend whose events come from a job of a worker, over the network."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from agent_console.attach.address import WorkerAddress
from agent_console.attach.link import CONNECTING, DELAYS, JobOver, LinkState, Lost, NotAllowed, follow, reports
from agent_console.backend import AudioDevice
from agent_console.state import ConsoleState
from agent_runtime.errors import EventDecodeError
from agent_runtime.events import AnyEvent, Event, RequestRefused
from agent_runtime.events.codec import loads
from agent_runtime.records import record
from agent_runtime.worker.report import JobReport, WorkerReport
from agent_runtime.worker.requests import Asked

if TYPE_CHECKING:
    from agent_runtime.workshop.requests import Request

MODE: Final = "attached"
READ_ONLY: Final = "this worker lets itself be watched, not talked to (AGENT_CONSOLE_ATTACH_WRITE=1 there allows it)"
_ELSEWHERE: Final = "the agent runs elsewhere: this can only be done in the console that runs it"


@record(frozen=True, slots=True)
class Attachment:
    """What is attached to, and how the connections are."""

    url: str
    worker: LinkState = CONNECTING
    """The connection over which the worker tells of its jobs."""
    report: WorkerReport | None = None
    """As last told; kept while the worker is away."""
    job_id: str | None = None
    job: LinkState = CONNECTING
    over: str | None = None
    """Why the job ended, or empty, when it is over."""

    @property
    def can_write(self) -> bool:
        """Whether something can be asked of the job."""
        return self.report is not None and self.report.attach == "write" and self.over is None

    @property
    def jobs(self) -> tuple[JobReport, ...]:
        """The worker's jobs, the newest last."""
        return () if self.report is None else self.report.jobs

    def job_report(self) -> JobReport | None:
        """The job that is shown, while the worker has it."""
        return next((job for job in self.jobs if job.id == self.job_id), None)


class AttachBackend:
    """Shows one job of a worker at a time.

    Args:
        address: the worker.
        job_id: the job to begin with; the only one if left out, and none while there are several.
    """

    def __init__(self, address: WorkerAddress, job_id: str | None = None) -> None:
        self.attachment = Attachment(address.url, job_id=job_id)
        self.on_changed: Callable[[], None] = lambda: None
        """Called in the backend's thread when `attachment` is another."""
        self.on_switched: Callable[[ConsoleState], None] = lambda state: None
        """Gets the state to begin another job with, in the backend's thread."""
        self._address = address
        self._chooses = job_id is None
        self._sink: Callable[[AnyEvent], None] = lambda event: None
        self._thread = threading.Thread(target=self._run, name="attach", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        self._requests: asyncio.Queue[str] = asyncio.Queue()
        self._last: AnyEvent | None = None

    # --- see `Backend` -----------------------------------------------------------------------------------------------

    def start(self, sink: Callable[[AnyEvent], None]) -> None:
        """See `Backend.start`."""
        self._sink = sink
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> bool:
        """See `Backend.stop`: the job goes on without being watched."""
        if self._thread.ident is None:
            return True
        self._call(self._end)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def send_text(self, text: str) -> None:
        """See `Backend.send_text`."""
        self._ask(Asked("text", text))

    def interrupt(self) -> None:
        """See `Backend.interrupt`."""
        self._ask(Asked("interrupt"))

    def set_muted(self, muted: bool) -> None:
        """See `Backend.set_muted`."""
        self._ask(Asked("mute", muted=muted))

    def push_to_talk(self, action: Literal["press", "send", "discard", "off"]) -> None:
        """See `Backend.push_to_talk`: the microphone is elsewhere."""
        if action == "press":
            self._refuse("talk", _ELSEWHERE)

    def reload(self) -> None:
        """See `Backend.reload`."""
        self._refuse("reload", _ELSEWHERE)

    def set_mode(self, mode: Literal["local", "room"], room: str | None = None, *, start_server: bool = False) -> None:
        """See `Backend.set_mode`."""
        self._refuse("room", _ELSEWHERE)

    def record(self, on: bool) -> None:
        """See `Backend.record`."""
        self._refuse("record", _ELSEWHERE)

    def mark_turn(self, turn_id: str) -> None:
        """See `Backend.mark_turn`."""
        self._refuse("mark", _ELSEWHERE)

    def ask_workshop(self, request: Request) -> None:
        """See `Backend.ask_workshop`."""
        self._refuse("workshop", _ELSEWHERE)

    def list_devices(self) -> list[AudioDevice]:
        """See `Backend.list_devices`: none of this machine's count."""
        return []

    def select_device(self, kind: Literal["input", "output"], device_id: str) -> None:
        """See `Backend.select_device`: nothing."""

    # --- the job -----------------------------------------------------------------------------------------------------

    def choose(self, job_id: str) -> None:
        """Show another job, whatever the thread."""
        self._call(lambda: self._show(job_id))

    def _ask(self, asked: Asked) -> None:
        if not self.attachment.can_write:
            self._refuse(asked.request, READ_ONLY if self.attachment.over is None else "the job is over")
        else:
            self._call(lambda: self._requests.put_nowait(asked.to_json()))

    def _refuse(self, request: str, why: str) -> None:
        last = self._last
        seq, time, session_id = (0, 0.0, "") if last is None else (last.seq, last.time, last.session_id)
        self._sink(Event(seq, time, session_id, None, None, RequestRefused(request, why)))

    # --- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        with asyncio.Runner() as runner, suppress(asyncio.CancelledError):
            runner.run(self._stay())

    async def _stay(self) -> None:
        self._main = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        if (job_id := self.attachment.job_id) is not None:
            self._show(job_id)
        try:
            await self._follow_worker()
        finally:
            if self._following is not None:
                self._following.cancel()
                await asyncio.gather(self._following, return_exceptions=True)

    def _call(self, work: Callable[[], object]) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            with suppress(RuntimeError):  # it was closed just now
                loop.call_soon_threadsafe(work)

    def _end(self) -> None:
        if self._main is not None:
            self._main.cancel()

    def _change(self, **changes: object) -> None:
        changed = replace(self.attachment, **changes)  # type: ignore[arg-type]  # names and values are of one call
        if changed != self.attachment:
            self.attachment = changed
            self.on_changed()

    async def _follow_worker(self) -> None:
        """Take its reports, over as many connections as it takes; until it lets nobody in."""
        async for attempt in _attempts():
            try:
                async with aclosing(reports(self._address)) as told:
                    async for report in told:
                        attempt.reset()
                        self._change(report=report, worker=LinkState("connected"))
                        self._choose_the_only_one(report)
            except Lost as exc:
                self._change(worker=LinkState("lost", str(exc)))
            except NotAllowed as exc:
                self._change(worker=LinkState("refused", str(exc)))
                await asyncio.Event().wait()

    def _choose_the_only_one(self, report: WorkerReport) -> None:
        if self._chooses and self.attachment.job_id is None and len(report.jobs) == 1:
            self._show(report.jobs[0].id)
        self._chooses = False

    def _show(self, job_id: str) -> None:
        if self._following is not None:
            self._following.cancel()
        self._requests = asyncio.Queue()
        self._last = None
        self.on_switched(ConsoleState(mode=MODE))
        self._change(job_id=job_id, job=CONNECTING, over=None)
        self._following = asyncio.get_running_loop().create_task(self._follow_job(job_id), name="follow job")

    async def _follow_job(self, job_id: str) -> None:
        async for attempt in _attempts():

            def take(lines: str, attempt: _Attempts = attempt) -> None:
                attempt.reset()
                self._change(job=LinkState("connected"))
                for line in lines.split("\n"):
                    self._take(line)

            try:
                await follow(self._address, job_id, take, self._requests)
            except JobOver as exc:
                self._change(over=str(exc), job=LinkState("connected"))
                return
            except Lost as exc:
                self._change(job=LinkState("lost", str(exc)))
            except NotAllowed as exc:
                self._change(job=LinkState("refused", str(exc)))
                return

    def _take(self, line: str) -> None:
        """Show an event, unless it was shown before the connection was lost."""
        try:
            event = loads(line)
        except EventDecodeError:
            return  # a newer worker tells of things that this console doesn't know
        last = self._last
        if last is None or event.session_id != last.session_id or event.seq > last.seq:
            self._last = event
            self._sink(event)


class _Attempts:
    """One attempt after the other, with a longer pause after each that failed."""

    def __init__(self) -> None:
        self._failed = 0

    def reset(self) -> None:
        """It has worked."""
        self._failed = 0

    async def pause(self) -> None:
        """Wait before the next one."""
        await asyncio.sleep(DELAYS[min(self._failed, len(DELAYS) - 1)])
        self._failed += 1


async def _attempts() -> AsyncIterator[_Attempts]:
    attempts = _Attempts()
    while True:
        yield attempts
        await attempts.pause()
