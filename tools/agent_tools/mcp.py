"""Tools that an MCP server runs: connections over stdio and HTTP, and the toolset that offers them to an agent.

The protocol is the official `mcp` package's; it is imported when a server is first used.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urlparse

from agent_tools.errors import ToolError
from agent_tools.functions import RawFunctionTool
from agent_tools.mcp_tools import (
    MCPTool,
    MCPToolOptions,
    MCPToolResultContext,
    MCPToolResultResolver,
    Progress,
    make_tool,
    result_text,
)
from agent_tools.toolset import Toolset

if TYPE_CHECKING:
    import httpx2
    from mcp import Client
    from mcp.client._transport import TransportStreams
    from mcp_types import CallToolResult
    from mcp_types import Tool as RemoteTool

__all__ = [
    "MCPServer",
    "MCPServerHTTP",
    "MCPServerStdio",
    "MCPTool",
    "MCPToolOptions",
    "MCPToolResultContext",
    "MCPToolResultResolver",
    "MCPToolset",
]


class MCPServer(ABC):
    """A connection to an MCP server. A subclass says how to reach it (`client_streams`).

    The connection lives in a task of its own, so it may be opened and closed from different tasks. A server that goes
    away fails the calls that it has; the next call connects anew.

    Args:
        client_session_timeout_seconds: how long an answer may take; 0 waits for ever.
        tool_result_resolver: turns a result into what the model reads; by default its text.
    """

    def __init__(
        self,
        *,
        client_session_timeout_seconds: float,
        tool_result_resolver: MCPToolResultResolver | None = None,
    ) -> None:
        self._timeout_seconds = client_session_timeout_seconds
        self._resolver = tool_result_resolver or result_text
        self._client: Client | None = None
        self._connection: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._closing = asyncio.Event()
        self._lost = False
        """Whether the server went away by itself."""
        self._connecting_anew = asyncio.Lock()
        self._listed: list[RemoteTool] | None = None

    @abstractmethod
    def client_streams(self) -> AbstractAsyncContextManager[TransportStreams]:
        """Open the pair of message streams, as the transports of the `mcp` package do."""

    @property
    def initialized(self) -> bool:
        """Whether the connection is up, as far as is known."""
        return self._client is not None and not self._lost

    async def initialize(self) -> None:
        """Connect; callers at the same time share one attempt, and one that gives up doesn't end it for the others.

        Raises:
            ImportError: the `mcp` package isn't installed.
            Exception: what the transport or the handshake raised.
        """
        if self._lost:
            await self._connect_anew()
        else:
            await self._connect()

    async def _connect(self) -> None:
        if self._connection is None or self._connection.done():
            self._closing.clear()
            self._ready = asyncio.get_running_loop().create_future()
            self._connection = asyncio.create_task(self._stay_connected(self._ready), name=f"{self!r} connection")
        assert self._ready is not None
        await asyncio.shield(self._ready)

    def invalidate_cache(self) -> None:
        """Ask the server for its tools again at the next `list_tools`."""
        self._listed = None

    async def list_tools(self, *, tool_options: dict[str, MCPToolOptions] | None = None) -> list[MCPTool]:
        """Give the server's tools, with the options for those that are named."""
        options = tool_options or {}
        return [
            make_tool(remote, self._call, options.get(remote.name, {}), self._resolver)
            for remote in await self._remote_tools()
        ]

    async def aclose(self) -> None:
        """Hang up. A server that was started for this connection ends too."""
        self._lost = False
        await self._hang_up()

    async def _hang_up(self) -> None:
        self._closing.set()
        if self._connection is not None:
            if self._ready is not None and not self._ready.done():
                self._connection.cancel()
            await asyncio.gather(self._connection, return_exceptions=True)
            self._connection = None

    async def _stay_connected(self, ready: asyncio.Future[None]) -> None:
        """Hold the connection open: its cancel scopes have to be left by the task that entered them."""
        try:
            from mcp import Client
        except ImportError as error:
            ready.set_exception(ImportError("MCP servers need the mcp package: run `pip install mcp`"))
            raise ready.exception() from error  # type: ignore[misc]  # it was set a line above
        try:
            async with Client(self.client_streams(), read_timeout_seconds=self._timeout_seconds or None) as client:
                self._client = client
                if not ready.done():
                    ready.set_result(None)
                await self._closing.wait()
        except BaseException as error:
            if not ready.done():
                if isinstance(error, Exception):
                    ready.set_exception(_plain(error))
                    return
                ready.cancel()
            raise
        finally:
            self._client = None
            self._listed = None

    async def _remote_tools(self) -> list[RemoteTool]:
        if self._listed is None:
            client = self._connected()
            page = await client.list_tools(cache_mode="refresh")
            found = list(page.tools)
            while page.next_cursor is not None:
                page = await client.list_tools(cursor=page.next_cursor)
                found += page.tools
            self._listed = found
        return self._listed

    async def _call(self, name: str, arguments: dict[str, Any], progress: Progress | None) -> CallToolResult:
        from mcp import MCPError
        from mcp_types import CONNECTION_CLOSED

        if self._lost:
            await self._connect_anew()
        client = self._connected()
        try:
            return await client.call_tool(name, arguments, progress_callback=progress)
        except MCPError as error:
            if error.code != CONNECTION_CLOSED or self._closing.is_set():
                raise
            # Not asked again: what it was to do may be done.
            self._lost = client is self._client
            raise ToolError(f"The server of this tool ({self!r}) went away before it answered.") from error

    async def _connect_anew(self) -> None:
        async with self._connecting_anew:
            if self._lost:
                await self._hang_up()
                await self._connect()
                self._lost = False

    def _connected(self) -> Client:
        if self._client is None:
            raise ToolError(f"The server of this tool ({self!r}) isn't connected.")
        return self._client


