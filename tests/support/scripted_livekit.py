"""A LiveKit server's side of a worker's connection: in memory for virtual time, or a socket on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from livekit.protocol import agent, models

from agent_runtime.errors import WorkerError


@dataclass
class Said:
    """A message of the worker's, and when it came."""

    at: float
    message: agent.WorkerMessage

    @property
    def kind(self) -> str:
        return str(self.message.WhichOneof("message"))


class _Line:
    """One connection's two directions."""

    def __init__(self, server: ScriptedLiveKit) -> None:
        self._server = server
        self.to_worker: asyncio.Queue[bytes | str | None] = asyncio.Queue()
        self.closed = False

    async def send(self, data: bytes) -> None:
        if self.closed:
            raise WorkerError("the line is cut", retry=True)
        self._server.heard(self, agent.WorkerMessage.FromString(data))

    async def receive(self) -> bytes | str:
        data = await self.to_worker.get()
        if data is None:
            raise WorkerError("the line is cut", retry=True)
        return data

    async def close(self) -> None:
        self.closed = True


@dataclass
class ScriptedLiveKit:
    """`connect` is what a worker connects with; it registers whoever asks unless `welcome` is off."""

    now: Callable[[], float] = lambda: asyncio.get_running_loop().time()
    welcome: bool = True
    refusals: list[WorkerError] = field(default_factory=list)
    """Raised at the next attempts, one each."""
    said: list[Said] = field(default_factory=list)
    attempts: list[float] = field(default_factory=list)
    _line: _Line | None = None
    _heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def connect(self) -> _Line:
        self.attempts.append(self.now())
        if self.refusals:
            raise self.refusals.pop(0)
        self._line = _Line(self)
        return self._line

    def heard(self, line: _Line, message: agent.WorkerMessage) -> None:
        self.said.append(Said(self.now(), message))
        self._heard.set()
        if message.HasField("register") and self.welcome:
            server = models.ServerInfo(version="scripted", region="here")
            answer = agent.RegisterWorkerResponse(worker_id=f"W{len(self.attempts)}", server_info=server)
            line.to_worker.put_nowait(agent.ServerMessage(register=answer).SerializeToString())

    def send(self, message: agent.ServerMessage) -> None:
        self.send_raw(message.SerializeToString())

    def send_raw(self, data: bytes | str) -> None:
        assert self._line is not None
        self._line.to_worker.put_nowait(data)

    def offer(self, job_id: str, *, room: str = "room", agent_name: str = "") -> agent.Job:
        job = agent.Job(id=job_id, room=models.Room(name=room, sid="RM_1"), agent_name=agent_name)
        self.send(agent.ServerMessage(availability=agent.AvailabilityRequest(job=job)))
        return job

    def assign(self, job: agent.Job, token: str = "token") -> None:
        self.send(agent.ServerMessage(assignment=agent.JobAssignment(job=job, token=token)))

    def drop(self) -> None:
        """Cut the line."""
        assert self._line is not None
        self._line.closed = True
        self._line.to_worker.put_nowait(None)

    def messages(self, kind: str) -> list[Said]:
        return [said for said in self.said if said.kind == kind]

    async def wait_for(self, kind: str, count: int = 1) -> Said:
        """The `count`-th message of a kind."""
        while len(self.messages(kind)) < count:
            self._heard.clear()
            await self._heard.wait()
        return self.messages(kind)[count - 1]


@contextlib.asynccontextmanager
async def websocket_server(talk: Callable[[object], object]) -> AsyncIterator[int]:
    """A WebSocket server on loopback that does with each connection as `talk` says; gives its port."""
    from websockets.asyncio.server import serve

    async with serve(talk, "127.0.0.1", 0) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@contextlib.asynccontextmanager
async def bare_server(answer: bytes | None) -> AsyncIterator[int]:
    """A TCP server on loopback that answers whatever it is asked with these bytes, or hangs up; gives its port."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.read(4096)
            if answer is not None:
                writer.write(answer)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
