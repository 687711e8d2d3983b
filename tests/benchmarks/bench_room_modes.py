"""How long a conversation takes to a room of a real server and back, and to come back when the connection breaks.

    python -m tests.benchmarks.bench_room_modes [--moves 20]

A person is in the room, a question is asked and answered after each move and break, and none may be lost.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics

from livekit.rtc.room import SimulateScenarioKind

from tests.benchmarks.compared.run import load
from tests.integration.test_room_mode import Talk, settings
from tests.support.livekit_server import LiveKitServer, livekit_server
from tests.support.room import caller, until

BREAKS = ("SIMULATE_SIGNAL_RECONNECT", "SIMULATE_FULL_RECONNECT")


async def ask(talk: Talk, number: int) -> None:
    """A turn."""
    await talk.session.generate_reply(user_input=f"Question {number}?").wait_for_playout()


async def moves(server: LiveKitServer, count: int) -> tuple[dict[str, list[float]], int]:
    """Seconds of each move by where it went, and answers that weren't whole."""
    async with Talk(settings(server)) as talk, caller(server, room="moving", listens=False):
        for number in range(count):
            await talk.end.set_mode("room" if number % 2 == 0 else "local")
            await ask(talk, number)
        took: dict[str, list[float]] = {}
        for change in talk.of("mode_changed"):
            took.setdefault(change.mode, []).append(change.took)
        items = [item for item in talk.session.history.items if item.type == "message"]
    return took, 2 * count - sum(not item.interrupted for item in items)


async def breaks(server: LiveKitServer, kind: str, count: int) -> tuple[list[float], int]:
    """Seconds until the connection is back, and answers that weren't whole."""
    async with Talk(settings(server)) as talk, caller(server, room=kind, listens=False):
        await talk.end.set_mode("room", kind)
        await talk.session.room_io.wait_for_ready()
        for number in range(count):
            await talk.session.room_io.room.simulate_scenario(SimulateScenarioKind.Value(kind))
            await until(lambda: len(talk.of("room_reconnected")) > number, "the connection")  # noqa: B023
            await ask(talk, number)
        items = [item for item in talk.session.history.items if item.type == "message"]
        took = [event.took for event in talk.of("room_reconnected")]
    return took, 2 * count - sum(not item.interrupted for item in items)


def row(name: str, seconds: list[float], lost: int) -> str:
    """A line of the table."""
    return f"| {name} | {len(seconds)} | {statistics.median(seconds):.2f} | {max(seconds):.2f} | {lost} |"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=20)
    parser.add_argument("--breaks", type=int, default=5)
    options = parser.parse_args()
    before = load()
    with livekit_server() as server:
        took, lost = asyncio.run(moves(server, options.moves))
        rows = [row(f"to the {'room' if mode == 'room' else 'console'}", found, lost) for mode, found in took.items()]
        for kind in BREAKS:
            found, lost = asyncio.run(breaks(server, kind, options.breaks))
            rows.append(row(kind.removeprefix("SIMULATE_").replace("_", " ").lower(), found, lost))
    print(f"before: {before}; after: {load()}\n")
    print("| | times | median, s | longest, s | turns lost |\n|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
