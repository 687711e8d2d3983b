"""What a hundred participants who join and leave a room of a real server leave behind.

    python -m tests.benchmarks.bench_room_churn [--guests 100]

Not among the tests: LiveKit's native library has crashed under it, about once in ten runs, and would take them along.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import tracemalloc

from agent_runtime.room.streams import StreamManager
from tests.support.livekit_server import LiveKitServer, livekit_server
from tests.support.room import agents_room, caller, until

WARM_UP = 10
AT_ONCE = 5


async def churn(server: LiveKitServer, guests: int) -> tuple[int, int]:
    """Bytes and tasks that are left more than after the first few."""
    async with agents_room(server, room="crowd") as room:
        manager = StreamManager(room)
        manager.start()

        async def visit(number: int) -> None:
            async with caller(server, f"guest-{number}", room="crowd", listens=False):
                await until(lambda: f"guest-{number}" in dict(manager.subscribed), f"guest {number}")

        async def visits(numbers: range) -> None:
            for first in range(numbers.start, numbers.stop, AT_ONCE):
                await asyncio.gather(*(visit(number) for number in range(first, first + AT_ONCE)))
            await until(lambda: not manager.participants, "that all left")
            gc.collect()

        await visits(range(WARM_UP))
        tasks = len(asyncio.all_tasks())
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        await visits(range(WARM_UP, WARM_UP + guests))
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        await asyncio.sleep(1)
        left = len(asyncio.all_tasks()) - tasks
        await manager.aclose()
        return grown, left


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--guests", type=int, default=100)
    options = parser.parse_args()
    with livekit_server() as server:
        grown, tasks = asyncio.run(churn(server, options.guests))
    print(f"{options.guests} guests came and went: {grown / 1000:.0f} kB and {tasks} tasks more than before")


if __name__ == "__main__":
    main()
