"""The connections to a worker: its report, and what happens in one of its jobs; made again when they are lost."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Literal

from agent_console.attach.address import WorkerAddress
from agent_runtime.errors import AgentConsoleError
from agent_runtime.records import record
from agent_runtime.worker.feed import JOB_OVER, READ_ONLY
from agent_runtime.worker.report import WorkerReport

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

DELAYS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the first attempts to connect again; the last for all further ones."""
_OPEN_TIMEOUT: Final = 10.0
_GOING_AWAY: Final = 1001
_GONE: Final = 404
_REFUSED: Final = {
    401: "the worker doesn't know this token: give the one that it was started with or showed",
    403: "this worker can't be attached to",
}


class JobOver(Exception):
    """The job that was followed is over; its error, if it had one."""


class NotAllowed(AgentConsoleError):
    """Raised when a worker doesn't let this console in, or not do what it asked. Trying again changes nothing."""


class Lost(AgentConsoleError):
    """Raised when a worker can't be reached, or not any more."""


@record(frozen=True, slots=True)
class LinkState:
    """How the connection is. `problem` says why it isn't `connected`; `refused` is for good."""

    state: Literal["connecting", "connected", "lost", "refused"] = "connecting"
    problem: str = ""


CONNECTING: Final = LinkState()


async def reports(address: WorkerAddress) -> AsyncGenerator[WorkerReport, None]:
    """A worker's report, whenever it changes. Ends by NotAllowed or Lost."""
    async with _connected(address, None) as socket:
        async for message in socket:
            try:
                yield WorkerReport.from_json(message)
            except ValueError as exc:
                raise NotAllowed(f"what is at {address.url} is no worker of this version: {exc}") from exc
        raise _why_closed(socket)


async def follow(
    address: WorkerAddress, job_id: str, on_lines: Callable[[str], None], requests: asyncio.Queue[str]
) -> None:
    """Take a job's lines, and send what is asked of it. Ends by JobOver, NotAllowed or Lost."""
    async with _connected(address, job_id) as socket:
        asking = asyncio.create_task(_ask(socket, requests))
        try:
            async for message in socket:
                on_lines(message if isinstance(message, str) else message.decode())
        finally:
            asking.cancel()
        raise _why_closed(socket)


async def _ask(socket: ClientConnection, requests: asyncio.Queue[str]) -> None:
    while True:
        await socket.send(await requests.get())


@asynccontextmanager
async def _connected(address: WorkerAddress, job_id: str | None) -> AsyncIterator[ClientConnection]:
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus, WebSocketException

    try:
        async with connect(
            address.socket_url(job_id),
            additional_headers={"Authorization": f"Bearer {address.token}"},
            proxy=None,
            open_timeout=_OPEN_TIMEOUT,
            close_timeout=0.5,
            max_size=None,
        ) as socket:
            try:
                yield socket
            except ConnectionClosed:
                raise _why_closed(socket) from None
    except InvalidStatus as exc:
        raise _why_refused(exc.response.status_code, bytes(exc.response.body or b"")) from None
    except (ConnectionRefusedError, TimeoutError):
        raise Lost(f"no worker answers at {address.url}") from None
    except ssl.SSLCertVerificationError as exc:
        text = f"the worker's certificate can't be trusted: {exc.verify_message}; SSL_CERT_FILE names one of your own"
        raise NotAllowed(text) from None
    except InvalidMessage as exc:
        raise Lost(_why_no_http(address, exc)) from None
    except (ssl.SSLError, ConnectionResetError, EOFError) as exc:
        raise Lost(_why_cut(address, exc)) from None
    except (OSError, WebSocketException) as exc:
        raise Lost(f"no worker answers at {address.url}: {exc}") from None


def _why_no_http(address: WorkerAddress, error: Exception) -> str:
    tls = "" if address.url.startswith("https:") else "; a worker with a certificate is at https://"
    return f"no worker answers at {address.url}: {error}{tls}"


def _why_cut(address: WorkerAddress, error: Exception) -> str:
    tls = ": does it speak plain http?" if address.url.startswith("https:") else ""
    return f"{address.url} cut the connection off ({str(error) or type(error).__name__}){tls}"


def _why_refused(status: int, body: bytes) -> Exception:
    text = body.decode(errors="replace").strip()
    if status in _REFUSED:
        return NotAllowed(f"{_REFUSED[status]}" if status == 401 else f"{_REFUSED[status]}: {text}")
    if status == _GONE and "no job" in text:
        return JobOver("")
    return NotAllowed(f"this is no worker that can be attached to (status {status}: {text[:80]})")


def _why_closed(socket: ClientConnection) -> Exception:
    code, reason = socket.close_code, socket.close_reason or ""
    if code == JOB_OVER:
        return JobOver(reason)
    if code == READ_ONLY:
        return NotAllowed(reason)
    if code == _GOING_AWAY:
        return Lost("the worker has ended")
    return Lost(f"the connection to the worker is lost{f' ({reason})' if reason else ''}")
