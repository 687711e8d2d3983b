"""What local audio costs and how late it is: `python -m tests.benchmarks.bench_audio`.

Runs on a PulseAudio server of its own with null sinks. Latency is from the audio thread's callback to the frame in the
reader's hands; CPU is of the whole process, microphone and speaker together, while the agent speaks without a pause.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import threading
import time

import numpy as np

from agent_runtime.clock import LoopClock
from agent_runtime.devices import LocalAudio
from agent_runtime.devices.backend import Captured
from agent_runtime.devices.library import load_portaudio, restart_portaudio
from agent_runtime.events import AudioDropped, DeviceChanged, EventData
from agent_runtime.media.frames import frame_from_array
from agent_runtime.media.processing import ProcessingOptions
from tests.support.pulse import missing, pulse_server


async def measure(name: str, seconds: float, processing: ProcessingOptions, *, speaking: bool = True) -> None:
    """Print one line of figures."""
    clock, events = LoopClock(), list[EventData]()
    audio = LocalAudio(clock=clock, on_event=events.append, processing=processing)
    audio.input.on_attached()
    audio.output.on_attached()
    delays: list[float] = []
    captured_at: list[float] = []
    take = audio.input._captured

    def captured(block: Captured) -> None:
        captured_at.append(time.monotonic())
        take(block)

    audio.input._captured = captured  # type: ignore[method-assign]  # to stamp the moment of the callback

    async def read() -> None:
        async for _ in audio.input:
            delays.append(time.monotonic() - captured_at[-1])

    async def speak() -> None:
        rng = np.random.default_rng(0)
        noise = (rng.standard_normal(1200) * 3000).astype(np.int16)
        while speaking:
            await audio.output.capture_frame(frame_from_array(noise, 24000))

    tasks = [asyncio.create_task(read()), asyncio.create_task(speak())]
    await asyncio.sleep(1.0)
    delays.clear()
    cpu, began = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    cpu, took = time.process_time() - cpu, time.monotonic() - began
    for task in tasks:
        task.cancel()
    await audio.aclose()
    ms = np.percentile(np.array(delays) * 1000, [50, 99, 100])
    lost = {w: max((e.frames for e in events if isinstance(e, AudioDropped) and e.where == w), default=0)
            for w in ("input", "output")}  # fmt: skip
    opened = sum(isinstance(e, DeviceChanged) and e.kind == "output" and e.state == "opened" for e in events)
    print(
        f"{name:34} callback to frame p50 {ms[0]:5.2f}  p99 {ms[1]:5.2f}  max {ms[2]:6.2f} ms"
        f"   CPU {1000 * cpu / took:5.1f} ms/s   frames {len(delays) / took:5.1f}/s"
        f"   dropped in {lost['input']}, out {lost['output']}   speaker opened {opened}x",
        flush=True,
    )


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0)
    seconds = parser.parse_args().seconds
    if (reason := missing()) is not None:
        sys.exit(reason)
    with pulse_server() as server:
        os.environ.update(server.environment)
        load_portaudio()
        restart_portaudio()
        off = ProcessingOptions(echo_cancellation=False, high_pass=False)
        asyncio.run(measure("listening", seconds, ProcessingOptions(), speaking=False))
        asyncio.run(measure("speaking", seconds, ProcessingOptions()))
        asyncio.run(measure("speaking, no processing", seconds, off))
        busy = threading.Event()
        threads = [threading.Thread(target=_spin, args=(busy,), daemon=True) for _ in range(2)]
        for thread in threads:
            thread.start()
        asyncio.run(measure("speaking beside 2 busy threads", seconds, ProcessingOptions()))
        busy.set()
        for thread in threads:
            thread.join()


def _spin(stop: threading.Event) -> None:
    """Python code that never waits: it shares the interpreter's lock with the audio callbacks."""
    total = 0
    while not stop.is_set():
        total += sum(range(1000))


if __name__ == "__main__":
    main()
