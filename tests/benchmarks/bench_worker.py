"""A worker beside LiveKit Agents at the same server: `python -m tests.benchmarks.bench_worker`.

From the request for an agent to the agent in the room, and to its voice at a participant, with a process ready; from
the start of a worker to its registration; memory of its processes. Providers are fakes that take no time. Then the way
of a dispatch, stage by stage.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from livekit import api, rtc

from tests.benchmarks.compared.run import add_reference, load
from tests.support.livekit_server import KEY, SECRET, LiveKitServer, livekit_server
from tests.support.room import token
from tests.support.worker_process import family_of

AGENT = Path(__file__).with_name("compared") / "job_agent.py"
PATIENCE = 60.0
AUDIBLE = 1000
"""Amplitude of 16 bits from which a sample is the agent's tone."""

STAGES = ("asked", "offered", "assigned", "entrypoint", "connected", "joined", "audible")
"""Of a dispatch, in their order: the worker is told of its assignment, a participant sees it join and hears it."""


@dataclass
class Side:
    """One library's worker."""

    name: str
    python: str
    joined: list[float] = field(default_factory=list)
    audible: list[float] = field(default_factory=list)
    registered: list[float] = field(default_factory=list)
    memory: dict[str, list[float]] = field(default_factory=dict)
    stamps: dict[str, dict[str, float]] = field(default_factory=dict)
    """When each room's job got to each of `STAGES`, in seconds since the epoch."""


@contextlib.contextmanager
def worker(side: Side, server: LiveKitServer, *, idle: int) -> Iterator[tuple[subprocess.Popen[str], float]]:
    """A registered worker, and how long it took to be."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= server.environment
    environment |= {"BENCH_SIDE": side.name, "BENCH_IDLE": str(idle), "BENCH_AGENT_NAME": side.name}
    began = time.perf_counter()
    process = subprocess.Popen(
        [side.python, str(AGENT), "start"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    told: list[str] = []
    registered = threading.Event()
    at = 0.0

    def read() -> None:
        nonlocal at
        assert process.stdout is not None
        for line in process.stdout:
            told.append(line)
            if line.startswith("@ "):
                _, room, stage, stamped = line.split()
                side.stamps.setdefault(room, {})[stage] = float(stamped)
            if "registered" in line and not registered.is_set() and "plugin" not in line:
                at = time.perf_counter()
                registered.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        if not registered.wait(PATIENCE):
            raise RuntimeError(f"{side.name} doesn't register:\n{''.join(told[-30:])}")
        yield process, at - began
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        reader.join(5)


async def dispatch(side: Side, server: LiveKitServer, livekit: api.LiveKitAPI, name: str) -> None:
    """Ask for the agent in a room with somebody in it, and note when it is there and when it is heard."""
    loop = asyncio.get_running_loop()
    joined, audible = loop.create_future(), loop.create_future()
    tasks: list[asyncio.Task[None]] = []

    stamps = side.stamps.setdefault(name, {})

    def note(future: asyncio.Future[float], stage: str) -> None:
        if not future.done():
            stamps[stage] = time.time()
            future.set_result(time.perf_counter())

    async def hear(track: rtc.Track) -> None:
        stream = rtc.AudioStream.from_track(track=track, sample_rate=16000, num_channels=1)
        async for event in stream:
            if np.abs(np.frombuffer(event.frame.data, np.int16).astype(int)).max() > AUDIBLE:
                note(audible, "audible")
                break
        await stream.aclose()

    room = rtc.Room()
    room.on("participant_connected", lambda _: note(joined, "joined"))
    room.on("track_subscribed", lambda track, *_: tasks.append(loop.create_task(hear(track))))
    await room.connect(server.url, token("person", name))
    try:
        began, stamps["asked"] = time.perf_counter(), time.time()
        await livekit.agent_dispatch.create_dispatch(api.CreateAgentDispatchRequest(room=name, agent_name=side.name))
        async with asyncio.timeout(PATIENCE):
            side.joined.append((await joined - began) * 1000)
            side.audible.append((await audible - began) * 1000)
            await asyncio.gather(*tasks)
    finally:
        await room.disconnect()
        await livekit.room.delete_room(api.DeleteRoomRequest(room=name))


async def dispatches(sides: list[Side], server: LiveKitServer, count: int, pause: float) -> None:
    """In turn, each with time to get another process ready; the first of each doesn't count."""
    async with api.LiveKitAPI(server.url, KEY, SECRET) as livekit:
        for number in range(count + 1):
            for side in sides:
                await dispatch(side, server, livekit, f"{side.name}-{number}")
                await asyncio.sleep(pause)
        for side in sides:
            del side.joined[0], side.audible[0], side.stamps[f"{side.name}-0"]


def memory(side: Side, process: subprocess.Popen[str]) -> None:
    """Proportional set size of each process, in MB."""
    for pid in family_of(process.pid):
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
            share = next(line for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if "Pss:" in line)
            side.memory.setdefault(_role(pid, process.pid, command), []).append(int(share.split()[1]) / 1024)


def _role(pid: int, worker_pid: int, command: str) -> str:
    if pid == worker_pid:
        return "worker"
    if "resource_tracker" in command:
        return "tracker"
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return "fork server" if parent == worker_pid else "ready process"


def main() -> None:
    """Measure both sides and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_reference(parser)
    parser.add_argument("--dispatches", type=int, default=12)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--pause", type=float, default=3.0, help="seconds between two dispatches")
    options = parser.parse_args()
    sides = [Side("ours", sys.executable)]
    if options.reference:
        sides.append(Side("reference", options.reference))
    with livekit_server() as server:
        for _ in range(options.starts):
            for side in sides:
                with worker(side, server, idle=1) as (_, took):
                    side.registered.append(took * 1000)
        for side in sides:
            with worker(side, server, idle=2) as (process, _):
                time.sleep(8)
                memory(side, process)
        with contextlib.ExitStack() as stack:
            for side in sides:
                stack.enter_context(worker(side, server, idle=1))
            time.sleep(5)
            asyncio.run(dispatches(sides, server, options.dispatches, options.pause))
    report(sides)


def report(sides: list[Side]) -> None:
    """Medians, with the slowest, as Markdown."""
    print(f"\n{load()}\n")
    print("| | " + " | ".join(side.name for side in sides) + " |")
    print("|---" * (len(sides) + 1) + "|")
    rows: dict[str, list[list[float]]] = {
        "dispatch to joined, ms": [side.joined for side in sides],
        "dispatch to audible, ms": [side.audible for side in sides],
        "start to registered, ms": [side.registered for side in sides],
    }
    rows |= {f"{role}, MB": [side.memory.get(role, []) for side in sides] for role in ("worker", "fork server")}
    rows["each ready process, MB"] = [side.memory.get("ready process", []) for side in sides]
    for name, values in rows.items():
        print(f"| {name} | " + " | ".join(map(_shown, values)) + " |")
    for before, stage in pairwise(STAGES):
        steps = [
            [(stamps[stage] - stamps[before]) * 1000 for stamps in side.stamps.values() if len(stamps) == len(STAGES)]
            for side in sides
        ]
        print(f"| {before} → {stage}, ms | " + " | ".join(map(_shown, steps)) + " |")


def _shown(values: list[float]) -> Any:
    return f"{statistics.median(values):.0f} (to {max(values):.0f}; {len(values)})" if values else "none"


if __name__ == "__main__":
    main()
