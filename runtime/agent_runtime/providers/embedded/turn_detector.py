"""Whether the user is done, judged from the words: would a speaker stop here?

The language model that is loaded anyway is shown the dialogue and asked what comes next: the mark that ends a sentence,
or another word. On the held-out half of tests/support/turn_utterances.jsonl (our own lines, English, most as a speech
recogniser writes them) that alone ranks a complete before an incomplete utterance in 99 % of all pairs, simple cues
alone in 95 %, both together in 99.8 % (`python -m tests.benchmarks.bench_turn_detector`).
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from agent_runtime.providers.embedded.completions import shared_model
from agent_runtime.providers.embedded.llama import find_weights
from agent_runtime.providers.embedded.llm_prompt import clean

if TYPE_CHECKING:
    from agent_runtime.llm import ChatContext

THRESHOLD = 0.35
"""Below it the user most likely goes on. Chosen on the tuning half: 1 in 20 complete utterances is below it."""

_ENDS = re.compile(r"\s*([.?!\n]|,?\")")
_TRAILING = re.compile(
    r"\b(a|an|the|my|your|his|her|our|their|some|any|this|to|of|in|on|at|for|from|with|by|near|around|about|and|or|but"
    r"|so|because|if|when|that|which|who|than|as|like|i|we|he|she|they|you|is|are|was|were|am|do|does|did|can|could"
    r"|would|will|'s|very|really|maybe|except|not|let's say|also)$"
)
_FILLER = re.compile(r"(^|\s)(u+m+|u+h+|er+|h+m+|mm+|well|let me (think|see)|you know|basically|so)$")
_LOG_ODDS = {"model": 1.71, "trailing word": -1.34, "filler": -1.74, "bias": 4.26}
"""Fitted by logistic regression on the tuning half: `python -m tests.benchmarks.bench_turn_detector --fit`."""
_ANYONE = "How can I help you?"
_CONTEXT_CHARACTERS = 80
"""How much of what the assistant said last is shown: a question is enough, and each token costs 3 ms."""
_ALTERNATIVES = 300
"""Most probable next tokens that are looked at; the rest has a few percent together, spread over everything."""


class TextTurnDetector:
    """A text turn detector for English by the embedded language model.

    A prediction takes about 30 ms. It computes on a slot of its own, beside an answer that is being generated.
    """

    def __init__(self, *, model: Path | str | None = None, threshold: float = THRESHOLD) -> None:
        """Name the weights, without loading them: those of `SmolLM`, which are shared.

        Raises:
            MissingDependencyError: a package isn't installed.
        """
        self._llama = shared_model(find_weights() if model is None else Path(model))
        self._threshold = threshold

    @property
    def model(self) -> str:
        """The file's name without its ending."""
        return self._llama.path.stem

    @property
    def provider(self) -> str:
        """Always `embedded`."""
        return "embedded"

    async def load(self, on_progress: Callable[[float], None] | None = None) -> None:
        """Have the weights in memory. A prediction made before waits for it."""
        await self._llama.load(on_progress)

    async def unlikely_threshold(self, language: str | None) -> float | None:
        """Below this probability the user is taken to go on; None for a language other than English."""
        return self._threshold if await self.supports_language(language) else None

    async def supports_language(self, language: str | None) -> bool:
        """Whether it is English; a language that isn't known is taken for it."""
        return language is None or re.match(r"en\b|english\b", language.lower().replace("_", "-")) is not None

    async def prime(self, chat_ctx: ChatContext) -> None:
        """Read what the assistant said last: a prediction then has only the user's words to read."""
        asked, _ = last_exchange(chat_ctx)
        body = {"prompt": _opening(asked), "max_tokens": 1, "temperature": 0}
        async with aclosing(self._llama.complete(body, "turn")) as parts:
            async for _ in parts:
                pass

    async def predict_end_of_turn(self, chat_ctx: ChatContext, *, timeout: float | None = None) -> float:
        """Probability, 0 to 1, that the last user message is complete.

        Raises:
            TimeoutError: it took more than `timeout` seconds.
            APIError: the model failed.
        """
        asked, said = last_exchange(chat_ctx)
        if not said:
            return 1.0
        async with asyncio.timeout(timeout):
            return probability(await self.end_log_probability(asked, said), said)

    async def end_log_probability(self, asked: str, said: str) -> float:
        """What the model alone thinks: the logarithm of the probability that a sentence ends after `said`."""
        body = {
            "prompt": f"{_opening(asked)} {said[0].upper()}{said[1:]}",
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": _ALTERNATIVES,
        }
        mass = 0.0
        async with aclosing(self._llama.complete(body, "turn")) as parts:
            async for part in parts:
                for token in part["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
                    if _ENDS.match(token["token"]):
                        mass += math.exp(token["logprob"])
        return math.log(mass + 1e-9)


def _opening(asked: str) -> str:
    return f"A: {asked}\nB:"


def last_exchange(chat_ctx: ChatContext) -> tuple[str, str]:
    """What the assistant said last, its end, and what the user said to it: without the mark at its end.

    That mark is a recogniser's guess, made of the words that are judged here anyway.
    """
    said: list[str] = []
    for message in reversed(chat_ctx.messages()):
        text = " ".join(clean(message.text_content or "").split())
        if message.role == "assistant" and text:
            asked = re.split(r"(?<=[.?!]) ", text)[-1][-_CONTEXT_CHARACTERS:]
            break
        if message.role == "user":
            said.insert(0, text)
    else:
        asked = _ANYONE
    return asked, " ".join(said).strip().rstrip(".?!,… ")


def cues(said: str) -> tuple[bool, bool]:
    """Whether it ends with a word that another must follow, and whether with a filler."""
    said = said.lower()
    return _TRAILING.search(said) is not None, _FILLER.search(said) is not None


def probability(end_log_probability: float, said: str) -> float:
    """The model's judgement and the cues, together."""
    trailing, filler = cues(said)
    odds = (
        _LOG_ODDS["bias"]
        + _LOG_ODDS["model"] * end_log_probability
        + _LOG_ODDS["trailing word"] * trailing
        + _LOG_ODDS["filler"] * filler
    )
    return 1 / (1 + math.exp(-odds))
