"""One WebSocket to the gateway: JSON objects in both directions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from agent_runtime.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError
from agent_runtime.inference.gateway import KEY_NAMES, REQUEST_HEADER, SESSION_HEADER, URL_NAME, Gateway, quota_used
from agent_runtime.utils import http_context

if TYPE_CHECKING:
    import aiohttp

_HEARTBEAT: Final = 20.0
"""Seconds between pings, so that a connection that is silently lost is known to be."""
_CLOSING: Final = 1.0
"""Seconds for the gateway's goodbye."""


class GatewaySocket:
    """An open connection.

    Args:
        ws: of aiohttp's.
        kind: what is at its other end, for messages: `STT`, `TTS`.
        session_id: what the gateway was told that this connection is called; empty outside of a job.
    """

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, kind: str, session_id: str) -> None:
        self._ws = ws
        self._kind = kind
        self.session_id = session_id

    async def send(self, message: dict[str, Any]) -> None:
        """Send a message. Raises APIConnectionError if the connection is lost."""
        try:
            await self._ws.send_str(json.dumps(message))
        except (OSError, RuntimeError) as error:  # which of them depends on how far the closing has come
            raise APIConnectionError(f"LiveKit Inference {self._kind} was lost while sending: {error}") from None

    async def receive(self, timeout: float | None = None) -> dict[str, Any] | None:
        """The next message; None once the connection is closed.

        Raises:
            APITimeoutError: none came within `timeout` seconds.
            APIError: what came is no JSON object.
        """
        import aiohttp

        try:
            async with asyncio.timeout(timeout):
                message = await self._ws.receive()
        except TimeoutError:
            raise APITimeoutError(f"LiveKit Inference {self._kind} said nothing for {timeout:g} s") from None
        if message.type is not aiohttp.WSMsgType.TEXT:
            if message.type is aiohttp.WSMsgType.BINARY:
                raise APIError(f"LiveKit Inference {self._kind} sent bytes where JSON was expected: check {URL_NAME}")
            return None
        try:
            found = json.loads(message.data)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise APIError(f"LiveKit Inference {self._kind} sent no JSON object: check {URL_NAME}")
        return found

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._ws.closed

    def lost(self) -> APIStatusError:
        """The error of a connection that the gateway closed."""
        message = f"LiveKit Inference {self._kind} closed the connection"
        code = self._ws.close_code or -1
        return APIStatusError(message, status_code=code, request_id=self.session_id or None, retryable=True)

    def failure(self, message: dict[str, Any], *, model: str, retryable: bool = True) -> APIError:
        """The error of a message of the type `error`."""
        said = message.get("message") or message.get("error") or "it gives no reason"
        text = f"LiveKit Inference {self._kind} failed with {model!r}: {said}"
        code = message.get("code")
        asked = message.get("request_id") or self.session_id or None
        if isinstance(code, int) and 400 <= code < 600:
            error = APIStatusError(text, status_code=code, request_id=asked, body=message)
            error.retryable = error.retryable and retryable
            return error
        return APIError(text, body=message, retryable=retryable)

    async def aclose(self) -> None:
        """Close it; what the gateway is doing for it ends."""
        await self._ws.close()


async def open_socket(
    gateway: Gateway, path: str, model: str | None, *, timeout: float, http: aiohttp.ClientSession | None
) -> GatewaySocket:
    """Connect to `stt` or `tts`.

    Args:
        gateway: where, and with which key.
        path: of the service, below the gateway's root.
        model: for the gateway to choose where to go.
        timeout: seconds.
        http: a session of aiohttp's; else the running loop's.

    Raises:
        APIConnectionError: there is no connection; an APIStatusError where the gateway refused it.
    """
    # Importing it takes a fifth of a second, in which the loop would play no audio.
    aiohttp = await asyncio.to_thread(_aiohttp)
    session = http or http_context.http_session()
    headers = gateway.headers()
    url, kind = gateway.socket_url(path, model), path.upper()
    try:
        async with asyncio.timeout(timeout):
            ws = await session.ws_connect(
                url, headers=headers, heartbeat=_HEARTBEAT, timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSING)
            )
    except TimeoutError:
        raise APITimeoutError(f"{gateway.url} didn't answer within {timeout:g} s") from None
    except aiohttp.WSServerHandshakeError as error:
        raise _refused(gateway, model, error) from None
    except (aiohttp.ClientError, OSError) as error:
        text = f"{gateway.url} can't be reached ({error}): check the network, and {URL_NAME} if it is set"
        raise APIConnectionError(text) from None
    return GatewaySocket(ws, kind, headers.get(SESSION_HEADER, ""))


def _refused(gateway: Gateway, model: str | None, error: aiohttp.WSServerHandshakeError) -> APIStatusError:
    headers: Mapping[str, str] = error.headers or {}
    if error.status == 401:
        text = f"{gateway.url} refuses the key: set {KEY_NAMES} to those of a LiveKit Cloud project"
    elif error.status == 403:
        text = f"{gateway.url} doesn't let this project use {model!r}"
    elif error.status == 404:
        text = f"{gateway.url} has no model {model!r}: choose another model"
    elif error.status == 429:
        text = f"{gateway.url} limits what this project uses" + (f" ({used})" if (used := quota_used(headers)) else "")
    else:
        text = f"{gateway.url} refused the connection: {error.message}"
    return APIStatusError(text, status_code=error.status, request_id=headers.get(REQUEST_HEADER))


def _aiohttp() -> Any:
    import aiohttp

    return aiohttp
