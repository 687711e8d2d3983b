"""Who may attach to a worker, and how the token that it takes gets to them."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import os
import secrets
import ssl
import sys
import warnings
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Final

from agent_runtime.errors import WorkerError
from agent_runtime.records import record
from agent_runtime.worker.health import LOOPBACK, Page

logger = logging.getLogger(__name__)

PREFIX: Final = "AGENT_CONSOLE_ATTACH_"
SHORTEST_TOKEN: Final = 16
"""Characters."""
_YES: Final = ("1", "true", "yes", "on")
_BEARER: Final = "bearer "


@record(frozen=True, slots=True)
class AttachOptions:
    """As the variables `AGENT_CONSOLE_ATTACH_…` say.

    Args:
        token: what lets a console in; one is made where it is empty.
        certificate: a file with the certificate for TLS, as PEM.
        key: the file with its key; unset, it is in the same.
        insecure: attach beyond this machine even without TLS: something in front of it brings that.
        write: who is attached may also type, interrupt and mute.
    """

    token: str = field(default="", repr=False)
    certificate: str = ""
    key: str = ""
    insecure: bool = False
    write: bool = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> AttachOptions:
        """What the variables say. Raises WorkerError for a token that could be guessed."""

        def text(name: str) -> str:
            return environ.get(f"{PREFIX}{name}", "").strip()

        def yes(name: str) -> bool:
            return text(name).lower() in _YES

        token = text("TOKEN")
        if token and len(token) < SHORTEST_TOKEN:
            raise WorkerError(f"{PREFIX}TOKEN: a token of less than {SHORTEST_TOKEN} characters could be guessed")
        return cls(token, text("CERTIFICATE"), text("KEY"), yes("INSECURE"), yes("WRITE"))

    def tls(self) -> ssl.SSLContext | None:
        """For the server; None without a certificate. Raises WorkerError if it can't be used."""
        if not self.certificate:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self.certificate, self.key or None)
        except (OSError, ssl.SSLError) as exc:
            files = " and ".join(filter(None, (self.certificate, self.key)))
            raise WorkerError(f"{PREFIX}CERTIFICATE: {files} can't be used: {exc}") from exc
        return context


class Gate:
    """Lets in who has the token.

    Args:
        options: see there.
        host: where the worker listens.

    Raises:
        WorkerError: attaching is asked for beyond this machine, and the token would travel where others may read it.
    """

    def __init__(self, options: AttachOptions, host: str) -> None:
        self.why_closed = ""
        """Why nobody can attach; empty where they can."""
        if not (is_loopback(host) or options.certificate or options.insecure):
            if options.token:
                raise WorkerError(
                    f"attaching at {host} would be possible without TLS: give {PREFIX}CERTIFICATE and {PREFIX}KEY, or "
                    f"{PREFIX}INSECURE=1 if something in front brings TLS, or no {PREFIX}TOKEN"
                )
            self.why_closed = f"nobody can attach: the worker listens at {host} without TLS"
        self.token = options.token or secrets.token_urlsafe(32)
        self.is_made_up = not options.token
        self.allows_requests = options.write

    def refusal(self, headers: Mapping[str, str]) -> Page | None:
        """Why somebody isn't let in; None if they are. The headers' names are in lower case."""
        if self.why_closed:
            return Page(403, f"{self.why_closed}\n")
        given = headers.get("authorization", "")
        token = given[len(_BEARER) :].strip() if given.lower().startswith(_BEARER) else ""
        if hmac.compare_digest(token.encode(), self.token.encode()):
            return None
        problem = "this isn't the worker's token" if token else "a token is needed"
        return Page(401, f"{problem}\n", headers=(("WWW-Authenticate", "Bearer"),))


class TokenFile:
    """Where a token that was made up is found by consoles on the same machine: a file that only its user can read."""

    def __init__(self, port: int, folder: Path | None = None) -> None:
        self.path = (folder or _runtime_folder()) / f"attach-{port}.token"

    def write(self, token: str) -> bool:
        """Keep it; False where there is no place for it, which is logged."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.unlink(missing_ok=True)
            with open(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(token)
        except OSError as exc:
            logger.info("the token to attach with can't be kept for consoles on this machine: %s", exc)
            return False
        return True

    def read(self) -> str | None:
        """The token; None if there is none, or it isn't this user's."""
        try:
            if hasattr(os, "getuid") and self.path.stat().st_uid != os.getuid():
                return None
            return self.path.read_text().strip() or None
        except OSError:
            return None

    def remove(self) -> None:
        """The worker is gone."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as exc:
            logger.info("%s can't be removed: %s", self.path, exc)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def tell_token(gate: Gate, url: str) -> None:
    """Say on a terminal how to attach. A log that goes elsewhere doesn't get the token."""
    if gate.why_closed:
        logger.info("%s", gate.why_closed)
    elif gate.is_made_up and sys.stderr.isatty():
        where = "" if url == f"http://{LOOPBACK}:8081" else f" {url}"
        print(f"agent-console attach{where} --token {gate.token}", file=sys.stderr)
    else:
        logger.info("agent-console attach %s shows what the jobs do", url)


def _runtime_folder() -> Path:
    from platformdirs import user_runtime_path

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of each fallback; where the file is doesn't matter to anybody
        return user_runtime_path("agent-console")
