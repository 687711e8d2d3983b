"""A server of OpenAI's Chat Completions API for tests: it checks every request strictly and answers as it is told.

Rules are those of https://platform.openai.com/docs/api-reference/chat. What a request does wrong is answered with 400
and fails the test at the end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

KEY = "sk-test-0123456789abcdef"

_PARAMETERS = {
    "model",
    "messages",
    "stream",
    "stream_options",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "reasoning_effort",
    "response_format",
    "seed",
    "stop",
    "user",
    "metadata",
    "service_tier",
}
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}

CUT = object()
"""In a reply's body: hang up here, without ending the body."""


@dataclass
class Reply:
    """What a request is answered with. Of `body`, bytes are sent, an event is waited for, `CUT` hangs up."""

    body: list[Any] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})


def event(data: dict[str, Any] | str) -> bytes:
    """A server-sent event."""
    return f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


DONE = event("[DONE]")


def chunk(delta: dict[str, Any] | None = None, *, finish: str | None = None, **more: Any) -> bytes:
    """A chunk with one choice."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish, "logprobs": None}
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return event({**base, "choices": [choice], **more})


def usage(prompt: int = 12, completion: int = 5, cached: int = 0, reasoning: int = 0) -> bytes:
    """The chunk that ends an answer when usage is asked for."""
    numbers = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return event({**base, "choices": [], "usage": numbers, "service_tier": "default"})


def answer(*texts: str) -> Reply:
    """An answer as OpenAI streams it."""
    first = chunk({"role": "assistant", "content": ""})
    return Reply([first, *(chunk({"content": text}) for text in texts), chunk(finish="stop"), usage(), DONE])


def tool_call(
    index: int | None, *, id: str | None = None, name: str | None = None, arguments: str | None = None
) -> bytes:
    """A chunk with one piece of a tool call."""
    piece: dict[str, Any] = {"function": {}}
    if index is not None:
        piece["index"] = index
    if id is not None:
        piece |= {"id": id, "type": "function"}
    if name is not None:
        piece["function"]["name"] = name
    if arguments is not None:
        piece["function"]["arguments"] = arguments
    return chunk({"tool_calls": [piece]})


def failure(status: int, message: str, *, code: str | None = None, **headers: str) -> Reply:
    """An error as OpenAI words it."""
    body = {"error": {"message": message, "type": "error", "param": None, "code": code}}
    return Reply([json.dumps(body).encode()], status, {"content-type": "application/json", **headers})


class OpenAIServer:
    """`async with OpenAIServer(reply, …) as server`: the replies in their order, the last one again and again."""

    def __init__(self, *replies: Reply, key: str | None = KEY, models: Iterable[str] = ("m",)) -> None:
        self.replies = list(replies) or [answer("Hello.")]
        self.requests: list[dict[str, Any]] = []
        self.asked = asyncio.Event()
        """Set when there was a request for an answer."""
        self.hung_up = asyncio.Event()
        """Set when a client goes away in the middle of an answer."""
        self.connections = 0
        self._key = key
        self._models = tuple(models)
        self._problems: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> OpenAIServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        if exc is None:
            assert not self._problems, f"bad requests: {self._problems}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.hung_up.set()
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its reply; whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request_line, *lines = head.rstrip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, path, _ = request_line.split(" ")
        reply = self._reply_to(method, path, headers, body)
        reason = _REASONS.get(reply.status, "Error")
        lines = [f"HTTP/1.1 {reply.status} {reason}", "transfer-encoding: chunked", "x-request-id: req_1"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        for part in reply.body:
            if part is CUT:
                writer.transport.abort()
                return False
            if isinstance(part, asyncio.Event):
                await writer.drain()
                await self._wait(part, reader)
                continue
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _wait(self, gate: asyncio.Event, reader: asyncio.StreamReader) -> None:
        """Wait for the test, or for the client to hang up: it has nothing to say in the middle of an answer."""
        opened, hung_up = asyncio.ensure_future(gate.wait()), asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({opened, hung_up}, return_when=asyncio.FIRST_COMPLETED)
            if hung_up.done():
                raise ConnectionResetError
        finally:
            opened.cancel()
            hung_up.cancel()
            await asyncio.gather(opened, hung_up, return_exceptions=True)

    def _reply_to(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        if self._key is not None and headers.get("authorization") != f"Bearer {self._key}":
            return failure(401, f"Incorrect API key provided: {headers.get('authorization')}.", code="invalid_api_key")
        if (method, path) == ("GET", "/v1/models"):
            listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in self._models]}
            return Reply([json.dumps(listed).encode()], headers={"content-type": "application/json"})
        if (method, path) != ("POST", "/v1/chat/completions"):
            return failure(404, f"Unknown request URL: {method} {path}.")
        request = json.loads(body)
        problem = check_request(request)
        if problem:
            self._problems.append(problem)
            return failure(400, problem, code="invalid_request")
        self.requests.append({**request, "headers": headers})
        self.asked.set()
        if request["model"] not in self._models:
            return failure(404, f"The model `{request['model']}` does not exist", code="model_not_found")
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


def check_request(request: dict[str, Any]) -> str | None:
    """What is wrong with a request."""
    if unknown := request.keys() - _PARAMETERS:
        return f"unknown parameters {sorted(unknown)}"
    if request.get("stream") is not True or request.get("stream_options") != {"include_usage": True}:
        return "these tests stream, with usage"
    if not request.get("messages"):
        return "messages must not be empty"
    if not request.get("tools"):
        if extra := {"tools", "tool_choice", "parallel_tool_calls"} & request.keys():
            return f"{sorted(extra)} without tools"
    else:
        names = [tool["function"]["name"] for tool in request["tools"]]
        if len(set(names)) != len(names):
            return "two tools have the same name"
        for tool in request["tools"]:
            if problem := _check_tool(tool):
                return problem
    return _check_messages(request["messages"])


def _check_tool(tool: dict[str, Any]) -> str | None:
    function = tool["function"]
    if tool.keys() != {"type", "function"} or tool["type"] != "function":
        return f"a tool is not as it should be: {tool}"
    if not {"name", "parameters"} <= function.keys() <= {"name", "description", "parameters", "strict"}:
        return f"a function is not as it should be: {function}"
    parameters = function["parameters"]
    if parameters.get("type") != "object":
        return "parameters must be an object"
    if function.get("strict"):
        closed = parameters.get("additionalProperties") is False
        if not closed or set(parameters.get("required", ())) != set(parameters["properties"]):
            return f"not strict: {parameters}"
    return None


def _check_messages(messages: list[dict[str, Any]]) -> str | None:
    open_calls: list[str] = []
    for message in messages:
        role = message.get("role")
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                return "a message with role 'tool' must follow a message with that tool call"
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            return f"tool calls {open_calls} have no response"
        if role not in ("system", "developer", "user", "assistant"):
            return f"unknown role {role!r}"
        open_calls = [call["id"] for call in message.get("tool_calls", ())]
        if not isinstance(message.get("content"), str | list) and not open_calls:
            return "a message needs content"
    return f"tool calls {open_calls} have no response" if open_calls else None
