"""The process that has the embedded models for all jobs of a worker: started when the first one asks, and when it died.

The worker listens on the socket, and the process takes who connects. So a job that asks while there is no process waits
for the next one, and a worker whose jobs never ask has none.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from agent_runtime.clock import Clock
from agent_runtime.errors import TooManyRestartsError
from agent_runtime.supervision import RestartPolicy, Restarts

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from agent_runtime.worker.logs import LogStyle

logger = logging.getLogger(__name__)

RESTARTS: Final = RestartPolicy(most=5, within=120.0, first_delay=0.5, factor=2.0, longest_delay=8.0)
WORKED_FOR: Final = 30.0
"""Seconds after which a process that ends is taken to have worked."""
_BACKLOG: Final = 512
"""Processes that may wait for the models at once."""


def remove_socket(address: str) -> None:
    """Remove a worker's socket and its folder, if they are there."""
    shutil.rmtree(os.path.dirname(address), ignore_errors=True)


Start = Callable[[socket.socket], "BaseProcess"]


def can_be_shared() -> bool:
    """Whether this system has what it takes: sockets in folders that only their user can enter."""
    return os.name == "posix" and hasattr(socket, "AF_UNIX")


class ModelProcess:
    """See the module. `open` and, in the end, `aclose`, on a running loop.

    Args:
        clock: for the time between two starts.
        died: is told that the process ended, with its id and why.
        start: starts a process that takes who connects to a listening socket. Blocks for as long as that takes.
    """

    def __init__(self, clock: Clock, died: Callable[[int | None, str], None], start: Start) -> None:
        self._clock = clock
        self._died = died
        self._start = start
        self._restarts = Restarts("the process with the embedded models", RESTARTS, clock)
        self._address: str | None = None
        self._listener: socket.socket | None = None
        self._running: asyncio.Task[None] | None = None
        self._process: BaseProcess | None = None

    @property
    def pid(self) -> int | None:
        """Of the process; None while there is none."""
        return self._process.pid if self._process is not None else None

    def open(self) -> str:
        """Listen. Returns the socket's path."""
        folder = tempfile.mkdtemp(prefix="agent-models-")  # only its user can enter it
        address = self._address = os.path.join(folder, "socket")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        self._listener.bind(address)
        self._listener.listen(_BACKLOG)
        self._wait()
        return address

    async def aclose(self) -> None:
        """End the process. Its language model's ends with it."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})
        self._hang_up()

    def _wait(self) -> None:
        """Until somebody connects."""
        assert self._listener is not None
        asyncio.get_running_loop().add_reader(self._listener, self._wanted)

    def _wanted(self) -> None:
        assert self._listener is not None
        asyncio.get_running_loop().remove_reader(self._listener)
        self._running = asyncio.create_task(self._run(self._listener), name="models")

    async def _run(self, listener: socket.socket) -> None:
        """A process from its start to its end, and what comes of that."""
        began = self._clock.now()
        starting = asyncio.create_task(asyncio.to_thread(self._start, listener))
        try:
            process = await asyncio.shield(starting)
            self._process = process
            pid, why = process.pid, await _end_of(process)
        except (OSError, EOFError) as exc:  # no process, or the fork server is gone
            pid, why = None, f"the system gives no process: {exc}"
        except asyncio.CancelledError:
            process = await starting
            process.kill()
            await asyncio.to_thread(process.join)
            raise
        finally:
            self._process = None
        self._died(pid, why)
        if self._clock.now() - began > WORKED_FOR:
            self._restarts.worked()
        try:
            delay = self._restarts.failed(why)
        except TooManyRestartsError as exc:
            logger.error("%s; jobs go on without them", exc)
            self._hang_up()
            return
        logger.error("the process with the embedded models died: %s", why)
        await self._clock.sleep(delay)
        self._wait()

    def _hang_up(self) -> None:
        """From now on who connects is refused."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        if self._address is not None:
            remove_socket(self._address)
            self._address = None


def start_model_process(context: str, log_style: LogStyle | None) -> Start:
    """Starts the process as the jobs' are: forked from the one that has imported what they need, or anew."""

    def start(listener: socket.socket) -> BaseProcess:
        making: Any = multiprocessing.get_context(context)
        process: BaseProcess = making.Process(
            target=models_main, args=(listener, log_style), name="agent-models", daemon=True
        )
        process.start()
        return process

    return start


def models_main(listener: socket.socket, log_style: LogStyle | None) -> None:
    """What the process runs."""
    from agent_runtime.providers.model_process.main import serve_models

    if log_style is not None:
        log_style.set_up()
    address = listener.getsockname()
    serve_models(listener)
    remove_socket(address)  # the worker is gone, and had no time for it


async def _end_of(process: BaseProcess) -> str:
    """Wait until a process is over. How it ended, in words."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_reader(process.sentinel, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(process.sentinel)
    await asyncio.to_thread(process.join)
    code = process.exitcode
    return f"it was ended by signal {-code}" if code is not None and code < 0 else f"it ended with code {code}"
