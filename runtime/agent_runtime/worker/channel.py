"""The WebSocket to a LiveKit server's `/agent`, and why there is none."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import Any, Final, Literal, Protocol, TypeAlias
from urllib.parse import quote, urlsplit, urlunsplit

from agent_runtime.access_token import access_token
from agent_runtime.errors import WorkerError
from agent_runtime.records import record
from agent_runtime.server_problems import NO_SERVER, explain_refusal

OPEN_TIMEOUT: Final = 10.0
"""Seconds until a server that doesn't answer counts as none."""
HEARTBEAT: Final = 30.0
"""Seconds between the pings that show that the other end is there."""
HEARTBEAT_TIMEOUT: Final = 15.0

_MESSAGES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "connection reset"),
    (socket.gaierror, "failed to lookup address"),
    (ssl.SSLCertVerificationError, "certificate"),
    (ssl.SSLError, "contenttype"),
)
"""What Python raises → the words by which `explain_refusal` knows it."""


class Channel(Protocol):
    """One connection to a server."""

    async def send(self, data: bytes) -> None:
        """Send a message. Raises WorkerError when the connection is lost."""

    async def receive(self) -> bytes | str:
        """The next message. Raises WorkerError when the connection is lost."""
        ...

    async def close(self) -> None:
        """Hang up."""


Connect: TypeAlias = Callable[[], Awaitable[Channel]]
"""Opens a channel. Raises WorkerError that says what is wrong and what to do."""


@record(frozen=True, slots=True)
class ServerAddress:
    """A server, and the key to it.

    `proxy` is a proxy's URL, True for what the environment says, None for no proxy.
    """

    url: str
    key: str
    secret: str = field(repr=False)
    proxy: str | Literal[True] | None = True
    worker_token: str = field(default="", repr=False)
    """What LiveKit's own hosting gives its workers."""

    def check(self) -> None:
        """Raise WorkerError, with what to do, if something is missing or the URL can't be one."""
        named = {"LIVEKIT_URL": self.url, "LIVEKIT_API_KEY": self.key, "LIVEKIT_API_SECRET": self.secret}
        missing = ", ".join(name for name, value in named.items() if not value)
        if missing:
            raise WorkerError(NO_SERVER.format(missing=f"{missing} not set"))
        parts = urlsplit(self.url)
        if parts.scheme not in ("ws", "wss", "http", "https") or not parts.hostname:
            raise WorkerError(explain_refusal("parse the url", self.url, self.key)[0])

    @property
    def agent_url(self) -> str:
        """Where workers connect."""
        parts = urlsplit(self.url)
        scheme = parts.scheme.replace("http", "ws", 1)
        query = f"worker_token={quote(self.worker_token)}" if self.worker_token else ""
        return urlunsplit((scheme, parts.netloc, f"{parts.path.rstrip('/')}/agent", query, ""))

    def token(self, now: float) -> str:
        """Lets a worker in. `now` is the wall clock's time."""
        return access_token(self.key, self.secret, {"video": {"agent": True}}, now=now)

    def explain(self, message: str) -> WorkerError:
        """A refusal as an error that says what to do."""
        text, retry = explain_refusal(message, self.url, self.key)
        return WorkerError(text, retry=retry)


async def open_channel(address: ServerAddress, now: Callable[[], float] = time.time) -> Channel:
    """Connect. `now` is the wall clock. Raises WorkerError that says what is wrong and what to do."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus, WebSocketException

    try:
        connection = await connect(
            address.agent_url,
            additional_headers={"Authorization": f"Bearer {address.token(now())}"},
            compression=None,
            proxy=address.proxy,
            open_timeout=OPEN_TIMEOUT,
            ping_interval=HEARTBEAT,
            ping_timeout=HEARTBEAT_TIMEOUT,
            close_timeout=1.0,
        )
    except InvalidStatus as exc:
        body = bytes(exc.response.body or b"").decode(errors="replace").strip()
        raise address.explain(f"{body} (status {exc.response.status_code})") from None
    except TimeoutError:
        where = f"what is at {address.url} didn't answer within {OPEN_TIMEOUT:g} s"
        raise WorkerError(f"{where}: check that it is a LiveKit server (LIVEKIT_URL) and runs", retry=True) from None
    except WebSocketException as exc:
        raise address.explain(f"protocol error: {exc}") from None
    except (OSError, EOFError) as exc:
        raise address.explain(_words_for(exc)) from None
    return _WebSocket(connection)


class _WebSocket:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def send(self, data: bytes) -> None:
        try:
            await self._connection.send(data)
        except Exception as exc:
            raise _lost(exc) from exc

    async def receive(self) -> bytes | str:
        try:
            message: bytes | str = await self._connection.recv()
        except Exception as exc:
            raise _lost(exc) from exc
        return message

    async def close(self) -> None:
        await self._connection.close()


def _lost(exc: Exception) -> WorkerError:
    from websockets.exceptions import ConnectionClosed

    if not isinstance(exc, ConnectionClosed | OSError | asyncio.IncompleteReadError):
        raise exc
    return WorkerError(f"the connection to the server is lost ({exc})", retry=True)


def _words_for(exc: Exception) -> str:
    # Several addresses of one host that all refuse come as one error that has their text, but none of their types.
    if "Connect call failed" in str(exc):
        return "connection refused"
    found = (words for kind, words in _MESSAGES if isinstance(exc, kind))
    return f"{next(found, type(exc).__name__)}: {exc}"
