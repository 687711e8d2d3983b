"""A tool's arguments, taken from what the user said.

Every value is the user's own words, or a number, a choice or a yes or no that they said: nothing is made up. What isn't
said is left out; what is left out but needed is for the assistant to ask.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent_runtime.providers.embedded.llm_phrases import DAYS, TIMES, Number, numbers_in
from agent_runtime.providers.embedded.llm_tools import Kind, ToolSpec
from agent_runtime.providers.embedded.llm_words import FUNCTION_WORD, WordVectors, stem, words_of

_SPLITTERS = frozenset(words_of("in at for on to from over about into inside called named labelled"))
"""Words between what goes to one parameter and what goes to the next. "with", "of" and "by" stay inside of titles."""
_EDGE = frozenset(
    words_of(
        "a an the some any with my me our your this that these those please now today right here there is it are "
        "was i we you he she want need would like to could can will have get give let lets and or of if be do "
        "does did not just so then also too up off out us thanks thank hello hi hey okay ok yes no what how where "
        "when who which why whats hows its im id ill tell show looking look next anymore more again much many "
        "something anything one"
    )
)
_ARTICLES = frozenset(words_of("a an the some any my me us"))
_REACHED = re.compile(
    r"\b(city|town|country|place|location|destination|address|room|to|from|who|whom|person|contact)\b"
)
"""What a parameter is called that a preposition leads to ("in Paris", "to Anna"); others are a verb's own object."""
_INSIDE = frozenset(words_of("by of with and"))
_PUNCTUATION = ',.!?;"()'
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_NO = frozenset(words_of("off no not never disable stop without false close closed deactivate"))
_ALIKE = 0.35
"""Similarity at which a word stands for one of a parameter's choices."""


@dataclass
class Arguments:
    """What was found, and the required parameters for which nothing was."""

    values: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


class ArgumentFinder:
    """Finds a tool's arguments in an utterance."""

    def __init__(self, vectors: WordVectors) -> None:
        self._vectors = vectors

    def find(self, tool: ToolSpec, utterance: str) -> Arguments:
        """The arguments of `tool` that `utterance` tells."""
        return _Search(tool, utterance, self._vectors).run()


