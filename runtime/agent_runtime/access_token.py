"""Tokens that let somebody in at a LiveKit server, made with its key: JSON Web Tokens (RFC 7519, HS256).

They don't say from when on they are valid, as the SDK's do, so that a clock that is ahead of the server's does no
harm.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, Final

LIFE: Final = 6 * 3600
"""Seconds. A token is needed to connect, no longer; the rest is for a clock that is late by the server's."""


def access_token(
    key: str, secret: str, claims: Mapping[str, Any], *, life: int = LIFE, now: float | None = None
) -> str:
    """A token with these claims, which lasts for `life` seconds from `now`, the wall clock's time if left out."""
    issued = time.time() if now is None else now
    header, body = {"alg": "HS256", "typ": "JWT"}, {"iss": key, "exp": int(issued) + life, **claims}
    signed = f"{_encoded(header)}.{_encoded(body)}"
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64(signature)}"


def participant_token(key: str, secret: str, identity: str, grants: Mapping[str, Any], *, kind: str, name: str) -> str:
    """Lets a participant in, with `grants` named as LiveKit's protocol names them (`roomJoin`, `room`)."""
    return access_token(key, secret, {"sub": identity, "name": name, "kind": kind, "video": grants})


def _encoded(value: object) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
