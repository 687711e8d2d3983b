"""The worker's HTTP server: is it alive, does it take jobs, how does it do, and whatever else is given a path.

By `websockets`, which a worker needs anyway: a web framework would cost it a third of its memory.
"""

from __future__ import annotations

import errno
import logging
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from agent_runtime.errors import WorkerError
from agent_runtime.worker.report import WorkerReport

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response

logger = logging.getLogger(__name__)

LOOPBACK: Final = "127.0.0.1"
PORT: Final = 8081
_TEXT: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json"
_REASONS: Final = {200: "OK", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"} | {
    426: "Upgrade Required",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_OPEN_TIMEOUT: Final = 5.0
"""Seconds that somebody gets to say what they want."""


class Page(NamedTuple):
    """An answer."""

    status: int
    text: str
    content_type: str = _TEXT
    headers: tuple[tuple[str, str], ...] = ()


class Sockets:
    """What answers WebSockets, below one path. This one has none."""

    path = ""

    def refusal(self, path: str, headers: Mapping[str, str]) -> Page | None:
        """Why this request can't have one; None if it can."""
        return Page(404, "there is nothing here\n")

    async def serve(self, path: str, socket: ServerConnection) -> None:
        """Talk to one that was let in, until either side hangs up."""


def health_pages(report: Callable[[], WorkerReport]) -> dict[str, Callable[[], Page]]:
    """`/` for whether to keep the worker, `/ready` for whether it takes jobs, `/worker` for how it does."""

    def alive() -> Page:
        now = report()
        return Page(200, "OK\n") if now.is_healthy else Page(503, _why(now))

    def ready() -> Page:
        now = report()
        return Page(200, "OK\n") if now.is_ready else Page(503, _why(now))

    return {"/": alive, "/ready": ready, "/worker": lambda: Page(200, report().as_json() + "\n", _JSON)}


class HealthServer:
    """Answers over HTTP while the worker's loop runs: no answer says something too.

    Args:
        pages: what to answer, by path.
        host: the address to listen at; this machine alone unless told otherwise.
        port: 0 is any free one.
        sockets: what answers WebSockets.
        tls: with it, only HTTPS is spoken.
    """

    def __init__(
        self,
        pages: Mapping[str, Callable[[], Page]],
        *,
        host: str = LOOPBACK,
        port: int = PORT,
        sockets: Sockets | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._pages = dict(pages)
        self._host = host or LOOPBACK
        self._port = port
        self._sockets = sockets or Sockets()
        self._tls = tls
        self._server: Any = None

    @property
    def port(self) -> int:
        """Where it listens; the number that was asked for before it does."""
        return self._port

    @property
    def url(self) -> str:
        """Where it is found from this machine."""
        host = LOOPBACK if self._host in ("0.0.0.0", "::") else self._host
        return f"http{'s' if self._tls else ''}://{f'[{host}]' if ':' in host else host}:{self._port}"

    async def start(self) -> None:
        """Begin to listen. Raises WorkerError if the address can't be had."""
        from websockets.asyncio.server import serve

        silent = logging.getLogger("agent_runtime.worker.http")
        # It would log each probe, and each that hangs up early with a traceback; what fails in here is told in here.
        silent.setLevel(logging.CRITICAL)
        try:
            self._server = await serve(
                self._talk,
                self._host,
                self._port,
                process_request=self._answer,
                compression=None,
                server_header=None,
                open_timeout=_OPEN_TIMEOUT,
                max_size=2**16,
                ssl=self._tls,
                logger=silent,
            )
        except OSError as exc:
            raise WorkerError(_why_not_listening(exc, self._host, self._port)) from exc
        self._port = next(iter(self._server.sockets)).getsockname()[1]
        logger.info("health is told at %s", self.url)

    async def aclose(self) -> None:
        """Hang up on everybody: they are told that the worker goes away."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await server.wait_closed()

    # --- one request -------------------------------------------------------------------------------------------------

    async def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        path = urlsplit(request.path).path
        below = self._sockets.path
        if below and (path == below or path.startswith(f"{below}/")):
            page = self._sockets.refusal(path, _headers(request))
            if page is None and "websocket" not in request.headers.get("Upgrade", "").lower():
                page = Page(426, "this is a WebSocket\n", headers=(("Upgrade", "websocket"),))
            return None if page is None else _response(page, request.method)
        if request.method not in ("GET", "HEAD"):
            return _response(Page(405, "only GET is answered\n", headers=(("Allow", "GET, HEAD"),)), request.method)
        make = self._pages.get(path)
        if make is None:
            return _response(Page(404, f"there are {', '.join(sorted(self._pages))}\n"), request.method)
        try:
            page = make()
        except Exception:
            logger.exception("%s can't be answered", path)
            page = Page(500, "this failed; the worker's log says why\n")
        return _response(page, request.method)

    async def _talk(self, connection: ServerConnection) -> None:
        assert connection.request is not None, "the handshake is over"
        path = urlsplit(connection.request.path).path
        try:
            await self._sockets.serve(path, connection)
        except Exception:
            logger.exception("%s broke off", path)


def _headers(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.raw_items()}


def _response(page: Page, method: str) -> Response:
    from websockets.datastructures import Headers
    from websockets.http11 import Response

    body = page.text.encode()
    headers = Headers({"Content-Type": page.content_type, "Content-Length": str(len(body)), "Connection": "close"})
    headers["Cache-Control"] = "no-store"
    for name, value in page.headers:
        headers[name] = value
    return Response(page.status, _REASONS[page.status], headers, b"" if method == "HEAD" else body)


def _why(report: WorkerReport) -> str:
    return f"{report.state}: {report.problem}\n" if report.problem else f"{report.state}\n"


def _why_not_listening(exc: OSError, host: str, port: int) -> str:
    if exc.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use: end what listens there, or give another port (0 is any free one)"
    if exc.errno in (errno.EACCES, errno.EPERM):
        return f"port {port} on {host} isn't allowed to this user: give one from 1024 on"
    # From Python 3.12 on there is no number with it.
    if exc.errno == errno.EADDRNOTAVAIL or "getaddrinfo" in str(exc) or "could not bind on any" in str(exc):
        return f"{host} is no address of this machine: give one that is, or 0.0.0.0 for all of them"
    return f"nothing can listen at {host}:{port}: {exc.strerror or exc}"
