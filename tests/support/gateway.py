"""A gateway to hosted models on this machine: it hears audio, writes answers and speaks, and checks what it is told.

What a client does wrong ends in `complaints`. Facts of the protocol are those of LiveKit's own clients at 1.8.9, which
meet the same answers here. It imports nothing of ours, so that any client can be tried with it.
"""

from __future__ import annotations

import asyncio
import base64
import json
from types import TracebackType
from typing import Any

import jwt
from aiohttp import WSMsgType, web

KEY, SECRET = "APIgateway", "a-secret-of-more-than-thirty-two-characters"
HEARD = "what is the weather"
ANSWER = ("It is ", "sunny ", "today.")
RATE = 24_000
SPOKEN = bytes(RATE // 5 * 2)
"""0.2 s of silence for each sentence."""


class Gateway:
    """`async with Gateway() as gateway:` serves at `gateway.url`.

    `failures` says what becomes of a kind of request, `stt`, `tts` or `llm`, one after the other: a status to refuse it
    with, `drop` to hang up in the middle, `garbage`, or a dict to send as an error.
    """

    def __init__(self) -> None:
        self.failures: dict[str, list[Any]] = {"stt": [], "tts": [], "llm": []}
        self.answers: list[list[dict[str, Any]]] = []
        """Deltas of the next answers; then `ANSWER`."""
        self.finals: list[str] = []
        """What is heard before it is asked to finalize; then `HEARD`."""
        self.silent = False
        """Whether voices take text and never speak."""
        self.requests: list[dict[str, Any]] = []
        """Bodies of the chat completions."""
        self.headers: list[tuple[str, dict[str, str]]] = []
        """Of each request, their names in lower case."""
        self.told: list[dict[str, Any]] = []
        """Every message over a WebSocket, without audio."""
        self.heard_bytes = 0
        self.opened = {"stt": 0, "tts": 0, "llm": 0}
        self.hung_up = {"stt": asyncio.Event(), "tts": asyncio.Event(), "llm": asyncio.Event()}
        self.begun = asyncio.Event()
        """Whether a text to speak came."""
        self.complaints: list[str] = []
        self.url = ""

    async def __aenter__(self) -> Gateway:
        app = web.Application()
        app.router.add_get("/v1/stt", self._stt)
        app.router.add_get("/v1/tts", self._tts)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def messages(self, kind: str) -> list[dict[str, Any]]:
        """What clients said of that type."""
        return [message for message in self.told if message["type"] == kind]

    def _admit(self, request: web.Request, kind: str) -> web.Response | None:
        """Look at the token; gives the refusal."""
        self.opened[kind] += 1
        self.headers.append((kind, {name.lower(): value for name, value in request.headers.items()}))
        headers = {"X-LiveKit-Request-Id": f"req-{kind}"}
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            claims = jwt.decode(token, SECRET, algorithms=["HS256"], issuer=KEY, options={"require": ["exp"]})
        except jwt.InvalidTokenError as error:
            return web.json_response({"error": str(error)}, status=401, headers=headers)
        if claims.get("inference") != {"perform": True}:
            self.complaints.append(f"the token grants {claims}")
        if self.failures[kind] and isinstance(self.failures[kind][0], int):
            status = self.failures[kind].pop(0)
            if status == 429:
                headers |= {"X-LiveKit-Inference-RPM-Limit": "60", "X-LiveKit-Inference-RPM-Used": "61"}
            return web.json_response({"error": {"message": "the gateway refuses"}}, status=status, headers=headers)
        return None

    def _failure(self, kind: str) -> Any:
        return self.failures[kind].pop(0) if self.failures[kind] else None

    async def _fail(self, ws: web.WebSocketResponse, failure: Any) -> None:
        if failure == "drop":
            await ws.close(code=1011)
        elif failure == "garbage":
            await ws.send_str("<html>")
        else:
            await ws.send_json({"type": "error", **failure})

    async def _stt(self, request: web.Request) -> web.StreamResponse:
        if (refused := self._admit(request, "stt")) is not None:
            return refused
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        failure, heard = self._failure("stt"), 0
        async for raw in ws:
            message = self._read("stt", raw)
            if message["type"] == "session.create":
                await ws.send_json({"type": "session.created", "session_id": "s1"})
            elif message["type"] == "input_audio":
                heard += len(base64.b64decode(message["audio"], validate=True))
                if failure is not None:
                    await self._fail(ws, failure)
                elif heard == 3200:
                    await ws.send_json({"type": "start_of_speech"})
                    await ws.send_json(_transcript("interim_transcript", "what"))
                    if self.finals:
                        await ws.send_json(_transcript("final_transcript", self.finals.pop(0)))
            elif message["type"] == "session.finalize":
                await ws.send_json({"type": "session.finalized"})
                if heard:
                    await ws.send_json(_transcript("preflight_transcript", HEARD))
                    await ws.send_json(_transcript("final_transcript", HEARD))
                await ws.send_json({"type": "session.closed"})
        self.heard_bytes += heard
        self.hung_up["stt"].set()
        return ws

    async def _tts(self, request: web.Request) -> web.StreamResponse:
        if (refused := self._admit(request, "tts")) is not None:
            return refused
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        count, at = self.opened["tts"], 0.0
        async for raw in ws:
            message = self._read("tts", raw)
            session = {"session_id": f"tts{count}"}
            if message["type"] == "session.create":
                await ws.send_json({"type": "session.created", **session})
            elif message["type"] == "input_transcript":
                self.begun.set()
                if (failure := self._failure("tts")) is not None:
                    await self._fail(ws, failure)
                elif not self.silent:
                    words = message["transcript"].split()
                    timed = [
                        {"word": word, "start": at + i / 100, "end": at + (i + 1) / 100} for i, word in enumerate(words)
                    ]
                    at += 0.2
                    await ws.send_json({"type": "output_alignment", "words": timed, **session})
                    await ws.send_json({"type": "output_audio", "audio": base64.b64encode(SPOKEN).decode(), **session})
            elif message["type"] == "session.flush" and not self.silent:
                at = 0.0
                await ws.send_json({"type": "done", **session})
        self.hung_up["tts"].set()
        return ws

    def _read(self, kind: str, raw: Any) -> dict[str, Any]:
        if raw.type is not WSMsgType.TEXT:
            self.complaints.append(f"{kind}: {raw.type}")
            return {"type": ""}
        message: dict[str, Any] = json.loads(raw.data)
        first = not any(told["of"] == kind and told["nth"] == self.opened[kind] for told in self.told)
        if first and message["type"] != "session.create":
            self.complaints.append(f"{kind}: began with {message}")
        if message["type"] != "input_audio" or first:
            self.told.append({**message, "of": kind, "nth": self.opened[kind]})
        return message

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "openai/gpt-4.1-mini", "object": "model"}]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        if (refused := self._admit(request, "llm")) is not None:
            return refused
        self.requests.append(await request.json())
        failure = self._failure("llm")
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        try:
            if failure == "garbage":
                await response.write(b"data: <html>\n\n")
            deltas = self.answers.pop(0) if self.answers else [{"content": text} for text in ANSWER]
            for delta in deltas if failure is None else []:
                await self._chunk(response, choices=[{"index": 0, "delta": delta, "finish_reason": None}])
            if failure == "wait":
                await self._chunk(response, choices=[{"index": 0, "delta": {"content": "Well"}, "finish_reason": None}])
                await asyncio.sleep(30)
            elif failure == "drop":
                assert request.transport is not None
                request.transport.close()
                return response
            reason = "tool_calls" if deltas and deltas[-1].get("tool_calls") else "stop"
            await self._chunk(response, choices=[{"index": 0, "delta": {}, "finish_reason": reason}])
            await self._chunk(response, choices=[], usage=_USAGE)
            await response.write(b"data: [DONE]\n\n")
        except (asyncio.CancelledError, ConnectionError):
            self.hung_up["llm"].set()
            raise
        return response

    async def _chunk(self, response: web.StreamResponse, **fields: Any) -> None:
        chunk = {"id": "answer", "object": "chat.completion.chunk", "created": 1, "model": "m", **fields}
        await response.write(f"data: {json.dumps(chunk)}\n\n".encode())


_USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 3,
    "total_tokens": 23,
    "prompt_tokens_details": {"cached_tokens": 8},
}


def _transcript(kind: str, text: str) -> dict[str, Any]:
    words = [{"word": word, "start": i / 10, "end": (i + 1) / 10} for i, word in enumerate(text.split())]
    return {
        "type": kind,
        "transcript": text,
        "language": "en",
        "start": 0.1,
        "duration": 0.5,
        "confidence": 0.9,
        "request_id": "heard",
        "words": words,
        "extra": {"provider": "deepgram"},
    }
