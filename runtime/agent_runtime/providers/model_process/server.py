"""Answers those who ask for what models compute."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

from agent_runtime.errors import APIError, MissingDependencyError
from agent_runtime.providers.model_process.wire import Asked, Done, Dropped, Failed, Part, receive, send

logger = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 32
"""Questions of one asker that are worked on. While it has as many it isn't listened to: its socket fills, it waits."""


class Asker:
    """One process that asks: who was served last is counted by these."""


Tell: TypeAlias = Callable[[Any], Awaitable[None]]
Operation: TypeAlias = Callable[..., Awaitable[Any]]
"""Is given the asker, a function that sends a part, and the question's arguments; returns what is sent at the end."""


class ModelServer:
    """Serves any number of processes. An asker that goes away takes its questions with it.

    Args:
        operations: by their names.
    """

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        self._operations = operations
        self._talking: set[asyncio.Task[None]] = set()

    async def serve(self, listener: socket.socket, until: asyncio.Event) -> None:
        """Take who connects to a listening socket, until that is set."""
        server = await asyncio.start_unix_server(self._talk, sock=listener)
        try:
            await until.wait()
        finally:
            server.close()
            for task in self._talking:
                task.cancel()
            if self._talking:
                await asyncio.wait(self._talking)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talking = asyncio.current_task()
        assert talking is not None
        self._talking.add(talking)
        asker = Asker()
        working: dict[int, asyncio.Task[None]] = {}

        def forget(number: int, _: asyncio.Task[None]) -> None:
            del working[number]

        try:
            while (question := await receive(reader)) is not None:
                if isinstance(question, Asked):
                    work = asyncio.create_task(self._answer(asker, writer, question), name=question.operation)
                    working[question.number] = work
                    work.add_done_callback(partial(forget, question.number))
                elif isinstance(question, Dropped) and (dropped := working.get(question.number)) is not None:
                    dropped.cancel()
                while len(working) >= MOST_AT_ONCE:
                    await asyncio.wait(working.values(), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._talking.discard(talking)
            for work in working.values():
                work.cancel()
            writer.close()

    async def _answer(self, asker: Asker, writer: asyncio.StreamWriter, asked: Asked) -> None:
        async def tell(value: Any) -> None:
            send(writer, Part(asked.number, value))
            await writer.drain()  # for one who doesn't listen

        try:
            value = await self._operations[asked.operation](asker, tell, *asked.arguments)
            send(writer, Done(asked.number, value))
            await writer.drain()
        except ConnectionError:  # the asker is gone, which the one who listens to it sees
            return
        except Exception as exc:  # a fault of one question must not end the others'; the asker raises it
            send(writer, _failure(asked, exc))


def _failure(asked: Asked, exc: Exception) -> Failed:
    if isinstance(exc, MissingDependencyError):
        return Failed(asked.number, str(exc), retryable=False, lacks=(exc.what, exc.command))
    if isinstance(exc, APIError):
        return Failed(asked.number, exc.message, exc.retryable)
    logger.exception("%s failed", asked.operation)
    return Failed(asked.number, f"{asked.operation} failed: {type(exc).__name__}: {exc}")
