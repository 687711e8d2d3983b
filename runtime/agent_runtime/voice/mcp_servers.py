"""The deprecated argument `mcp_servers` of sessions and agents."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from agent_runtime.types import NotGivenOr, is_given

if TYPE_CHECKING:
    from agent_tools import Toolset
    from agent_tools.mcp import MCPServer


def toolsets_of(servers: NotGivenOr[list[MCPServer] | None]) -> list[Toolset]:
    """A toolset of each server's tools. Warns with DeprecationWarning if there are any."""
    if not is_given(servers) or not servers:
        return []
    from agent_tools.mcp import MCPToolset

    instead = "tools=[MCPToolset(id=…, mcp_server=…)]"
    warnings.warn(f"mcp_servers is deprecated; use {instead}", DeprecationWarning, stacklevel=3)
    return [MCPToolset(id=f"mcp_{number}", mcp_server=server) for number, server in enumerate(servers, 1)]
