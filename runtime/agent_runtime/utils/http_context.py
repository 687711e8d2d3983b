"""One aiohttp session for all providers of an event loop that want one.

Packages of providers for LiveKit Agents ask for it; providers of our own have their vendors' clients.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakKeyDictionary

from agent_runtime.errors import MissingDependencyError

_sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()


def http_session() -> Any:
    """The `aiohttp.ClientSession` of the running loop, made when it is first asked for. It isn't the caller's to close.

    Raises:
        MissingDependencyError: aiohttp isn't installed; packages that use it bring it.
    """
    loop = asyncio.get_running_loop()
    session = _sessions.get(loop)
    if session is None or session.closed:
        session = _sessions[loop] = _aiohttp().ClientSession(trust_env=True)
    return session


async def aclose() -> None:
    """Close the running loop's session, if there is one. Whoever runs sessions does so at the end."""
    session = _sessions.pop(asyncio.get_running_loop(), None)
    if session is not None:
        await session.close()


@asynccontextmanager
async def open() -> AsyncIterator[Any]:
    """The session of the running loop for the time of the block; one that was there before stays."""
    if asyncio.get_running_loop() in _sessions:
        yield http_session()
        return
    try:
        yield http_session()
    finally:
        await aclose()


def _aiohttp() -> Any:
    try:
        return importlib.import_module("aiohttp")
    except ImportError as exc:
        raise MissingDependencyError("aiohttp", "pip install aiohttp") from exc