class MCPServerStdio(MCPServer):
    """A server that is started as a child process and spoken to over its standard input and output.

    Args:
        command: the program.
        args: its arguments.
        env: environment variables on top of the few that are inherited (`PATH`, `HOME` and such).
        cwd: the folder that it starts in.
        client_session_timeout_seconds: how long an answer may take.
        tool_result_resolver: see `MCPServer`.
    """

    def __init__(
        self,
        command: str,
        args: list[str],
        env: dict[str, str] | None = None,
        cwd: str | Path | None = None,
        client_session_timeout_seconds: float = 5,
        *,
        tool_result_resolver: MCPToolResultResolver | None = None,
    ) -> None:
        super().__init__(
            client_session_timeout_seconds=client_session_timeout_seconds, tool_result_resolver=tool_result_resolver
        )
        self.command = command
        self.args = args
        self.env = env
        self.cwd = cwd

    def client_streams(self) -> AbstractAsyncContextManager[TransportStreams]:
        """Start the process."""
        from mcp.client.stdio import StdioServerParameters, stdio_client

        return stdio_client(StdioServerParameters(command=self.command, args=self.args, env=self.env, cwd=self.cwd))

    def __repr__(self) -> str:
        return f"MCPServerStdio(command={self.command}, args={self.args}, cwd={self.cwd})"


