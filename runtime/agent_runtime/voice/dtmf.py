"""The keys of a phone, which an agent may press."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Any, Final

from agent_runtime.voice.run_context import RunContext
from agent_runtime.worker.job import get_job_context
from agent_tools import ToolError, function_tool

BETWEEN_KEYS: Final = 0.3
"""Seconds."""


class DtmfEvent(StrEnum):
    """A key."""

    ONE = "1"
    TWO = "2"
    THREE = "3"
    FOUR = "4"
    FIVE = "5"
    SIX = "6"
    SEVEN = "7"
    EIGHT = "8"
    NINE = "9"
    ZERO = "0"
    STAR = "*"
    POUND = "#"
    A = "A"
    B = "B"
    C = "C"
    D = "D"


def dtmf_event_to_code(event: DtmfEvent) -> int:
    """The key's number: 0 to 9, star 10, pound 11, A to D 12 to 15 (RFC 4733)."""
    return "0123456789*#ABCD".index(event.value)


def format_dtmf(events: list[DtmfEvent]) -> str:
    """The keys in a row."""
    return " ".join(event.value for event in events)


@function_tool
async def send_dtmf_events(ctx: RunContext[Any], events: list[DtmfEvent]) -> str:
    """Press keys of the phone, one after the other, as a menu asks for.

    Args:
        ctx: the call's session.
        events: the keys.
    """
    io = ctx.session._room_io
    job = get_job_context(required=False)
    room = io.room if io is not None else job.room if job is not None else None
    if room is None:
        raise ToolError("There is no phone call whose keys could be pressed.")
    for event in events:
        try:
            await room.local_participant.publish_dtmf(code=dtmf_event_to_code(event), digit=event.value)
        except Exception as exc:
            raise ToolError(f"The key {event.value} couldn't be pressed: {exc}") from exc
        await asyncio.sleep(BETWEEN_KEYS)
    return f"Pressed {format_dtmf(events)}."
