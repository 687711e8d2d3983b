"""A worker's registration with a server: made, kept, made again.

Each connection begins with `register`; what the server sends afterwards is handed on. A connection that is lost is
made again after `min(2n, 10)` seconds at the n-th attempt, counted anew once one has held for `STEADY` seconds, so that
a server that accepts and hangs up isn't stormed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from google.protobuf.message import DecodeError
from livekit.protocol import agent

from agent_runtime.clock import Clock
from agent_runtime.errors import WorkerError
from agent_runtime.worker.channel import Channel, Connect

logger = logging.getLogger(__name__)

REGISTER_TIMEOUT: Final = 10.0
"""Seconds that the server gets to answer the registration."""
LONGEST_DELAY: Final = 10.0
"""Seconds between two attempts, at the most."""
STEADY: Final = 10.0
"""Seconds that a registration holds before the attempts are counted anew."""


class ConnectionState(StrEnum):
    """Where a worker stands with its server."""

    IDLE = "idle"
    CONNECTING = "connecting"
    REGISTERING = "registering"
    REGISTERED = "registered"
    WAITING = "waiting"
    """Until the next attempt."""
    FAILED = "failed"
    CLOSED = "closed"


_S = ConnectionState
TRANSITIONS: Final[dict[tuple[ConnectionState, str], ConnectionState]] = {
    (_S.IDLE, "attempt"): _S.CONNECTING,
    (_S.CONNECTING, "opened"): _S.REGISTERING,
    (_S.CONNECTING, "lost"): _S.WAITING,
    (_S.REGISTERING, "welcomed"): _S.REGISTERED,
    (_S.REGISTERING, "lost"): _S.WAITING,
    (_S.REGISTERED, "lost"): _S.WAITING,
    (_S.WAITING, "attempt"): _S.CONNECTING,
    (_S.WAITING, "given up"): _S.FAILED,
    **{(state, "closed"): _S.CLOSED for state in _S},
}
"""(state, what happens) → state. Everything else is a mistake in this module."""


class WorkerConnection:
    """One worker's registration, over as many connections as it takes.

    Args:
        connect: opens a channel.
        registration: the first message of every connection.
        on_registered: the server knows the worker; the message holds the worker's id.
        on_message: a further message of the server's.
        on_lost: the connection is gone; what was asked on it won't be answered.
        max_retry: how often a connection is tried again.
        clock: for delays and timeouts.
    """

    def __init__(
        self,
        connect: Connect,
        registration: agent.RegisterWorkerRequest,
        *,
        on_registered: Callable[[agent.RegisterWorkerResponse], None],
        on_message: Callable[[agent.ServerMessage], None],
        on_lost: Callable[[], None],
        max_retry: int,
        clock: Clock,
    ) -> None:
        self._connect = connect
        self._registration = registration
        self._on_registered = on_registered
        self._on_message = on_message
        self._on_lost = on_lost
        self._max_retry = max_retry
        self._clock = clock
        self._state = ConnectionState.IDLE
        self._waiting: deque[agent.WorkerMessage] = deque()
        self._something_to_send = asyncio.Event()
        self._sent = asyncio.Event()
        self._attempts = 0
        self.problem: str | None = None
        """What was wrong with the last connection; None while there is one."""
        self._known = False
        """Whether the server has ever taken the worker: then a refusal may pass, as when the server starts anew."""

    @property
    def state(self) -> ConnectionState:
        """Where the worker stands."""
        return self._state

    def send(self, message: agent.WorkerMessage) -> None:
        """Send it as soon as that is possible; while there is no registration only what became of jobs is kept."""
        if self._state is ConnectionState.REGISTERED or message.HasField("update_job"):
            self._waiting.append(message)
            self._something_to_send.set()

    async def flush(self, timeout: float) -> None:
        """Wait until everything is sent, where that can be, for so many seconds at the most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self._waiting and self._state is ConnectionState.REGISTERED:
                    self._sent.clear()
                    await self._sent.wait()

    async def run(self) -> None:
        """Stay registered until cancelled.

        Raises WorkerError when the server refuses the worker, or after `max_retry` attempts.
        """
        try:
            while True:
                self._happens("attempt")
                try:
                    await self._serve()
                except WorkerError as exc:
                    self._lost()
                    await self._clock.sleep(self._delay_after(exc))
        finally:
            if self._state is not ConnectionState.FAILED:
                self._happens("closed")

    async def _serve(self) -> None:
        """One connection. Ends by WorkerError, or cancelled."""
        channel = await self._connect()
        self._happens("opened")
        registered_at: float | None = None
        tasks: list[asyncio.Task[None]] = []
        try:
            welcome = await self._register(channel)
            self._happens("welcomed")
            self._known, self.problem = True, None
            registered_at = self._clock.now()
            self._on_registered(welcome)
            tasks = [asyncio.create_task(self._receive(channel)), asyncio.create_task(self._send(channel))]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            if registered_at is not None and self._clock.now() - registered_at >= STEADY:
                self._attempts = 0
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await channel.close()

    async def _register(self, channel: Channel) -> agent.RegisterWorkerResponse:
        await channel.send(agent.WorkerMessage(register=self._registration).SerializeToString())
        try:
            async with asyncio.timeout(REGISTER_TIMEOUT):
                message = _decoded(await channel.receive())
        except TimeoutError:
            raise WorkerError(
                f"the server didn't answer the registration within {REGISTER_TIMEOUT:g} s", retry=True
            ) from None
        if message is None or not message.HasField("register"):
            raise WorkerError("what answers is no LiveKit server: check LIVEKIT_URL")
        return message.register

    async def _receive(self, channel: Channel) -> None:
        while True:
            message = _decoded(await channel.receive())
            if message is None:
                logger.warning("the server sent a message that is none of the protocol's; it is left out")
            elif message.HasField("go_away"):
                raise WorkerError(f"the server asks to connect again ({message.go_away.reason})", retry=True)
            else:
                self._on_message(message)

    async def _send(self, channel: Channel) -> None:
        while True:
            while self._waiting:
                await channel.send(self._waiting[0].SerializeToString())
                self._waiting.popleft()
                self._sent.set()
            self._something_to_send.clear()
            await self._something_to_send.wait()

    def _lost(self) -> None:
        was_registered = self._state is ConnectionState.REGISTERED
        self._happens("lost")
        self._waiting = deque(message for message in self._waiting if message.HasField("update_job"))
        if was_registered:
            self._on_lost()

    def _delay_after(self, exc: WorkerError) -> float:
        """Seconds until the next attempt. Raises WorkerError when there is none."""
        self.problem = str(exc)
        if not exc.retry and not self._known:
            self._happens("given up")
            raise exc
        if self._attempts >= self._max_retry:
            self._happens("given up")
            raise WorkerError(f"given up after {self._attempts} attempts: {exc}", retry=True) from exc
        delay = min(2.0 * self._attempts, LONGEST_DELAY)
        self._attempts += 1
        logger.warning("%s; attempt %d of %d in %g s", exc, self._attempts, self._max_retry, delay)
        return delay

    def _happens(self, what: str) -> None:
        self._state = TRANSITIONS[self._state, what]


def _decoded(data: bytes | str) -> agent.ServerMessage | None:
    """The message; None if it is none."""
    if isinstance(data, str):
        return None
    try:
        message = agent.ServerMessage.FromString(data)
    except DecodeError:
        return None
    return message if message.WhichOneof("message") is not None else None
