"""A worker as a program: its signals, and the code that it ends with."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from enum import IntEnum
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from agent_runtime.errors import AgentConsoleError

if TYPE_CHECKING:
    from agent_runtime.worker.server import AgentServer

logger = logging.getLogger(__name__)

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class ExitCode(IntEnum):
    """What a worker's process ends with; 128 + n when signal n stopped it at once."""

    STOPPED = 0
    """It was told to stop, and its jobs came to their end."""
    FAILED = 1
    """The server is gone for good, jobs had to be cut short, or something in the worker broke."""
    BAD_INPUT = 2
    """Address, key, port, option or file: what has to be put right before it is tried again."""


def serve(
    server: AgentServer,
    *,
    devmode: bool = False,
    unregistered: bool = False,
    work: Callable[[], Awaitable[None]] | None = None,
) -> ExitCode:
    """Run a worker until it is told to stop: SIGTERM and SIGINT drain it, a second one stops it at once.

    In `devmode` SIGINT ends its jobs instead. `work` is done beside it once its first processes are ready; the worker
    stops when that is over.
    """
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        stop: asyncio.Future[int] = loop.create_future()
        _install_signals(lambda number: loop.call_soon_threadsafe(stop.set_result, number))
        return runner.run(_serve(server, stop, devmode, unregistered, work))


async def _serve(
    server: AgentServer,
    stop: asyncio.Future[int],
    devmode: bool,
    unregistered: bool,
    work: Callable[[], Awaitable[None]] | None,
) -> ExitCode:
    started = asyncio.Event()
    server.on("worker_started", started.set)
    running = asyncio.create_task(server.run(devmode=devmode, unregistered=unregistered))
    working = asyncio.create_task(_when_started(started, work)) if work is not None else None
    waited_for: list[asyncio.Future[Any]] = [running, stop, *([working] if working is not None else [])]
    await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
    code = ExitCode.STOPPED
    if working is not None and working.done():
        code = _outcome(working)
    elif stop.done() and not (devmode and stop.result() == signal.SIGINT):
        code = await _drain(server, running)
    if working is not None:
        working.cancel()
    await server.aclose()
    await asyncio.wait([running])
    return max(code, _outcome(running))


async def _when_started(started: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
    await started.wait()
    await work()


async def _drain(server: AgentServer, running: asyncio.Task[None]) -> ExitCode:
    draining = asyncio.create_task(server.drain())
    await asyncio.wait([draining, running], return_when=asyncio.FIRST_COMPLETED)
    if not draining.done():
        draining.cancel()
        return ExitCode.STOPPED  # how the run ended tells the rest
    try:
        await draining
    except TimeoutError:
        logger.warning("%d jobs didn't end in time: they are ended now", len(server.active_jobs))
        return ExitCode.FAILED
    return ExitCode.STOPPED


def _outcome(task: asyncio.Task[None]) -> ExitCode:
    """What a task that is over means for the process."""
    try:
        task.result()
    except AgentConsoleError as exc:
        logger.error("%s", exc)
        return ExitCode.FAILED if getattr(exc, "retry", False) else ExitCode.BAD_INPUT
    except Exception:
        logger.exception("the worker failed")
        return ExitCode.FAILED
    return ExitCode.STOPPED


def _install_signals(stop: Callable[[int], object]) -> None:
    """Have the first signal call `stop`, and a second one end the process at once."""
    seen: set[int] = set()

    def handle(number: int, frame: FrameType | None) -> None:
        if seen:
            logger.warning("stopped at once")
            os._exit(128 + number)  # its jobs' processes see the worker's end and follow
        seen.add(number)
        stop(number)

    for number in SIGNALS:
        signal.signal(number, handle)
