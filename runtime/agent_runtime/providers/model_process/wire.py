"""What is said between a process that has models and those that use them.

A message is a dataclass of this module, pickled, behind its length in four bytes: both ends run the same code, and the
socket is in a folder that nobody but their user can enter.
"""

from __future__ import annotations

import asyncio
import pickle
import struct
from typing import Any, Final, TypeAlias

from agent_runtime.records import record

_HEAD: Final = struct.Struct("!I")


@record(frozen=True, slots=True)
class Asked:
    """Do this; what comes back bears the number."""

    number: int
    operation: str
    arguments: tuple[Any, ...]


@record(frozen=True, slots=True)
class Dropped:
    """Nobody waits for this number any more."""

    number: int


@record(frozen=True, slots=True)
class Part:
    """A piece of what was asked for, or how far it is; more will come."""

    number: int
    value: Any


@record(frozen=True, slots=True)
class Done:
    """What was asked for."""

    number: int
    value: Any


@record(frozen=True, slots=True)
class Failed:
    """Why there is nothing. `lacks` is what isn't installed, and the command that gets it."""

    number: int
    message: str
    retryable: bool = True
    lacks: tuple[str, str] | None = None


Question: TypeAlias = Asked | Dropped
Answer: TypeAlias = Part | Done | Failed


def send(writer: asyncio.StreamWriter, message: Question | Answer) -> None:
    """Send it soon. To an end that is gone, it does nothing: `receive` tells that."""
    if not writer.is_closing():
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        writer.write(_HEAD.pack(len(data)) + data)


async def receive(reader: asyncio.StreamReader) -> Any:
    """The next message; None when the other end is gone."""
    try:
        (length,) = _HEAD.unpack(await reader.readexactly(_HEAD.size))
        return pickle.loads(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
