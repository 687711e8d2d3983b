"""Asking the process that has the models, from a process that hasn't."""

from __future__ import annotations

import asyncio
import itertools
import weakref
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from agent_runtime.errors import APIConnectionError, APIError, MissingDependencyError
from agent_runtime.providers.loading import Progress
from agent_runtime.providers.model_process.wire import Answer, Asked, Done, Dropped, Failed, Part, receive, send


class ModelsLostError(APIConnectionError):
    """The process that had the models is gone. Another is started by whoever asks next."""


class SharedModels:
    """The models of another process. Every event loop has a connection of its own.

    Args:
        address: the path of the socket.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._connections: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Connection] = (
            weakref.WeakKeyDictionary()
        )

    async def ask(self, operation: str, *arguments: Any, on_part: Progress | None = None) -> Any:
        """What an operation gives. Cancelling tells the other end.

        Where the process is lost meanwhile, the next one is asked once. `on_part` hears how far it is.

        Raises:
            APIError: it failed there.
            APIConnectionError: there is no such process, or two of them were lost.
            MissingDependencyError: a package isn't installed.
        """
        try:
            return await self._ask(operation, arguments, on_part)
        except ModelsLostError:
            return await self._ask(operation, arguments, on_part)

    async def stream(self, operation: str, *arguments: Any) -> AsyncGenerator[Any, None]:
        """The parts that an operation gives, as they come. Raises like `ask`, but asks no second process."""
        async with aclosing(self._answers(operation, arguments)) as answers:
            async for answer in answers:
                if isinstance(answer, Part):
                    yield answer.value

    async def _ask(self, operation: str, arguments: tuple[Any, ...], on_part: Progress | None) -> Any:
        async with aclosing(self._answers(operation, arguments)) as answers:
            async for answer in answers:
                if isinstance(answer, Done):
                    return answer.value
                if on_part is not None:
                    on_part(answer.value)
        raise AssertionError("the answers end with one that is done")

    async def _answers(self, operation: str, arguments: tuple[Any, ...]) -> AsyncGenerator[Part | Done, None]:
        connection = await self._connected()
        number, answers = connection.ask(operation, arguments)
        try:
            while True:
                answer = await answers.get()
                if answer is None:
                    raise ModelsLostError("the process with the embedded models ended")
                if isinstance(answer, Failed):
                    raise _error_of(answer)
                yield answer
                if isinstance(answer, Done):
                    return
        finally:
            connection.forget(number)

    async def _connected(self) -> _Connection:
        loop = asyncio.get_running_loop()
        connection = self._connections.get(loop)
        if connection is None or connection.lost:
            connection = self._connections[loop] = _Connection(self.address)
        await connection.opened()
        return connection


class _Connection:
    """One connection, on one loop, and those who wait for what comes over it."""

    def __init__(self, address: str) -> None:
        self.lost = False
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[Answer | None]] = {}
        self._writer: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read(address), name="shared models")

    async def opened(self) -> None:
        await asyncio.shield(self._writer)

    def ask(self, operation: str, arguments: tuple[Any, ...]) -> tuple[int, asyncio.Queue[Answer | None]]:
        number = next(self._numbers)
        answers: asyncio.Queue[Answer | None] = asyncio.Queue()
        if self.lost:
            answers.put_nowait(None)
        else:
            self._waiting[number] = answers
            send(self._writer.result(), Asked(number, operation, arguments))
        return number, answers

    def forget(self, number: int) -> None:
        """Drop a question, unless it was answered."""
        if self._waiting.pop(number, None) is not None and not self.lost:
            send(self._writer.result(), Dropped(number))

    async def _read(self, address: str) -> None:
        try:
            reader, writer = await asyncio.open_unix_connection(address)
        except OSError as exc:
            self.lost = True
            self._writer.set_exception(APIConnectionError(f"no process has the embedded models: {exc}"))
            return
        self._writer.set_result(writer)
        try:
            while (answer := await receive(reader)) is not None:
                waits = self._waiting.get(answer.number)
                if waits is None:  # dropped meanwhile
                    continue
                waits.put_nowait(answer)
                if not isinstance(answer, Part):
                    del self._waiting[answer.number]
        finally:
            self.lost = True
            writer.close()
            waiting, self._waiting = self._waiting, {}
            for waits in waiting.values():
                waits.put_nowait(None)


def _error_of(failed: Failed) -> Exception:
    if failed.lacks is not None:
        return MissingDependencyError(*failed.lacks)
    return APIError(failed.message, retryable=failed.retryable)


_shared: SharedModels | None = None


def use_shared_models(address: str | None) -> None:
    """From now on the embedded providers that are made here ask the process at this socket; None: they compute here."""
    global _shared
    _shared = SharedModels(address) if address is not None else None


def shared_models() -> SharedModels | None:
    """The models of another process, if this one is to use those."""
    return _shared
