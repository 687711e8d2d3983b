"""The bundled speech recognition: `python -m tests.benchmarks.bench_stt`.

Word errors on recorded and on synthetic speech, live and as whole buffers, beside the package's own segmentation; how
long after the end of speech the final text is there, by itself and when it is asked for with `flush`; the time that
reading takes by length; and what silence does at the end of what is read. `--speed` plays faster than life.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time

import numpy as np

from agent_runtime.media.frames import frame_from_array, to_array
from agent_runtime.media.resample import resample
from agent_runtime.media.wav import read_wav
from agent_runtime.providers.embedded.moonshine import Moonshine, clean
from agent_runtime.providers.embedded.stt import MoonshineSTT, find_speech
from agent_runtime.providers.embedded.tts import HibariTTS
from agent_runtime.providers.embedded.vad import SileroModel
from tests.support.speech import assets, transcribe, words

RATE = 16000
RECORDED = {
    "two_cities.wav": "it was the best of times it was the worst of times it was the age of wisdom it was the age of "
    "foolishness it was the epoch of belief it was the epoch of incredulity it was the season of light it was the "
    "season of darkness it was the spring of hope it was the winter of despair we had everything before us we had "
    "nothing before us we were all going direct to heaven we were all going direct the other way in short the period "
    "was so far like the present period that some of its noisiest authorities insisted on its being received for good "
    "or for evil in the superlative degree of comparison only",
    "beckett.wav": "ever tried ever failed no matter try again fail again fail better",
}
SPOKEN = [
    "What's the weather like in Paris today?",
    "I would like to book a table for four people on Friday evening.",
    "Can you tell me a joke about computers?",
    "Please turn off the lights in the living room.",
    "How long does it take to drive from London to Oxford?",
    "Set a timer for twenty minutes, and remind me to call my mother.",
    "No, that's not what I meant.",
    "Thank you very much, goodbye.",
]


def errors(said, heard):
    """The fewest words to insert, leave out or replace, and how many words were said."""
    a, b = words(said), words(heard)
    row = list(range(len(b) + 1))
    for i, word in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (word != other))
    return row[-1], len(a)


def rate(pairs):
    wrong, total = map(sum, zip(*(errors(*pair) for pair in pairs), strict=True))
    return f"{wrong}/{total} words wrong ({wrong / total:.1%})"


def recordings():
    for name, text in RECORDED.items():
        samples, sample_rate = read_wav(assets() / name)
        yield resample(samples[:, 0], sample_rate, RATE), text


async def spoken():
    async with HibariTTS() as tts:
        for text in SPOKEN:
            frame = await tts.synthesize(text).collect()
            yield resample(to_array(frame)[:, 0], 24000, RATE), text


async def live(stt, audio, speed, *, flush_after=None):
    """Play `audio` with a second of silence; gives the text and how late each final was, in seconds."""
    audio = np.concatenate((audio, np.zeros(RATE, np.int16)))
    loop = asyncio.get_running_loop()
    texts, late = [], []
    async with stt.stream() as stream:
        began = loop.time()

        async def play():
            for start in range(0, len(audio), 320):
                await asyncio.sleep(max(0.0, began + start / RATE / speed - loop.time()))
                stream.push_frame(frame_from_array(audio[start : start + 320], RATE))
                tracker = stream._segmenter.tracker
                if flush_after is not None and tracker.speaking and tracker.silent * 0.032 >= flush_after:
                    stream.flush()
            stream.end_input()

        playing = asyncio.create_task(play())
        async for event in stream:
            if event.type.value == "final_transcript":
                texts.append(event.alternatives[0].text)
                late.append(loop.time() - began - event.alternatives[0].end_time / speed)
        await playing
    return " ".join(texts), late


async def whole(stt, audio):
    return (await stt.recognize(frame_from_array(audio, RATE))).alternatives[0].text


def reading_time(model):
    audio, _ = next(recordings())
    for seconds in (1, 2, 3, 5, 8, 10, 15):
        took = []
        for _ in range(5):
            began = time.perf_counter()
            model.transcribe(audio[RATE : RATE + seconds * RATE])
            took.append(time.perf_counter() - began)
        print(f"reading {seconds} s: {min(took) * 1e3:.0f} ms")


def tails(model, silero):
    for tail in (0.0, 0.064, 0.128, 0.192, 0.32):
        pairs = []
        for audio, said in recordings():
            quiet = np.zeros(round(tail * RATE), np.int16)
            stretches = find_speech(silero, audio, RATE)
            texts = [clean(model.transcribe(np.concatenate((s.samples, quiet))), s.voiced) for s in stretches]
            pairs.append((said, " ".join(texts)))
        print(f"{tail * 1e3:.0f} ms of silence put after each stretch: {rate(pairs)}")


async def main(speed):
    async with MoonshineSTT() as stt:
        began = time.perf_counter()
        await stt.load()
        print(f"load: {time.perf_counter() - began:.2f} s")
        synthetic = [pair async for pair in spoken()]
        for name, material in (("recorded", list(recordings())), ("synthetic", synthetic)):
            print(f"{name}, whole buffers: {rate([(said, await whole(stt, audio)) for audio, said in material])}")
            played = [(said, *await live(stt, audio, speed)) for audio, said in material]
            print(f"{name}, live: {rate([(said, text) for said, text, _ in played])}")
            delays = [delay for *_, late in played for delay in late]
            print(f"  final after the end of speech: median {statistics.median(delays):.2f}, max {max(delays):.2f} s")
            own = rate([(said, transcribe(audio, RATE)) for audio, said in material])
            print(f"{name}, the package's own segmentation: {own}")
        late = [delay for audio, _ in synthetic for delay in (await live(stt, audio, speed, flush_after=0.2))[1]]
        print(f"asked for 0.2 s after the end of speech: median {statistics.median(late):.2f}, max {max(late):.2f} s")
    model, silero = Moonshine(), SileroModel()
    reading_time(model)
    tails(model, silero)
    model.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speed", type=float, default=1.0)
    asyncio.run(main(parser.parse_args().speed))
