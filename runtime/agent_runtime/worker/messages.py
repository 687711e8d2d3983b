"""What a worker and its jobs' processes say to each other, and the line that carries it.

A message is a dataclass of this module, pickled, behind its length in four bytes. Both ends run the same code, and
nobody else has the line.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
from typing import TYPE_CHECKING, Final, TypeAlias

from agent_runtime.records import record

if TYPE_CHECKING:
    from agent_runtime.worker.assignment import JobAcceptArguments, RunningJobInfo
    from agent_runtime.worker.metrics import Sample

_HEAD: Final = struct.Struct("!I")


# --- to the job's process --------------------------------------------------------------------------------------------


@record(frozen=True, slots=True)
class RunJob:
    """Run this job. Messages of the protocol are sent as their bytes."""

    accept_arguments: JobAcceptArguments
    job: bytes
    url: str
    token: str
    worker_id: str
    fake_job: bool

    @classmethod
    def of(cls, info: RunningJobInfo) -> RunJob:
        """The message that carries a job."""
        return cls(
            info.accept_arguments, info.job.SerializeToString(), info.url, info.token, info.worker_id, info.fake_job
        )

    def info(self) -> RunningJobInfo:
        """The job that it carries."""
        from livekit.protocol import agent

        from agent_runtime.worker.assignment import RunningJobInfo

        job = agent.Job.FromString(self.job)
        return RunningJobInfo(self.accept_arguments, job, self.url, self.token, self.worker_id, self.fake_job)


@record(frozen=True, slots=True)
class EndJob:
    """End the job; without one, end the process."""

    reason: str


@record(frozen=True, slots=True)
class Ping:
    """Answer with a pong."""

    number: int


@record(frozen=True, slots=True)
class Watch:
    """Tell the sessions' events to one watcher, from what happened lately on, or stop that."""

    watcher: int
    on: bool


@record(frozen=True, slots=True)
class Ask:
    """Do what somebody who is attached asks."""

    line: bytes


# --- from it ---------------------------------------------------------------------------------------------------------


@record(frozen=True, slots=True)
class Ready:
    """It waits for a job, or the setup function failed. `final` is an error that trying again doesn't mend."""

    error: str | None = None
    final: bool = False


@record(frozen=True, slots=True)
class Running:
    """The entrypoint has begun."""


@record(frozen=True, slots=True)
class Ended:
    """The job is over; the process ends next."""

    error: str | None


@record(frozen=True, slots=True)
class Pong:
    """It is alive; `memory_mb` is its part of the memory, None where that can't be known."""

    number: int
    memory_mb: float | None


@record(frozen=True, slots=True)
class Told:
    """Events of the job's sessions for one watcher: lines of JSON."""

    watcher: int
    lines: bytes


@record(frozen=True, slots=True)
class Counted:
    """What is to be added to the worker's metrics."""

    samples: tuple[Sample, ...]


ToJob: TypeAlias = RunJob | EndJob | Ping | Watch | Ask
FromJob: TypeAlias = Ready | Running | Ended | Pong | Told | Counted


class Line:
    """One end of the line, on an event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Line:
        """On one end of a pair of sockets, which belongs to the line from now on."""
        return cls(*await asyncio.open_connection(sock=end))

    def send(self, message: ToJob | FromJob) -> None:
        """Send it soon. To an end that is gone, it does nothing: `receive` tells that."""
        if self._writer.is_closing():
            return
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        self._writer.write(_HEAD.pack(len(data)) + data)

    async def receive(self) -> ToJob | FromJob | None:
        """The next one; None when the other end is gone."""
        try:
            (length,) = _HEAD.unpack(await self._reader.readexactly(_HEAD.size))
            message: ToJob | FromJob = pickle.loads(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return message

    async def flush(self) -> None:
        """Wait until what was sent has left."""
        try:
            await self._writer.drain()
        except ConnectionError:
            return

    def close(self) -> None:
        """Hang up, once what was sent has left."""
        self._writer.close()
