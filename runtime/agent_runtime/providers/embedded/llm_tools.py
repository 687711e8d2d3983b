"""Which tool an utterance asks for, if any.

A model of this size can't tell: shown the tools' descriptions it was right in a third of the cases, as good as chance,
whatever the prompt, and its own guess of "request or chat" added nothing to the words themselves
(`python -m tests.benchmarks.bench_tool_calls`). So the words decide: how alike the utterance's are to the tool's name,
description and parameters, by the model's word vectors. That takes a millisecond or two, and no model waits for it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from agent_runtime.providers.embedded.llm_phrases import DAY_NAME, DAYS, TIME_NAME, TIMES, WEEKDAY, numbers_in
from agent_runtime.providers.embedded.llm_words import FUNCTION_WORD, WordVectors, words_of

FEATURES = (
    "all words",
    "best word",
    "second word",
    "name",
    "numbers",
    "direction",
    "when",
    "chat",
    "chat words",
    "chat phrase",
)
WEIGHTS = (0.86, 4.13, 9.91, 2.78, 1.27, 1.53, 2.99, -0.08, 5.17, 2.86)
"""Fitted by multinomial logistic regression on the part of tests/support/tool_utterances.jsonl that is for tuning:
`python -m tests.benchmarks.bench_tool_calls --fit`."""

_NAME, _DESCRIPTION, _PARAMETER = 1.0, 0.9, 0.6
_SHARED = 0.5
"""A word that all tools have in common counts half: it doesn't tell them apart."""

_CHAT_WORDS = words_of(
    "hello hi hey thanks thank bye goodbye good morning evening night nice great okay sorry fine bored tired joke "
    "story name favorite meaning life think like love feel you your who real person help interesting never mind"
)
_CHAT_PHRASE = re.compile(
    r"\b(your|are you|you are|you have been|do you (like|think|feel|know|enjoy)|you (very|so|too)|thanks?|hello|hi|hey"
    r"|bye|goodbye|good (morning|afternoon|evening|night)|sorry|never mind|that was|nice to meet|tell me (a|something)"
    r"|(i am|i'm) (so |very |really )?(tired|bored|sad|happy|fine|good|hungry)|meaning of|hear me|what can you|great)\b"
)
_TO_COME = re.compile(rf"\b(?:tomorrow|(?:next|this) (?:week|month)|(?:next |this )?weekend|{WEEKDAY})\b")
_AHEAD = re.compile(r"\b(?:forecast|next|future|coming|upcoming|ahead|plan)\b")
_NOW = re.compile(r"\b(?:now|current|currently|present)\b")
_POLITE = re.compile(r"\b(can|could|would|will) you\b")


Kind = Literal["number", "time", "day", "choice", "flag", "text", "list", "object", "other"]


@dataclass(frozen=True)
class ToolSpec:
    """What is known of a tool: its name, description and the JSON schema of its parameters."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    properties: Mapping[str, Mapping[str, Any]] = field(init=False)
    kinds: Mapping[str, Kind] = field(init=False)
    required: Sequence[str] = field(init=False)

    def __post_init__(self) -> None:
        definitions = self.parameters.get("$defs", {})
        properties = {k: _resolve(v, definitions) for k, v in self.parameters.get("properties", {}).items()}
        object.__setattr__(self, "properties", properties)
        object.__setattr__(self, "kinds", {name: kind_of(name, schema) for name, schema in properties.items()})
        object.__setattr__(self, "required", tuple(self.parameters.get("required", ())))

    def words(self) -> dict[str, float]:
        """The words that tell what it is for, and how much each counts."""
        words: dict[str, float] = {}

        def add(text: str, weight: float) -> None:
            for word in words_of(text.replace("_", " ")):
                words[word] = max(weight, words.get(word, 0.0))

        add(self.name, _NAME)
        add(self.description, _DESCRIPTION)
        for name, schema in self.properties.items():
            add(f"{name} {schema.get('description', '')}", _PARAMETER)
            add(" ".join(str(value) for value in schema.get("enum", ())), _PARAMETER)
        return words


def kind_of(name: str, schema: Mapping[str, Any]) -> Kind:
    """What is looked for to fill in a parameter: text is a time or a day if its name or description says so."""
    about = f"{name.replace('_', ' ')} {schema.get('description', '')}".lower()
    if schema.get("enum"):
        return "choice"
    if schema.get("type") == "string":
        return "time" if TIME_NAME.search(about) else "day" if DAY_NAME.search(about) else "text"
    if schema.get("type") == "array":
        return "list" if schema.get("items", {}).get("type") == "string" else "other"
    kinds: dict[str, Kind] = {"integer": "number", "number": "number", "boolean": "flag", "object": "object"}
    return kinds.get(str(schema.get("type")), "other")


def _resolve(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """A property's schema without references and without the `null` of an optional one."""
    if "$ref" in schema:
        schema = {**definitions.get(schema["$ref"].rsplit("/", 1)[-1], {}), **schema}
    for variant in schema.get("anyOf", ()):
        if variant.get("type") != "null":
            return {**schema, **_resolve(variant, definitions)}
    return schema


