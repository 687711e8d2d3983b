"""A line that blocks the loop is named."""

import asyncio
import threading
import time
from pathlib import Path

from agent_runtime.events import LoopBlocked, LoopLag, LoopStalled
from agent_runtime.host.watchdog import LoopWatchdog

SOURCE = Path(__file__).read_text().splitlines()
LONG = 0.5


def hold_up(seconds: float, until: threading.Event | None = None) -> None:
    if until is None:
        time.sleep(seconds)  # the line that must be named
    else:
        assert until.wait(30)


async def watched(*pauses: float) -> list[LoopStalled | LoopBlocked]:
    """What is told while the loop is blocked for each of `pauses`, with a moment of rest between them."""
    told: list[LoopStalled | LoopBlocked] = []

    def tell(data: LoopStalled | LoopBlocked | LoopLag) -> None:
        if not isinstance(data, LoopLag):
            told.append(data)

    watchdog = LoopWatchdog(asyncio.get_running_loop(), tell)
    watchdog.start()
    await asyncio.sleep(0.1)
    for pause in pauses:
        hold_up(pause)
        await asyncio.sleep(0.2)
    watchdog.stop()
    return told


async def test_a_blockage_is_told_at_once_and_when_it_is_over_with_its_line_and_length():
    caught, over = await watched(LONG)
    assert (type(caught), type(over)) == (LoopStalled, LoopBlocked)
    for told in (caught, over):
        assert told.file == __file__
        assert "the line that must be named" in SOURCE[told.line - 1]
        assert "hold_up" in told.stack
    assert caught.duration < over.duration
    assert over.duration >= LONG


async def test_a_blockage_is_told_while_it_lasts():
    noticed = threading.Event()
    told: list[LoopStalled | LoopBlocked | LoopLag] = []

    def tell(data: LoopStalled | LoopBlocked | LoopLag) -> None:
        told.append(data)
        noticed.set()

    watchdog = LoopWatchdog(asyncio.get_running_loop(), tell)
    watchdog.start()
    hold_up(0, until=noticed)  # the loop is blocked until the watchdog says so
    assert [type(data) for data in told] == [LoopStalled]
    watchdog.stop()


async def test_two_blockages_are_told_apart():
    told = await watched(LONG, LONG)
    assert [type(data) for data in told] == [LoopStalled, LoopBlocked] * 2


async def test_short_work_is_nothing_to_tell():
    assert await watched(0.01, 0.01, 0.01) == []
