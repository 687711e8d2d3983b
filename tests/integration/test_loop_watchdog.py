"""A line that blocks the loop is named."""

import asyncio
import time
from pathlib import Path

from agent_runtime.events import LoopBlocked
from agent_runtime.host.watchdog import BLOCKED, LoopWatchdog

SOURCE = Path(__file__).read_text().splitlines()


def hold_up(seconds: float) -> None:
    time.sleep(seconds)  # the line that must be named


async def watched(*pauses: float) -> list[LoopBlocked]:
    """What is told while the loop is blocked for each of `pauses`, with a moment of rest between them."""
    told: list[LoopBlocked] = []
    watchdog = LoopWatchdog(asyncio.get_running_loop(), told.append)
    watchdog.start()
    await asyncio.sleep(0.1)
    for pause in pauses:
        hold_up(pause)
        await asyncio.sleep(0.2)
    watchdog.stop()
    return told


async def test_a_blockage_is_told_once_with_its_line_and_length():
    told = await watched(BLOCKED * 2)
    assert len(told) == 1
    assert told[0].file == __file__
    assert "the line that must be named" in SOURCE[told[0].line - 1]
    assert BLOCKED * 2 <= told[0].duration < BLOCKED * 2 + 0.5
    assert "hold_up" in told[0].stack


async def test_two_blockages_are_two_events():
    assert len(await watched(BLOCKED * 2, BLOCKED * 2)) == 2


async def test_short_work_is_nothing_to_tell():
    assert await watched(0.02, 0.02, 0.02) == []
