"""The bundled detector of voice: `python -m tests.benchmarks.bench_vad`.

What a window costs on the event loop and in a thread; how long after its last sample was pushed an event is there, in
real time; and how often it is right on recorded speech in noise.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from agent_runtime.media.frames import frame_from_array
from agent_runtime.providers.embedded.vad import WINDOW, WINDOW_SECONDS, SileroModel, SileroVAD
from tests.support.speech import INTERRUPTION, recorded

SECONDS = 10.0


def percentiles(values, scale, unit):
    return ", ".join(f"p{p} {np.percentile(values, p) * scale:.0f} {unit}" for p in (50, 95, 99))


async def cost(audio):
    signal = SileroModel().listen()
    loop = asyncio.get_running_loop()
    windows = [audio[start : start + WINDOW] for start in range(0, len(audio) - WINDOW + 1, WINDOW)]
    with ThreadPoolExecutor(1) as thread:
        for where in ("on the loop", "in a thread"):
            took = []
            for _ in range(4):
                for window in windows:
                    began = time.perf_counter()
                    if where == "on the loop":
                        signal.probability(window)
                    else:
                        await loop.run_in_executor(thread, signal.probability, window)
                    took.append(time.perf_counter() - began)
            print(f"a window of 32 ms, {where}: {percentiles(took, 1e6, 'µs')}")


async def latency(audio):
    vad = SileroVAD()
    await vad.load()
    pushed: list[float] = []
    waited = []

    async def push(stream):
        began = time.perf_counter()
        for number in range(round(SECONDS * 100)):
            await asyncio.sleep(max(0.0, began + number * 0.01 - time.perf_counter()))
            start = number * 160 % (len(audio) - 160)
            pushed.append(time.perf_counter())
            stream.push_frame(frame_from_array(audio[start : start + 160], 16000))
        stream.end_input()

    async with vad.stream() as stream:
        pushing = asyncio.create_task(push(stream))
        async for event in stream:
            # The frame with the window's last sample.
            waited.append(time.perf_counter() - pushed[(event.samples_index - 1) // 160])
        await pushing
    print(f"frame pushed to event, {SECONDS:g} s in real time: {percentiles(waited, 1e3, 'ms')}")


def accuracy():
    voice = recorded(INTERRUPTION).astype(np.float64)
    rng = np.random.default_rng(0)
    silent = 2 * 16000
    for name, ratio in (("clean", None), ("white noise at 10 dB", 10), ("white noise at 0 dB", 0)):
        signal = np.concatenate((np.zeros(silent), voice, np.zeros(silent)))
        if ratio is not None:
            signal += rng.standard_normal(len(signal)) * np.sqrt((voice**2).mean() / 10 ** (ratio / 10))
        listener = SileroModel().listen()
        samples = np.clip(signal, -32768, 32767).astype(np.int16)
        found = [
            listener.probability(samples[start : start + WINDOW]) >= 0.5
            for start in range(0, len(samples) - WINDOW + 1, WINDOW)
        ]
        count = round(silent / WINDOW)
        speech = found[count:-count]
        false = sum(found[:count]) + sum(found[-count:])
        print(
            f"{name}: speech in {sum(speech) / len(speech):.0%} of the windows of a reading, "
            f"false in {false * WINDOW_SECONDS:.2f} of {2 * count * WINDOW_SECONDS:.1f} s"
        )


async def main():
    began = time.perf_counter()
    await SileroVAD().load()
    print(f"load: {time.perf_counter() - began:.2f} s")
    audio = recorded(INTERRUPTION)
    await cost(audio)
    await latency(audio)
    accuracy()


if __name__ == "__main__":
    asyncio.run(main())