class _Search:
    """One look through an utterance: what a value was found in is taken, and out of the question for the next."""

    def __init__(self, tool: ToolSpec, utterance: str, vectors: WordVectors) -> None:
        self._tool = tool
        self._vectors = vectors
        self._tokens = [token for token in utterance.split() if token.strip(_PUNCTUATION)]
        self._said = [token.strip(_PUNCTUATION) for token in self._tokens]
        self._heard = [word.lower().replace("\u2019", "'") for word in self._said]
        self._taken: set[int] = set()
        self._values: dict[str, Any] = {}

    def run(self) -> Arguments:
        schemas = self._tool.properties
        for name in self._of("time"):
            self._find_phrase(name, TIMES)
        for name in self._of("day"):
            self._find_phrase(name, DAYS)
        for name in self._of("choice"):
            self._find_choice(name, schemas[name]["enum"])
        for name in self._of("object"):
            self._find_object(name, schemas[name])
        self._find_numbers()
        for name in self._of("flag"):
            if name in self._tool.required:
                self._values[name] = not _NO.intersection(words_of(" ".join(self._heard)))
        self._find_texts()
        values = {name: self._values[name] for name in schemas if name in self._values}
        return Arguments(values, [name for name in self._tool.required if name not in values])

    def _of(self, *kinds: Kind) -> list[str]:
        """The parameters of some kinds, those first that can't be left out."""
        names = [name for name, kind in self._tool.kinds.items() if kind in kinds]
        return sorted(names, key=lambda name: name not in self._tool.required)

    def _find_phrase(self, name: str, patterns: tuple[str, ...]) -> None:
        for pattern in patterns:
            span = self._match(pattern)
            if span is not None:
                self._take(name, " ".join(self._said[span[0] : span[1]]), range(*span))
                return

    def _match(self, pattern: str) -> tuple[int, int] | None:
        text = " ".join(self._heard)
        for match in re.finditer(pattern, text):
            start = text[: match.start()].count(" ")
            span = start, start + match.group().count(" ") + 1
            if not self._taken.intersection(range(*span)):
                return span
        return None

    def _find_choice(self, name: str, choices: list[Any]) -> None:
        best, score, where = None, _ALIKE, range(0)
        for choice in choices:
            parts = words_of(str(choice).replace("_", " "))
            for start in range(len(self._heard) - len(parts) + 1):
                span = range(start, start + len(parts))
                if not parts or self._taken.intersection(span):
                    continue
                likeness = sum(self._alike(self._heard[i], p) for i, p in zip(span, parts, strict=True)) / len(parts)
                if likeness > score:
                    best, score, where = choice, likeness, span
        if best is not None:
            self._take(name, best, where)

    def _find_numbers(self) -> None:
        names = self._of("number")
        for number in numbers_in(self._heard):
            if not names or self._taken.intersection(range(number.start, number.end)):
                continue
            name = names.pop(0)
            value, end = self._in_unit(name, number)
            if self._tool.properties[name]["type"] == "integer":
                value = round(value)
            self._take(name, value, range(number.start, end))

    def _in_unit(self, name: str, number: Number) -> tuple[float, int]:
        """The number in the unit that the parameter is named after, if another was said; and where its words end."""
        said = stem(self._heard[number.end]) if number.end < len(self._heard) else ""
        said_seconds = {stem(unit): seconds for unit, seconds in _SECONDS.items()}.get(said)
        wanted = next((seconds for unit, seconds in _SECONDS.items() if unit in name.lower()), None)
        value = number.value
        if said_seconds and wanted:
            value = value * said_seconds / wanted
        return (value if value % 1 else int(value)), number.end + bool(said_seconds)

    def _find_texts(self) -> None:
        open_names = [name for name in self._of("text", "list") if name not in self._values]
        chunks = self._chunks()
        pairs = [(self._suits(name, chunk), name, chunk) for name in open_names for chunk in chunks]
        pairs.sort(key=lambda pair: pair[0], reverse=True)
        used: set[range] = set()
        for _, name, chunk in pairs:
            if (
                name in self._values
                or chunk in used
                or (name not in self._tool.required and not self._introduced(chunk))
            ):
                continue
            used.add(chunk)
            if self._tool.kinds[name] == "list":
                self._values[name] = self._items(chunk)
            else:
                self._values[name] = " ".join(self._said[chunk.start : chunk.stop])

    def _items(self, chunk: range) -> list[str]:
        text = " ".join(token for token in self._tokens[chunk.start : chunk.stop])
        return [
            item.strip(_PUNCTUATION)
            for item in re.split(r",\s*(?:and\s+)?|\s+and\s+", text)
            if item.strip(_PUNCTUATION)
        ]

    def _find_object(self, name: str, schema: Mapping[str, Any]) -> None:
        """Parameters of a parameter: found as those of a tool of its own, or not at all."""
        parameters = {**schema, "$defs": self._tool.parameters.get("$defs", {})}
        inner = ToolSpec(f"{self._tool.name} {name}", self._tool.description, parameters)
        found = _Search(inner, " ".join(self._tokens), self._vectors).run()
        if found.values and not found.missing:
            self._values[name] = found.values

    def _chunks(self) -> list[range]:
        """Runs of words that nothing has taken, without the words around them that only ask."""
        days = self._days()
        bounds = [i for i, word in enumerate(self._heard) if i in self._taken or i in days or word in _SPLITTERS]
        chunks = []
        for start, stop in zip([-1, *bounds], [*bounds, len(self._heard)], strict=True):
            left, right = start + 1, stop
            while left < right and self._only_asks(self._heard[left]):
                left += 1
            while right > left and self._only_asks(self._heard[right - 1]):
                right -= 1
            left = self._after_verb(left, right)
            if left < right:
                chunks.append(range(left, right))
        return chunks

    def _days(self) -> set[int]:
        """The words that tell when, if every text that is looked for is a place or a person: it is no part of those."""
        if not all(self._is_reached(name) for name in self._of("text", "list")):
            return set()
        text = " ".join(self._heard)
        spans = [match.span() for pattern in DAYS for match in re.finditer(pattern, text)]
        return {i for start, end in spans for i in range(text[:start].count(" "), text[:end].count(" ") + 1)}

    def _is_reached(self, name: str) -> bool:
        return _REACHED.search(self._about(name)) is not None

    def _about(self, name: str) -> str:
        return f"{name.replace('_', ' ')} {self._tool.properties[name].get('description', '')}".lower()

    def _after_verb(self, left: int, right: int) -> int:
        """Where the thing begins, if its article tells: in "send a toothbrush" the verb is not part of it."""
        for i in range(right - 1, left, -1):
            if self._heard[i] in _ARTICLES and self._heard[i - 1] not in _INSIDE:
                return i + 1
        return left

    def _only_asks(self, word: str) -> bool:
        plain = (words_of(word) or [""])[0]
        if plain in self._tool.properties:
            return False
        asking = {stem(w) for w in words_of(f"{self._tool.name.replace('_', ' ')} {self._tool.description}")}
        return plain in _EDGE or word in _EDGE or stem(plain) in asking

    def _suits(self, name: str, chunk: range) -> float:
        """How well some words go to a parameter: by what they mean, how much they tell, and the word before them."""
        about = words_of(self._about(name))
        words = [w for i in chunk for w in words_of(self._heard[i])]
        about = [word for word in about if self._vectors.weight(word) > FUNCTION_WORD]
        alike = max((self._vectors.similarity(a, w) for a in about for w in words), default=0.0)
        telling = max((self._vectors.weight(w) for w in words), default=0.0)
        before = self._heard[chunk.start - 1] if chunk.start else ""
        told_apart = (before in _SPLITTERS) == self._is_reached(name)
        return alike + 0.5 * telling + 0.3 * told_apart + (before == name)

    def _introduced(self, chunk: range) -> bool:
        return chunk.start > 0 and self._heard[chunk.start - 1] in ("called", "named", "labelled", "for", "about")

    def _take(self, name: str, value: Any, where: range) -> None:
        self._values[name] = value
        self._taken.update(where)

    def _alike(self, word: str, other: str) -> float:
        return max((self._vectors.similarity(part, other) for part in words_of(word)), default=0.0)
