"""A worker as a program: what a signal does when, and the codes that it ends with."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable

import pytest

from agent_runtime.errors import WorkerError
from agent_runtime.testing import in_virtual_time
from agent_runtime.utils import EventEmitter
from agent_runtime.worker.serving import ExitCode, _serve


class Server(EventEmitter[str]):
    """A worker with one job of `seconds`; `problem` ends its run after `fails_after`."""

    def __init__(self, seconds: float = 0.0, problem: Exception | None = None, fails_after: float = 0.0) -> None:
        super().__init__()
        self.job_over = asyncio.get_running_loop().time() + seconds
        self.problem, self.fails_after = problem, fails_after
        self.drained: list[float] = []
        self.closed = asyncio.Event()
        self.active_jobs: list[object] = [object()]

    async def run(self, *, devmode: bool, unregistered: bool) -> None:
        await asyncio.sleep(0.1)
        self.emit("worker_started")
        if self.problem is not None:
            await asyncio.sleep(self.fails_after)
            raise self.problem
        await self.closed.wait()

    async def drain(self) -> None:
        now = asyncio.get_running_loop().time()
        if self.job_over - now > 1000:
            await asyncio.sleep(1000)
            raise TimeoutError
        await asyncio.sleep(max(self.job_over - now, 0.0))
        self.drained.append(asyncio.get_running_loop().time())

    async def aclose(self) -> None:
        self.closed.set()


async def serve(
    server: Server,
    signals: dict[float, int],
    *,
    devmode: bool = False,
    work: Callable[[], Awaitable[None]] | None = None,
) -> tuple[ExitCode, float]:
    """The exit code, and how long it took to it."""
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[int] = loop.create_future()
    for when, number in signals.items():
        loop.call_later(when, stop.set_result, number)
    began = loop.time()
    code = await _serve(server, stop, devmode, False, work)  # type: ignore[arg-type]  # as much of one as is used
    return code, round(loop.time() - began, 3)


@in_virtual_time
async def test_told_to_stop_it_waits_for_its_jobs():
    for number in (signal.SIGTERM, signal.SIGINT):
        server = Server(seconds=60.0)
        assert await serve(server, {1.0: number}) == (ExitCode.STOPPED, 60.0)
        assert len(server.drained) == 1


@in_virtual_time
async def test_jobs_that_dont_end_in_time_are_a_failure():
    assert await serve(Server(seconds=9999.0), {1.0: signal.SIGTERM}) == (ExitCode.FAILED, 1001.0)


@in_virtual_time
async def test_in_development_an_interrupt_waits_for_nothing():
    server = Server(seconds=60.0)
    assert await serve(server, {1.0: signal.SIGINT}, devmode=True) == (ExitCode.STOPPED, 1.0)
    assert server.drained == []
    assert await serve(Server(seconds=60.0), {1.0: signal.SIGTERM}, devmode=True) == (ExitCode.STOPPED, 60.0)


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (WorkerError("the secret is wrong"), ExitCode.BAD_INPUT),
        (WorkerError("given up after 16 attempts", retry=True), ExitCode.FAILED),
        (RuntimeError("a mistake"), ExitCode.FAILED),
    ],
)
@in_virtual_time
async def test_what_ended_it_is_its_code(problem: Exception, code: ExitCode, caplog):
    assert await serve(Server(problem=problem), {}) == (code, 0.1)
    assert str(problem) in caplog.text
    # The same while it drains.
    assert await serve(Server(60.0, problem, fails_after=9.9), {1.0: signal.SIGTERM}) == (code, 10.0)


@in_virtual_time
async def test_work_beside_it_begins_when_it_is_ready_and_ends_it():
    async def work() -> None:
        assert asyncio.get_running_loop().time() >= 0.1
        await asyncio.sleep(5.0)

    async def failing() -> None:
        raise WorkerError("there is no such room")

    assert await serve(Server(60.0), {}, work=work) == (ExitCode.STOPPED, 5.1)
    assert (await serve(Server(60.0), {}, work=failing))[0] is ExitCode.BAD_INPUT


PROGRAM = """
    import asyncio, os, signal, sys, time
    from agent_runtime.worker.serving import serve
    from agent_runtime.utils import EventEmitter

    class Server(EventEmitter):
        active_jobs = ()
        async def run(self, *, devmode, unregistered):
            self.closed = asyncio.Event()
            os.kill(os.getpid(), signal.SIGTERM)
            await self.closed.wait()
        async def drain(self):
            print("draining", flush=True)
            {drain}
        async def aclose(self):
            self.closed.set()

    sys.exit(serve(Server()))
"""


@pytest.mark.parametrize(
    ("drain", "code"),
    [
        ("pass", 0),
        ("os.kill(os.getpid(), signal.SIGTERM); await asyncio.sleep(60)", 128 + signal.SIGTERM),
        # A loop that stands still is stopped too.
        ("os.kill(os.getpid(), signal.SIGINT); time.sleep(60)", 128 + signal.SIGINT),
    ],
)
def test_a_second_signal_ends_the_process_at_once(drain: str, code: int):
    program = textwrap.dedent(PROGRAM).format(drain=drain)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, env=os.environ)
    assert (done.returncode, done.stdout) == (code, "draining\n"), done.stderr
