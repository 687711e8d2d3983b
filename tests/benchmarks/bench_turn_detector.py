"""How well a turn detector tells done from not done.

    python -m tests.benchmarks.bench_turn_detector [--fit | --audio]

The utterances are in tests/support/turn_utterances.jsonl: half (`dev`) for tuning, half (`held`) for telling. They are
our own, and each is clearly one or the other; real speech has more in between. For `--audio` the embedded voice speaks
them, trailing off where the line does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent_runtime.llm import ChatContext
from agent_runtime.media.frames import to_array
from agent_runtime.media.resample import resample
from agent_runtime.providers.embedded.llm import SmolLM
from agent_runtime.providers.embedded.tts import HibariTTS
from agent_runtime.providers.embedded.turn_audio import THRESHOLD as AUDIO_THRESHOLD
from agent_runtime.providers.embedded.turn_audio import SmartTurn, find_weights
from agent_runtime.providers.embedded.turn_detector import THRESHOLD, TextTurnDetector, cues, last_exchange, probability

UTTERANCES = Path(__file__).parents[1] / "support" / "turn_utterances.jsonl"


@dataclass
class Judged:
    """An utterance, what the model makes of it and the cues in it."""

    complete: bool
    held: bool
    model: float
    trailing: bool
    filler: bool
    both: float


def utterances() -> list[dict[str, Any]]:
    """The lines of the file."""
    return [json.loads(line) for line in UTTERANCES.read_text(encoding="utf-8").splitlines()]


def conversation(line: dict[str, Any]) -> ChatContext:
    """The utterance and, where it answers something, what was asked."""
    chat_ctx = ChatContext.empty()
    if "before" in line:
        chat_ctx.add_message(role="assistant", content=line["before"])
    chat_ctx.add_message(role="user", content=line["text"])
    return chat_ctx


async def judge(detector: TextTurnDetector) -> list[Judged]:
    """Every line, judged."""
    judged = []
    for line in utterances():
        asked, said = last_exchange(conversation(line))
        model = await detector.end_log_probability(asked, said)
        trailing, filler = cues(said)
        judged.append(
            Judged(line["complete"], line["split"] == "held", model, trailing, filler, probability(model, said))
        )
    return judged


def auc(pairs: list[tuple[bool, float]]) -> float:
    """The share of pairs of a complete and an incomplete utterance that a score ranks right; ties count half."""
    done = np.array([score for complete, score in pairs if complete])
    going_on = np.array([score for complete, score in pairs if not complete])
    return float(np.mean((done[:, None] > going_on) + 0.5 * (done[:, None] == going_on)))


def fit(judged: list[Judged], *, decay: float = 0.01, steps: int = 20_000, rate: float = 0.3) -> list[float]:
    """Weights of model, trailing word, filler and bias, by logistic regression on the half for tuning."""
    tuned = [one for one in judged if not one.held]
    rows = np.array([[one.model, one.trailing, one.filler, 1.0] for one in tuned])
    right = np.array([float(one.complete) for one in tuned])
    weights = np.zeros(4)
    for _ in range(steps):
        error = 1 / (1 + np.exp(-rows @ weights)) - right
        weights -= rate * (rows.T @ error / len(rows) + decay * weights * (1, 1, 1, 0))
    return [round(float(weight), 2) for weight in weights]


async def latency(detector: TextTurnDetector) -> list[float]:
    """Milliseconds of each prediction."""
    took = []
    for line in utterances():
        chat_ctx = conversation(line)
        began = time.perf_counter()
        await detector.predict_end_of_turn(chat_ctx)
        took.append((time.perf_counter() - began) * 1000)
    return took


async def latency_of_answers(llm: SmolLM, detector: TextTurnDetector | None, count: int = 8) -> list[float]:
    """Milliseconds to an answer's first token, with a prediction at the same time or without."""
    took = []
    for number in range(count):
        chat_ctx = ChatContext.empty()
        chat_ctx.add_message(role="user", content=f"Tell me something about the number {number}{number}.")
        began = time.perf_counter()
        prediction = asyncio.create_task(detector.predict_end_of_turn(chat_ctx)) if detector else None
        async with llm.chat(chat_ctx=chat_ctx) as stream:
            await anext(stream)
            took.append((time.perf_counter() - began) * 1000)
        if prediction is not None:
            await prediction
    return took


async def spoken(voice: HibariTTS, line: dict[str, Any]) -> NDArray[np.int16]:
    """The line as `int16[samples]` at 16 kHz, and the 0.2 s of silence after which a detector is asked."""
    text = line["text"] if line["complete"] else line["text"].rstrip(".?! ") + " "
    frames = [audio.frame async for audio in voice.synthesize(text)]
    samples = np.concatenate([to_array(frame)[:, 0] for frame in frames])
    return np.concatenate((resample(samples, frames[0].sample_rate, 16000), np.zeros(3200, np.int16)))


async def by_ear() -> None:
    """Print how the audio turn detector does."""
    voice, model = HibariTTS(), SmartTurn(find_weights())
    await voice.load()
    scores, took = [], []
    for line in utterances():
        samples = await spoken(voice, line)
        began = time.perf_counter()
        scores.append((bool(line["complete"]), model.probability(samples)))
        took.append((time.perf_counter() - began) * 1000)
    below = [[score < AUDIO_THRESHOLD for complete, score in scores if complete is kind] for kind in (True, False)]
    print(f"by ear, AUC: {auc(scores):.3f}; below the threshold of {AUDIO_THRESHOLD}: ", end="")
    print(f"{np.mean(below[0]):.1%} of the complete, {np.mean(below[1]):.1%} of the incomplete")
    print(told("prediction", took))


def told(name: str, took: list[float]) -> str:
    """A line on times."""
    return f"{name}: median {np.median(took):.0f} ms, p95 {np.percentile(took, 95):.0f} ms"


async def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fit", action="store_true", help="fit the weights and print them")
    parser.add_argument("--audio", action="store_true", help="judge the audio turn detector instead")
    options = parser.parse_args()
    if options.audio:
        await by_ear()
        return
    detector, llm = TextTurnDetector(), SmolLM()
    await llm.load()
    judged = await judge(detector)
    if options.fit:
        print("model, trailing word, filler, bias:", fit(judged))
    for half in (False, True):
        lines = [one for one in judged if one.held == half]
        scores = {
            "model": [(one.complete, one.model) for one in lines],
            "cues": [(one.complete, -float(one.trailing or one.filler)) for one in lines],
            "both": [(one.complete, one.both) for one in lines],
        }
        figures = ", ".join(f"{name} {auc(pairs):.3f}" for name, pairs in scores.items())
        below = [[one.both < THRESHOLD for one in lines if one.complete is kind] for kind in (True, False)]
        print(f"{'held' if half else 'dev':5} AUC: {figures}; below the threshold of {THRESHOLD}: ", end="")
        print(f"{np.mean(below[0]):.1%} of the complete, {np.mean(below[1]):.1%} of the incomplete")
    print(told("prediction", await latency(detector)))
    print(told("first token", await latency_of_answers(llm, None)))
    print(told("first token beside a prediction", await latency_of_answers(llm, detector)))
    llm.llama.close()


if __name__ == "__main__":
    asyncio.run(main())
