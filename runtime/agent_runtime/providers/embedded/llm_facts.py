"""A tool's result in spoken words, with every fact of it.

The model isn't asked to: of eight results that it was to put in a sentence it changed or lost facts in six, and a wrong
number that sounds right is worse than a plain sentence.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

MOST_ITEMS = 5
"""Items of a list that are spoken; the rest is counted."""

_UNITS = {
    "c": "degrees", "celsius": "degrees Celsius", "f": "degrees Fahrenheit", "fahrenheit": "degrees Fahrenheit",
    "kmh": "kilometers an hour", "kph": "kilometers an hour", "mph": "miles an hour", "km": "kilometers",
    "m": "meters", "mm": "millimeters", "kg": "kilograms", "percent": "percent", "pct": "percent",
    "s": "seconds", "seconds": "seconds", "min": "minutes", "minutes": "minutes", "hours": "hours", "days": "days",
    "eur": "euros", "usd": "dollars", "gbp": "pounds",
}  # fmt: skip


_REFUSAL: Final = re.compile(r"^Invalid arguments for \w+: ")
"""What is told to a model that calls a tool wrongly; a caller needs only what is wrong."""


def spoken(output: str, *, is_error: bool = False) -> str:
    """One or a few sentences that say what a tool gave back.

    Text is said as it is; JSON (or what `str()` makes of Python values) is read out, names and values.
    """
    value = _parsed(_REFUSAL.sub("", output) if is_error else output)
    text = _sentence(_said(value) if not isinstance(value, str) else value)
    if is_error:
        return f"Sorry. {text}" if text else "Sorry, that didn't work."
    return text or "Done."


def _parsed(output: str) -> Any:
    output = output.strip()
    if not output.startswith(("{", "[", "(")) and output not in ("None", "null", "True", "False", "true", "false"):
        return output
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(output)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return output


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return _listed([_named(str(name), item) for name, item in value.items() if item not in (None, "", [], {})])
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = [_said(item) for item in value[:MOST_ITEMS]]
        if len(value) > MOST_ITEMS:
            items.append(f"{len(value) - MOST_ITEMS} more")
        if any(isinstance(item, Mapping) for item in value):
            return ". ".join(item[:1].upper() + item[1:] for item in items)
        return _listed(items) or "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    return str(value)


def _named(name: str, value: Any) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").replace("-", " ").lower().split()
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    unit = _UNITS.get(words[-1]) if is_number and len(words) > 1 else None
    label = " ".join(words[:-1] if unit else words)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"the {label} are {_said(value)}"
    return f"the {label} is {_said(value)}{f' {unit}' if unit else ''}"


def _listed(items: list[str]) -> str:
    return ", ".join(items[:-1]) + " and " + items[-1] if len(items) > 1 else "".join(items)


def _sentence(text: str) -> str:
    text = text.strip()
    if text and text[-1] not in ".!?":
        text += "."
    return text[:1].upper() + text[1:]
