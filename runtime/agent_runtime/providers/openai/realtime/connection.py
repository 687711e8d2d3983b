"""One connection to a server of realtime models: JSON objects in both directions."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Protocol

from agent_runtime.errors import APIConnectionError, APIStatusError, APITimeoutError


class Socket(Protocol):
    """An open connection."""

    async def send(self, event: dict[str, Any]) -> None:
        """Send an event. Raises APIConnectionError if the connection is lost."""

    async def receive(self) -> dict[str, Any] | None:
        """The next event; None once the connection is closed. What is no JSON object is left out."""

    async def aclose(self) -> None:
        """Close it."""


class WebSocket:
    """The same over a WebSocket of aiohttp's."""

    def __init__(self, ws: Any) -> None:
        self._ws = ws

    async def send(self, event: dict[str, Any]) -> None:
        """Send an event."""
        try:
            await self._ws.send_str(json.dumps(event))
        except (OSError, RuntimeError) as error:  # which of them depends on how far the closing has come
            raise APIConnectionError(f"the realtime connection was lost while sending: {error}") from None

    async def receive(self) -> dict[str, Any] | None:
        """The next event, None at the end."""
        import aiohttp

        async for message in self._ws:
            if message.type is aiohttp.WSMsgType.TEXT:
                try:
                    event = json.loads(message.data)
                except ValueError:
                    continue
                if isinstance(event, dict):
                    return event
        return None

    async def aclose(self) -> None:
        """Close it."""
        await self._ws.close()


async def open_socket(http: Any, url: str, headers: dict[str, str], timeout: float) -> Socket:
    """Connect.

    Args:
        http: a session of aiohttp's.
        url: of the WebSocket.
        headers: with the key, which no error repeats.
        timeout: seconds.

    Raises:
        APIConnectionError: there is no connection; an APIStatusError where the server refused it.
    """
    import aiohttp

    server = url.partition("?")[0]
    try:
        async with asyncio.timeout(timeout):
            return WebSocket(await http.ws_connect(url, headers=headers, max_msg_size=0))
    except TimeoutError:
        raise APITimeoutError(f"{server} didn't answer within {timeout:g} s") from None
    except aiohttp.WSServerHandshakeError as error:
        if error.status in (401, 403):
            reason = "refuses the API key: set OPENAI_API_KEY, or give api_key"
        else:
            reason = f"refused the connection ({error.status})"
        raise APIStatusError(f"{server} {reason}", status_code=error.status) from None
    except (aiohttp.ClientError, OSError) as error:
        raise APIConnectionError(f"{server} can't be reached: {error}") from None
