"""What an attached console reads: `/attach` has the worker's report, `/attach/JOB` a job's events as they happen.

Both are WebSockets. Each message of the first is a report as in `docs/schemas/worker.json`, whenever it changes; each
line of the second is an event as in `docs/schemas/event.json`, from what happened lately on. Where that is allowed, a
line that is sent to the second is a request (`agent_runtime.worker.requests`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote

from agent_runtime.worker.access import Gate
from agent_runtime.worker.health import Page, Sockets
from agent_runtime.worker.report import WorkerReport
from agent_runtime.worker.requests import Asked

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

logger = logging.getLogger(__name__)

PATH: Final = "/attach"
JOB_OVER: Final = 4000
"""Why a socket is closed: the job is over. The reason is its error, if it had one."""
TOO_SLOW: Final = 4001
"""… whoever reads can't keep up. It may come again, and gets what happened lately."""
READ_ONLY: Final = 4003
"""… something was asked for, and only reading is allowed."""
MOST_WAITING: Final = 16 * 2**20
"""Bytes that wait for a reader who can't keep up."""
LOOK: Final = 1.0
"""Seconds between two looks at whether the report has changed."""
_LONGEST_REASON: Final = 120
"""Bytes."""


class Jobs(Protocol):
    """What the feed needs of a pool of jobs; see `agent_runtime.worker.pool.JobPool`."""

    def watch(self, job_id: str, on_line: Callable[[bytes], None]) -> Callable[[], None]:
        """Have a job's events told, from what happened lately on. Raises KeyError if there is no such job."""
        ...

    def ask(self, job_id: str, line: bytes) -> None:
        """Pass a request on to a job. Raises KeyError if there is no such job."""


class Feed(Sockets):
    """See the module.

    Args:
        gate: who gets in.
        report: how the worker does.
        jobs: the jobs.
    """

    path = PATH

    def __init__(self, gate: Gate, report: Callable[[], WorkerReport], jobs: Jobs) -> None:
        self._gate = gate
        self._report = report
        self._jobs = jobs
        self._readers: dict[str, set[_Reader]] = {}

    def job_over(self, job_id: str, error: str | None) -> None:
        """A job is over: who reads it gets what it told last, and is hung up on."""
        for reader in self._readers.get(job_id, ()):
            reader.end(JOB_OVER, error or "")

    def refusal(self, path: str, headers: Mapping[str, str]) -> Page | None:
        """See `Sockets.refusal`."""
        job_id = _job_of(path)
        if (page := self._gate.refusal(headers)) is not None:
            return page
        if job_id and job_id not in {job.id for job in self._report().jobs}:
            return Page(404, f"there is no job {job_id}: it is over, or another worker's\n")
        return None

    async def serve(self, path: str, socket: ServerConnection) -> None:
        """See `Sockets.serve`."""
        if job_id := _job_of(path):
            await self._tell_events(job_id, socket)
        else:
            await self._tell_reports(socket)

    async def _tell_reports(self, socket: ServerConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        told = ""
        closed = asyncio.create_task(socket.wait_closed())
        try:
            while not closed.done():
                if (report := self._report().as_json()) != told:
                    told = report
                    await socket.send(told)
                await asyncio.wait((closed,), timeout=LOOK)
        except ConnectionClosed:
            return
        finally:
            closed.cancel()

    async def _tell_events(self, job_id: str, socket: ServerConnection) -> None:
        reader = _Reader(socket)
        readers = self._readers.setdefault(job_id, set())
        readers.add(reader)
        logger.info("job %s is being watched", job_id, extra={"job_id": job_id})
        try:
            stop = self._jobs.watch(job_id, reader.put)
        except KeyError:
            reader.end(JOB_OVER, "")
            stop = _nothing
        listening = asyncio.create_task(self._listen(job_id, socket))
        try:
            await reader.run()
        finally:
            stop()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            readers.discard(reader)
            if not readers:
                self._readers.pop(job_id, None)

    async def _listen(self, job_id: str, socket: ServerConnection) -> None:
        """Take requests, where that is allowed."""
        async for message in socket:
            if not self._gate.allows_requests:
                await socket.close(READ_ONLY, "this worker lets itself be watched, not talked to")
                return
            line = message.encode() if isinstance(message, str) else message
            try:
                Asked.from_json(line)
                self._jobs.ask(job_id, line)
            except (ValueError, KeyError) as exc:
                logger.warning("a request to job %s can't be passed on: %s", job_id, exc)


class _Reader:
    """One who reads a job's events, with what waits for them."""

    def __init__(self, socket: ServerConnection) -> None:
        self._socket = socket
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._something = asyncio.Event()
        self._end: tuple[int, str] | None = None

    def put(self, lines: bytes) -> None:
        """Send these soon."""
        self._waiting.append(lines)
        self._bytes += len(lines)
        if self._bytes > MOST_WAITING:
            self._waiting.clear()
            self.end(TOO_SLOW, "what is told can't be read fast enough")
        self._something.set()

    def end(self, code: int, reason: str) -> None:
        """Hang up, after what waits was sent."""
        self._end = self._end or (code, reason)
        self._something.set()

    async def run(self) -> None:
        """Send until it is over, or nobody reads any more."""
        from websockets.exceptions import ConnectionClosed

        closed = asyncio.create_task(self._socket.wait_closed())
        try:
            while not closed.done():
                while self._waiting:
                    lines = self._waiting.popleft()
                    self._bytes -= len(lines)
                    await self._socket.send(lines.decode())
                if self._end is not None:
                    code, reason = self._end
                    await self._socket.close(code, _shortened(reason))
                    return
                self._something.clear()
                something = asyncio.create_task(self._something.wait())
                await asyncio.wait((something, closed), return_when=asyncio.FIRST_COMPLETED)
                something.cancel()
        except ConnectionClosed:
            return
        finally:
            closed.cancel()


def _job_of(path: str) -> str:
    """The job's id in `/attach/ID`; empty for `/attach`."""
    return unquote(path.removeprefix(PATH).strip("/"))


def _shortened(reason: str) -> str:
    text = " ".join(reason.split())
    return text.encode()[:_LONGEST_REASON].decode(errors="ignore")


def _nothing() -> None:
    """There was nothing to stop."""
