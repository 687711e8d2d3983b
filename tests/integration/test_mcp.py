"""Tools of real MCP servers, over stdio and over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.importorskip("mcp", reason="the mcp package is missing: pip install mcp")

from agent_runtime import Agent, AgentSession
from agent_runtime.testing import Answer, ScriptedLLM
from agent_tools import CallContext, ToolError
from agent_tools.mcp import MCPServer, MCPServerHTTP, MCPServerStdio, MCPToolset

ROOT = Path(__file__).parents[2]
STDIO = [sys.executable, "-m", "tests.support.mcp_server"]


def stdio() -> MCPServerStdio:
    return MCPServerStdio(
        sys.executable, ["-m", "tests.support.mcp_server", "stdio"], cwd=ROOT, client_session_timeout_seconds=20
    )


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


async def accepts(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return


@contextlib.asynccontextmanager
async def http(kind: str) -> AsyncIterator[MCPServerHTTP]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *STDIO, kind, str(port), cwd=ROOT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await accepts(port)
        path = "mcp" if kind == "http" else "sse"
        yield MCPServerHTTP(f"http://127.0.0.1:{port}/{path}", client_session_timeout_seconds=20)
    finally:
        process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def connected(kind: str) -> AsyncIterator[MCPServer]:
    async with contextlib.AsyncExitStack() as stack:
        server: MCPServer = stdio() if kind == "stdio" else await stack.enter_async_context(http(kind))
        await server.initialize()
        yield server
        await server.aclose()


class Listening(CallContext):
    def __init__(self) -> None:
        self.said: list[str] = []

    async def update(self, message: str) -> None:
        self.said.append(message)


@pytest.mark.parametrize("kind", ["stdio", "http", "sse"])
async def test_every_transport_lists_and_calls_the_servers_tools(kind: str) -> None:
    async with connected(kind) as server:
        tools = {tool.id: tool for tool in await server.list_tools()}
        assert set(tools) == {"add", "menu", "cook", "burn", "process", "leave"}
        assert tools["add"].parameters_schema()["required"] == ["a", "b"]
        assert tools["add"].description == "Add two numbers."
        assert (await tools["add"].execute('{"a": 2, "b": 40}')).output == "42"
        assert (await tools["menu"].execute("{}")).output == "soup\nbread"


async def test_a_failing_tool_reaches_the_model_in_its_own_words() -> None:
    async with connected("stdio") as server:
        tools = {tool.id: tool for tool in await server.list_tools()}
        burned = await tools["burn"].execute("{}")
        assert burned.is_error
        assert "the stove is on fire" in burned.output
        wrong = await tools["add"].execute('{"a": "two"}')
        assert wrong.is_error
        assert "b" in wrong.output


async def test_progress_goes_to_the_context() -> None:
    async with connected("stdio") as server:
        options = {"cook": {"report_progress": True}}
        tools = {tool.id: tool for tool in await server.list_tools(tool_options=options)}
        context = Listening()
        done = await tools["cook"].execute('{"dish": "stew"}', context)
        assert done.output == "stew is ready"
        assert context.said == ["peeling for the stew", "stirring"]


async def test_a_context_that_cannot_report_costs_the_progress_and_not_the_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with connected("stdio") as server:
        tools = {tool.id: tool for tool in await server.list_tools(tool_options={"cook": {"report_progress": True}})}
        assert (await tools["cook"].execute('{"dish": "stew"}', CallContext())).output == "stew is ready"
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_toolset_connects_filters_and_hangs_up() -> None:
    server = stdio()
    toolset = MCPToolset(id="kitchen", mcp_server=server)
    await toolset.setup()
    add = next(tool for tool in toolset.tools if tool.id == "add")
    safe = toolset.filter_tools(lambda tool: tool.id not in ("burn", "leave", "process"))
    assert [tool.id for tool in safe.tools] == ["add", "menu", "cook"]
    await toolset.setup(reload=True)
    assert len(toolset.tools) == 6
    await toolset.aclose()
    assert not server.initialized
    assert toolset.tools == []
    late = await add.execute('{"a": 1, "b": 1}')
    assert late.is_error
    assert "isn't connected" in late.output


async def test_a_server_can_be_opened_again_and_from_another_task() -> None:
    server = stdio()
    for _ in range(2):
        await asyncio.create_task(server.initialize())
        assert len(await server.list_tools()) == 6
        await asyncio.create_task(server.aclose())
        assert not server.initialized


async def test_a_server_that_goes_away_fails_its_calls_and_is_started_again_by_the_next() -> None:
    server = stdio()
    await server.initialize()
    tools = {tool.id: tool for tool in await server.list_tools()}
    first = (await tools["process"].execute("{}")).output
    left, beside = await asyncio.gather(tools["leave"].execute("{}"), tools["leave"].execute("{}"))
    for result in (left, beside):
        assert result.is_error
        assert "went away before it answered" in result.output
    assert not server.initialized
    again = await asyncio.gather(*(tools["process"].execute("{}") for _ in range(3)))
    assert len({result.output for result in again}) == 1
    assert again[0].output != first
    assert not again[0].is_error
    assert server.initialized
    assert (await tools["leave"].execute("{}")).is_error
    await server.aclose()
    late = await tools["add"].execute('{"a": 1, "b": 1}')
    assert "isn't connected" in late.output


async def test_a_server_that_cant_be_started_again_says_so_and_is_tried_at_each_call(tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.support.mcp_server stdio\n')
    program.chmod(0o755)
    server = MCPServerStdio(str(program), [], cwd=ROOT, client_session_timeout_seconds=20)
    await server.initialize()
    tools = {tool.id: tool for tool in await server.list_tools()}
    assert (await tools["leave"].execute("{}")).is_error
    away = program.rename(tmp_path / "away")
    assert (await tools["process"].execute("{}")).is_error
    away.rename(program)
    assert not (await tools["process"].execute("{}")).is_error
    await server.aclose()


async def test_a_program_that_does_not_exist_is_named() -> None:
    server = MCPServerStdio("no-such-mcp-server", [])
    with pytest.raises(OSError, match="no-such-mcp-server"):
        await server.initialize()
    await server.aclose()


async def test_a_server_that_does_not_answer_fails_and_leaves_no_task() -> None:
    server = MCPServerHTTP(f"http://127.0.0.1:{free_port()}/mcp", client_session_timeout_seconds=2)
    with pytest.raises(Exception, match=r"(?i)connect|refused|attempts"):
        await server.initialize()
    await server.aclose()
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


def test_the_transport_follows_the_url_and_its_secrets_stay_out_of_the_text() -> None:
    assert MCPServerHTTP("https://host/mcp").transport_type == "streamable_http"
    assert MCPServerHTTP("https://host/sse").transport_type == "sse"
    with pytest.raises(ValueError, match="transport_type"):
        MCPServerHTTP("https://host/", transport_type="carrier pigeon")  # type: ignore[arg-type]
    shown = repr(MCPServerHTTP("https://ann:secret@host/mcp?key=secret", headers={"Authorization": "secret"}))
    assert "secret" not in shown
    assert "host/mcp" in shown


async def test_an_agent_may_be_told_to_use_some_tools_only() -> None:
    async with http("http") as server:
        server._allowed_tools = frozenset({"add"})
        await server.initialize()
        assert [tool.id for tool in await server.list_tools()] == ["add"]
        await server.aclose()


async def test_a_call_without_a_result_is_an_error() -> None:
    from mcp_types import CallToolResult

    from agent_tools.mcp_tools import MCPToolResultContext, result_text

    with pytest.raises(ToolError, match="cook finished without a result"):
        result_text(MCPToolResultContext("cook", {}, CallToolResult(content=[])))
    structured = CallToolResult(content=[], structured_content={"a": "ß"})
    assert result_text(MCPToolResultContext("cook", {}, structured)) == '{"a": "ß"}'


async def test_an_agent_calls_the_servers_tools_in_a_conversation_and_hangs_up_at_its_end() -> None:
    server = stdio()
    kitchen = MCPToolset(id="kitchen", mcp_server=server, tool_options={"cook": {"report_progress": True}})
    answers = [Answer(tool_calls=[("cook", '{"dish": "stew"}')]), Answer("It is being peeled."), Answer("It is ready.")]
    session = AgentSession(llm=ScriptedLLM(answers))
    await session.start(Agent(instructions="You cook.", tools=[kitchen]))
    result = await session.run(user_input="Cook a stew.")
    result.expect.next_event().is_function_call(name="cook", arguments={"dish": "stew"})
    told = result.expect.next_event().is_function_call_output(is_error=False).event().item.output
    assert "peeling for the stew" in told
    result.expect.next_event().is_message(role="assistant")
    await session.drain()
    outputs = [item.output for item in session.history.items if item.type == "function_call_output"]
    assert "stew is ready" in outputs[-1]
    assert [m.text_content for m in session.history.messages()][-1] == "It is ready."
    await session.aclose()
    assert not server.initialized
