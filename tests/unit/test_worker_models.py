"""When a worker starts the process that has the models, and what it does when that ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from agent_runtime.clock import LoopClock
from agent_runtime.worker.models import RESTARTS, WORKED_FOR, ModelProcess, can_be_shared

pytestmark = pytest.mark.skipif(not can_be_shared(), reason="this system has no sockets in folders")


class FakeClock(LoopClock):
    """Waits no longer than it has to, and writes down how long it would have."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []
        self.ahead = 0.0

    def now(self) -> float:
        return self.ahead

    async def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.ahead += seconds
        await asyncio.sleep(0)


class FakeProcess:
    """Takes one who connects, and lives until the test ends it."""

    def __init__(self, listener: socket.socket, pid: int) -> None:
        self.pid = pid
        self.sentinel, self._end = os.pipe()
        self.taken, _ = listener.accept()
        self.exitcode: int | None = None

    def end(self, code: int) -> None:
        if self.exitcode is None:
            self.exitcode = code
            self.taken.close()
            os.close(self._end)

    def kill(self) -> None:
        self.end(-9)

    def join(self) -> None:
        os.close(self.sentinel)


class Worker:
    """What the test has of a worker."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.started: list[FakeProcess] = []
        self.died: list[tuple[int | None, str]] = []
        self.problem: OSError | None = None
        self.starting, self.go = threading.Event(), threading.Event()
        self.go.set()
        self.models = ModelProcess(self.clock, lambda pid, why: self.died.append((pid, why)), self._start)
        self.address = self.models.open()
        self._asking: list[socket.socket] = []

    def _start(self, listener: socket.socket) -> Any:
        self.starting.set()
        self.go.wait(10)
        if self.problem is not None:
            raise self.problem
        self.started.append(FakeProcess(listener, 100 + len(self.started)))
        return self.started[-1]

    def ask(self) -> socket.socket:
        asker = socket.socket(socket.AF_UNIX)
        self._asking.append(asker)
        asker.connect(self.address)
        return asker

    def close(self) -> None:
        for asker in self._asking:
            asker.close()


@contextlib.asynccontextmanager
async def working() -> AsyncIterator[Worker]:
    worker = Worker()
    try:
        yield worker
    finally:
        await worker.models.aclose()
        worker.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a thread brings it about
            await asyncio.sleep(0.001)


async def test_it_is_started_by_who_asks_first_and_ends_with_the_worker() -> None:
    async with working() as worker:
        assert (os.stat(os.path.dirname(worker.address)).st_mode & 0o777, worker.models.pid) == (0o700, None)
        worker.ask()
        await until(lambda: worker.models.pid == 100)
        worker.ask()
        await asyncio.sleep(0.01)
        assert len(worker.started) == 1
    assert worker.started[0].exitcode == -9
    assert not os.path.exists(os.path.dirname(worker.address))  # noqa: ASYNC240 - it takes no time
    assert worker.died == []


async def test_another_is_started_when_it_died_and_somebody_asks() -> None:
    async with working() as worker:
        worker.ask()
        await until(lambda: worker.models.pid)
        worker.started[0].end(-11)
        await until(lambda: worker.died)
        assert worker.died == [(100, "it was ended by signal 11")]
        await asyncio.sleep(0.01)
        assert len(worker.started) == 1  # nobody asks
        worker.ask()
        await until(lambda: worker.models.pid == 101)


async def test_one_that_dies_again_and_again_is_not_started_any_more(caplog: pytest.LogCaptureFixture) -> None:
    async with working() as worker:
        for number in range(RESTARTS.most + 1):
            worker.ask()
            await until(lambda number=number: worker.models.pid == 100 + number)
            worker.started[-1].end(1)
            await until(lambda number=number: len(worker.died) == number + 1)
        await until(lambda: not os.path.exists(worker.address))
        with pytest.raises(OSError, match="No such file"):
            worker.ask()
        assert worker.clock.waited == [0.0, 0.5, 1.0, 2.0, 4.0]
    assert "failed 6 times" in caplog.text


async def test_one_that_worked_for_long_is_started_at_once_and_for_ever() -> None:
    async with working() as worker:
        for number in range(RESTARTS.most + 3):
            worker.ask()
            await until(lambda number=number: worker.models.pid == 100 + number)
            worker.clock.ahead += WORKED_FOR + 1
            worker.started[-1].end(1)
            await until(lambda number=number: len(worker.died) == number + 1)
        assert set(worker.clock.waited) == {0.0}


async def test_a_system_that_gives_no_process_is_asked_again() -> None:
    async with working() as worker:
        worker.problem = OSError("no memory")
        worker.ask()
        await until(lambda: worker.died)
        assert worker.died[0] == (None, "the system gives no process: no memory")
        worker.problem = None
        await until(lambda: worker.models.pid == 100)  # who asked still waits


async def test_one_that_is_being_started_is_ended_too() -> None:
    async with working() as worker:
        worker.go.clear()
        worker.ask()
        await until(worker.starting.is_set)
        closing = asyncio.create_task(worker.models.aclose())
        await asyncio.sleep(0.01)
        assert not closing.done()
        worker.go.set()
        await closing
    assert [process.exitcode for process in worker.started] == [-9]
