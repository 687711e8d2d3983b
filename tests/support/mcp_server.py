"""A real MCP server with a few tools: `python -m tests.support.mcp_server stdio` or `… http PORT`."""

from __future__ import annotations

import os
import sys

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("kitchen")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool(structured_output=False)
def menu() -> list[str]:
    """What there is to eat."""
    return ["soup", "bread"]


@server.tool()
async def cook(dish: str, context: Context) -> str:
    """Cook a dish, slowly."""
    await context.report_progress(1, 2, f"peeling for the {dish}")
    await context.report_progress(2, 2, "stirring")
    return f"{dish} is ready"


@server.tool()
def burn() -> str:
    """Fail."""
    raise ToolError("the stove is on fire")


@server.tool()
def process() -> int:
    """Which process this is."""
    return os.getpid()


@server.tool()
def leave() -> str:
    """Be gone without an answer."""
    os._exit(1)


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        server.run("streamable-http" if sys.argv[1] == "http" else "sse", host="127.0.0.1", port=int(sys.argv[2]))
