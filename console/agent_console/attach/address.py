"""Which worker to attach to, and with what token."""

from __future__ import annotations

import ipaddress
from dataclasses import field
from typing import Final
from urllib.parse import quote, urlsplit

from agent_runtime.errors import AgentConsoleError
from agent_runtime.records import record
from agent_runtime.worker.access import PREFIX, TokenFile, is_loopback
from agent_runtime.worker.feed import PATH
from agent_runtime.worker.health import PORT

NEAREST: Final = f"http://127.0.0.1:{PORT}"
"""A worker that was started here with nothing else said."""
_SECURE: Final = {"http": False, "ws": False, "https": True, "wss": True}


@record(frozen=True, slots=True)
class WorkerAddress:
    """Where a worker tells how it does, and what lets a console in."""

    url: str
    """As people write it, without a path."""
    token: str = field(repr=False)

    def socket_url(self, job_id: str | None = None) -> str:
        """Where its report is told, or what happens in a job."""
        base = self.url.replace("http", "ws", 1)
        return f"{base}{PATH}" if job_id is None else f"{base}{PATH}/{quote(job_id)}"


def find_worker(url: str | None, token: str | None, *, insecure: bool = False) -> WorkerAddress:
    """The worker at a URL, on this machine if left out. Without a token, the one that a worker here keeps is used.

    Raises AgentConsoleError for an address that can't be one, or without a token.
    """
    text = url or NEAREST
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in _SECURE or not parts.hostname or port == -1:
        raise AgentConsoleError(f"{text} is no worker's address: give one like {NEAREST}")
    host, secure = parts.hostname, _SECURE[parts.scheme]
    if port is None:
        port = 443 if secure else PORT
    if not (secure or insecure or is_loopback(host)):
        raise AgentConsoleError(
            f"the token would travel to {host} for everybody to read: give an https address, or a tunnel to "
            "this machine (ssh -L), or --insecure if the network is your own"
        )
    if not token and is_loopback(host):
        token = TokenFile(port).read()
    if not token:
        here = f"no worker that you started keeps one for port {port} of this machine; " if is_loopback(host) else ""
        raise AgentConsoleError(
            f"a token is needed: {here}--token or {PREFIX}TOKEN takes the one that the worker at {host}:{port} was "
            "given or showed"
        )
    return WorkerAddress(f"http{'s' if secure else ''}://{_written(host)}:{port}", token)


def _written(host: str) -> str:
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host
