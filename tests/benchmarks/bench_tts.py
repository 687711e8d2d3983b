"""The bundled voice: `python -m tests.benchmarks.bench_tts`.

Time to the first audio and to all of it; word errors when it is transcribed again by the bundled recognition; how well
the times of words agree with what a listener hears; and how long the event loop stands still meanwhile.
"""

from __future__ import annotations

import asyncio
import statistics
import time

import numpy as np

from agent_runtime.media.frames import frame_from_array, to_array
from agent_runtime.providers.embedded.stt import MoonshineSTT
from agent_runtime.providers.embedded.tts import HibariTTS
from agent_runtime.types import USERDATA_TIMED_TRANSCRIPT
from tests.benchmarks.bench_stt import SPOKEN, rate
from tests.support.speech import words

TEXTS = [
    *((text, text) for text in SPOKEN),
    (
        "The weather in Paris is sunny, with a high of 22°C and light wind. Tomorrow it may rain.",
        "the weather in paris is sunny with a high of 22 degrees celsius and light wind tomorrow it may rain",
    ),
    ("It rose by 8.5%, i.e. more than we thought.", "it rose by 8 5 that is more than we thought"),
    ("**Three things** matter, e.g. time, money and `luck`.", "three things matter for example time money and luck"),
    (
        "Once upon a time there was a small robot, who lived in a big house by the sea, and every morning he went out "
        "to look at the boats.",
        "once upon a time there was a small robot who lived in a big house by the sea and every morning he went out "
        "to look at the boats",
    ),
]


async def watch(lags):
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        await asyncio.sleep(0.005)
        lags.append(loop.time() - began - 0.005)


async def speak(tts, text):
    began = time.perf_counter()
    first = None
    audios = []
    async with tts.stream() as stream:
        stream.push_text(text)
        stream.end_input()
        async for audio in stream:
            first = first or time.perf_counter() - began
            audios.append(audio)
    took = time.perf_counter() - began
    timed = [word for audio in audios for word in audio.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, [])]
    return np.concatenate([to_array(a.frame)[:, 0] for a in audios]), timed, first, took


async def misplaced(stt, audio, timed):
    """For each word: how many words more or less than it and those before are heard up to the middle of the pause."""
    off = []
    for index in range(1, len(timed) - 1):
        end = (timed[index].end_time + timed[index + 1].start_time) / 2
        if timed[index + 1].start_time - timed[index].start_time < 0.15:
            continue  # half a short word more or less can't be told by ear
        heard = (await stt.recognize(frame_from_array(audio[: round(end * 24000)], 24000))).alternatives[0].text
        off.append(len(words(heard)) - len(words("".join(timed[: index + 1]))))
    return off


async def main():
    async with HibariTTS() as tts, MoonshineSTT() as stt:
        lags = []
        watching = asyncio.create_task(watch(lags))
        began = time.perf_counter()
        await tts.load()
        print(f"load: {time.perf_counter() - began:.2f} s; the loop stood still for {max(lags) * 1e3:.0f} ms at most")
        lags.clear()
        spoken = [(said, *await speak(tts, text)) for text, said in TEXTS]
        print(f"speaking: the loop stood still for {max(lags) * 1e3:.0f} ms at most")
        watching.cancel()
        await stt.load()
        firsts = [first * 1e3 for *_, first, _ in spoken]
        print(f"first audio: median {statistics.median(firsts):.0f}, max {max(firsts):.0f} ms")
        seconds = sum(len(audio) for _, audio, *_ in spoken) / 24000
        print(f"real-time factor: {sum(took for *_, took in spoken) / seconds:.3f}")
        leads = [np.flatnonzero(np.abs(audio) > 300)[0] / 24 for _, audio, *_ in spoken]
        print(f"silence before the first sound: {statistics.median(leads):.0f} ms")
        heard = [(await stt.recognize(frame_from_array(audio, 24000))).alternatives[0].text for _, audio, *_ in spoken]
        print(f"transcribed again: {rate([(said, text) for (said, *_), text in zip(spoken, heard, strict=True)])}")
        off = [n for _, audio, timed, *_ in spoken[:8] for n in await misplaced(stt, audio, timed)]
        print(
            f"cut after a word: exactly the words up to there are heard in {sum(n == 0 for n in off)} of {len(off)} "
            f"cases, one more or less in {sum(abs(n) == 1 for n in off)}"
        )


if __name__ == "__main__":
    asyncio.run(main())