class MCPServerHTTP(MCPServer):
    """A server that is reached by URL.

    Args:
        url: where it is.
        transport_type: `streamable_http` or the older `sse`; left out, a path that ends in `/mcp` is the former.
        allowed_tools: offer these tools only; None offers all.
        headers: sent with every request; kept out of `repr`.
        timeout: seconds to connect and to write.
        sse_read_timeout: seconds between two events of a stream.
        client_session_timeout_seconds: how long an answer may take.
        tool_result_resolver: see `MCPServer`.
    """

    def __init__(
        self,
        url: str,
        transport_type: Literal["sse", "streamable_http"] | None = None,
        allowed_tools: list[str] | None = None,
        headers: dict[str, Any] | None = None,
        timeout: float = 5,
        sse_read_timeout: float = 60 * 5,
        client_session_timeout_seconds: float = 5,
        *,
        tool_result_resolver: MCPToolResultResolver | None = None,
    ) -> None:
        if transport_type not in (None, "sse", "streamable_http"):
            raise ValueError(f"transport_type is {transport_type!r}; it must be 'sse' or 'streamable_http'")
        super().__init__(
            client_session_timeout_seconds=client_session_timeout_seconds, tool_result_resolver=tool_result_resolver
        )
        self.url = url
        path = urlparse(url).path.lower().rstrip("/")
        self.transport_type = transport_type or ("streamable_http" if path.endswith("/mcp") else "sse")
        self._allowed_tools = frozenset(allowed_tools) if allowed_tools else None
        self._headers = headers or {}
        self._timeout = timeout
        self._sse_read_timeout = sse_read_timeout
        self._http_client: httpx2.AsyncClient | None = None

    @property
    def headers(self) -> dict[str, Any]:
        """Sent with every request; what is set goes out from the next request on."""
        return self._headers

    @headers.setter
    def headers(self, headers: dict[str, Any]) -> None:
        self._headers = headers
        if self._http_client is not None:
            self._http_client.headers = headers

    def client_streams(self) -> AbstractAsyncContextManager[TransportStreams]:
        """Connect by the chosen transport."""
        return self._streamable_http() if self.transport_type == "streamable_http" else self._sse()

    async def list_tools(self, *, tool_options: dict[str, MCPToolOptions] | None = None) -> list[MCPTool]:
        """Give the server's tools that are allowed."""
        tools = await super().list_tools(tool_options=tool_options)
        return [tool for tool in tools if self._allowed_tools is None or tool.id in self._allowed_tools]

    @asynccontextmanager
    async def _streamable_http(self) -> AsyncIterator[TransportStreams]:
        from mcp.client.streamable_http import streamable_http_client

        async with self._new_http_client() as http, streamable_http_client(self.url, http_client=http) as streams:
            yield streams

    def _sse(self) -> AbstractAsyncContextManager[TransportStreams]:
        from mcp.client.sse import sse_client

        return sse_client(
            self.url,
            headers=self._headers,
            timeout=self._timeout,
            sse_read_timeout=self._sse_read_timeout,
            httpx_client_factory=self._new_http_client,
        )

    def _new_http_client(
        self,
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
    ) -> httpx2.AsyncClient:
        import httpx2

        limits = timeout or httpx2.Timeout(self._timeout, read=self._sse_read_timeout)
        self._http_client = httpx2.AsyncClient(timeout=limits, headers=headers or self._headers, auth=auth)
        return self._http_client

    def __repr__(self) -> str:
        parts = urlparse(self.url)
        # A URL may carry a user's password or a key in its query.
        shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
        return f"MCPServerHTTP(url={shown}, transport={self.transport_type})"


class MCPToolset(Toolset):
    """The tools of an MCP server, for an agent's `tools`. `setup` connects and fetches them.

    Args:
        id: its name, unique within an agent.
        mcp_server: the server.
        tool_options: how the engine treats single tools, by name.
    """

    def __init__(
        self, *, id: str, mcp_server: MCPServer, tool_options: dict[str, MCPToolOptions] | None = None
    ) -> None:
        super().__init__(id=id)
        self._server = mcp_server
        self._tool_options = dict(tool_options or {})
        self._initialized = False
        self._lock = asyncio.Lock()

    async def setup(self, *, reload: bool = False) -> Self:
        """Connect if need be and fetch the tools: once, or again with `reload`."""
        await super().setup()
        async with self._lock:
            if self._initialized and not reload:
                return self
            if not self._server.initialized:
                await self._server.initialize()
            elif reload:
                self._server.invalidate_cache()
            self._tools = list(await self._server.list_tools(tool_options=self._tool_options))
            self._initialized = True
        return self

    def filter_tools(self, filter_fn: Callable[[MCPTool], bool]) -> Self:
        """Keep only the tools for which `filter_fn` is true."""
        self._tools = [tool for tool in self._tools if isinstance(tool, RawFunctionTool) and filter_fn(tool)]
        return self

    async def aclose(self) -> None:
        """Hang up and offer nothing any more."""
        try:
            await super().aclose()
            await self._server.aclose()
        finally:
            self._initialized = False
            self._tools = []


def _plain(error: Exception) -> Exception:
    """The one error inside a group of one: what a person can act on, without the task machinery around it."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