class ToolChooser:
    """Chooses by the words."""

    def __init__(self, vectors: WordVectors, weights: Sequence[float] = WEIGHTS) -> None:
        self.vectors = vectors
        self.weights = np.array(weights)
        self._similarity = lru_cache(maxsize=50_000)(vectors.similarity)

    def choose(self, tools: Sequence[ToolSpec], utterance: str, *, required: bool = False) -> ToolSpec | None:
        """The tool that is asked for, None for none. With `required` it is always one."""
        if not tools or not words_of(utterance):
            return tools[0] if required and tools else None
        scores = self.features(tools, utterance) @ self.weights
        best = int(np.argmax(scores[:-1] if required else scores))
        return tools[best] if best < len(tools) else None

    def features(self, tools: Sequence[ToolSpec], utterance: str) -> npt.NDArray[np.float64]:
        """`float64[tools + 1, FEATURES]`: a row for each tool and, last, one for no tool."""
        heard = words_of(utterance)
        weights = np.array([self.vectors.weight(word) for word in heard])
        vocabularies = [self._vocabulary(tool) for tool in tools]
        common = Counter(word for vocabulary in vocabularies for word in vocabulary)
        shared = {word: 1 - _SHARED * (n - 1) / max(1, len(tools) - 1) for word, n in common.items()}
        direction = self.vectors.mean(heard)
        told = _told_kinds(utterance)
        rows = []
        for tool, vocabulary in zip(tools, vocabularies, strict=True):
            matches = weights * [self._match(word, vocabulary, shared) for word in heard]
            ranked = [*sorted(matches, reverse=True), 0.0]
            rows.append(
                [
                    matches.sum() / weights.sum(),
                    ranked[0],
                    ranked[1],
                    self._named(tool, heard),
                    _fit(tool, told),
                    float(direction @ self.vectors.mean(list(vocabulary))),
                    _when(tool, utterance),
                    0.0,
                    0.0,
                    0.0,
                ]
            )
        chat = np.array([max(self._similarity(word, known) for known in _CHAT_WORDS) for word in heard])
        rows.append([0.0] * 7 + [1.0, (weights * chat).sum() / weights.sum(), float(is_chat(utterance))])
        return np.array(rows)

    def _vocabulary(self, tool: ToolSpec) -> dict[str, float]:
        return {word: weight for word, weight in tool.words().items() if self.vectors.weight(word) > FUNCTION_WORD}

    def _match(self, word: str, vocabulary: Mapping[str, float], shared: Mapping[str, float]) -> float:
        return max((self._similarity(word, w) * k * shared[w] for w, k in vocabulary.items()), default=0.0)

    def _named(self, tool: ToolSpec, heard: Sequence[str]) -> float:
        """How much of the tool's own name was said."""
        parts = [(self.vectors.weight(part), part) for part in words_of(tool.name.replace("_", " "))]
        said = sum(weight * max(self._similarity(part, word) for word in heard) for weight, part in parts)
        return said / (sum(weight for weight, _ in parts) or 1.0)


def is_chat(utterance: str) -> bool:
    """Whether it has a phrase that is said to a person, not to a tool."""
    return _CHAT_PHRASE.search(_POLITE.sub("please", utterance.lower())) is not None


def _when(tool: ToolSpec, utterance: str) -> float:
    """How a tool that is for now, or for what is to come, agrees with an utterance about a day to come."""
    if _TO_COME.search(utterance.lower()) is None:
        return 0.0
    about = f"{tool.name.replace('_', ' ')} {tool.description}".lower()
    return float(_AHEAD.search(about) is not None) - float(_NOW.search(about) is not None)


def _told_kinds(utterance: str) -> set[Kind]:
    text = " ".join(token.strip(",.!?") for token in utterance.lower().split())
    told: set[Kind] = {"number"} if numbers_in(text.split()) else set()
    told |= {"time"} if any(re.search(pattern, text) for pattern in TIMES) else set()
    return told | ({"day"} if any(re.search(pattern, text) for pattern in DAYS) else set())


def _fit(tool: ToolSpec, told: set[Kind]) -> float:
    """How the numbers, times and days that were told agree with those that the tool can be told."""
    needed = {tool.kinds[name] for name in tool.required if name in tool.kinds}
    taken = set(tool.kinds.values())
    if "time" in taken or "day" in taken:
        taken.add("number")  # "at seven"
    fit = 0.0
    for kind in ("number", "time", "day"):
        if kind in needed:
            fit += 1.0 if kind in told else -1.0
        elif kind in told and kind not in taken:
            fit -= 0.5 if kind != "time" else 0.0
    return fit
