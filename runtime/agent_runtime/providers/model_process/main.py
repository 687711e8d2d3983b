"""The process that has the models, from its start to its end."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import multiprocessing
import os
import signal
import socket
from typing import Final

from agent_runtime.providers.model_process.models import Models
from agent_runtime.providers.model_process.server import ModelServer

logger = logging.getLogger(__name__)

ALIVE_EVERY: Final = 5.0
HANGS_AFTER: Final = 60.0
"""Seconds after which a loop that hangs, or a model that computes, is taken to be stuck for good."""


def serve_models(listener: socket.socket) -> None:
    """Serve who connects to a socket, until the process that started this one is gone."""
    # The terminal's ctrl+c and a service manager's SIGTERM go to the whole group: the worker decides what they mean.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    asyncio.run(_serve(listener))


async def _serve(listener: socket.socket) -> None:
    over = asyncio.Event()
    parent = multiprocessing.parent_process()
    assert parent is not None
    loop = asyncio.get_running_loop()
    loop.add_reader(parent.sentinel, over.set)
    alive = asyncio.create_task(_stay_alive(), name="alive")
    try:
        await ModelServer(Models(_end_stuck).operations).serve(listener, over)
    finally:
        alive.cancel()
        loop.remove_reader(parent.sentinel)


async def _stay_alive() -> None:
    """Put off the alarm that ends a process whose loop hangs; it needs no interpreter."""
    while True:
        faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
        await asyncio.sleep(ALIVE_EVERY)


def _end_stuck(name: str) -> None:
    logger.error("%s computes without end: its process is ended", name)
    os._exit(1)
