"""Numbers, times of day and days as people say them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent_runtime.records import record

TIME_NAME = re.compile(r"\b(time|when|hour|clock)\b")
DAY_NAME = re.compile(r"\b(day|date)\b")
"""What tells that a parameter is a time of day, or a day, in its name or description."""

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_SMALL = {word: value for value, word in enumerate(_UNITS.split())} | {"a": 1, "an": 1, "couple": 2, "dozen": 12}
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_LARGE = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_ARTICLES = frozenset(("a", "an"))
_DIGITS = re.compile(r"\d+(?:[.,]\d+)?")

_NUMBER = r"(?:\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_MINUTES = r"(?:oh )?(?:\d{2}|five|ten|fifteen|twenty|thirty|forty|fifty)(?: five)?"
_MARK = r"(?: ?(?:a\.?m\.?|p\.?m\.?)(?!\w)| o'?clock| in the (?:morning|afternoon|evening)| at night)"
TIMES = (
    rf"(?:half past|(?:a )?quarter (?:to|past)) {_NUMBER}\b",
    rf"\b(?:{_NUMBER}:\d\d{_MARK}?|{_NUMBER}(?: {_MINUTES})?{_MARK}|noon|midnight)",
    rf"(?<=\bat )(?:{_NUMBER}(?: {_MINUTES})?)\b",
    rf"(?<=\bfor )(?:{_NUMBER}(?: {_MINUTES})?)\b",
    rf"(?<=\bby )(?:{_NUMBER}(?: {_MINUTES})?)\b",
)
WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_MONTH = r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
DAYS = (
    rf"\b(?:the day after tomorrow|(?:(?:next|this) )?(?:{WEEKDAY}|weekend|week)|today|tomorrow|tonight|yesterday)\b",
    rf"\b(?:{_MONTH} \d{{1,2}}|(?:the )?\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH}|\d{{4}}-\d\d-\d\d)\b",
)
"""Patterns of a time of day and of a day, in lower case; the surest first."""


@record(frozen=True, slots=True)
class Number:
    """A number and the words that it was said in: `words[start:end]`."""

    value: float
    start: int
    end: int


def numbers_in(words: Sequence[str]) -> list[Number]:
    """The numbers in some words (lower case), in order: "forty five", "a hundred and twenty", "12.5", "half an"."""
    found: list[Number] = []
    at = 0
    while at < len(words):
        number = _number_at(words, at)
        if number is None:
            at += 1
        else:
            found.append(number)
            at = number.end
    return found


def _number_at(words: Sequence[str], start: int) -> Number | None:
    if _DIGITS.fullmatch(words[start]):
        return Number(float(words[start].replace(",", ".")), start, start + 1)
    if words[start] == "half":
        return Number(0.5, start, start + (2 if words[start + 1 : start + 2] == ["an"] else 1))
    if words[start] in _ARTICLES and not (start + 1 < len(words) and words[start + 1] in _LARGE):
        return None
    total, current, at, last_tens = 0.0, 0.0, start, False
    while at < len(words):
        word = words[at]
        if word in _TENS and current % 100 == 0:
            current, last_tens = current + _TENS[word], True
        elif word in _SMALL and (current == 0 or (last_tens and 0 < _SMALL[word] < 10) or current % 100 == 0):
            current, last_tens = current + _SMALL[word], False
        elif word == "hundred" and 0 < current < 100:
            current, last_tens = current * 100, False
        elif word in ("thousand", "million") and current:
            total, current, last_tens = total + current * _LARGE[word], 0.0, False
        elif not (word == "and" and at > start and (current >= 100 or total) and _continues(words, at + 1)):
            break
        at += 1
    return Number(total + current, start, at) if at > start else None


def _continues(words: Sequence[str], at: int) -> bool:
    return at < len(words) and (words[at] in _SMALL or words[at] in _TENS) and words[at] not in _ARTICLES
