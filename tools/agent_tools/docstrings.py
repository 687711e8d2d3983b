"""What a docstring says about a function and its parameters.

Google's, NumPy's and Sphinx's (reStructuredText) styles are read, and Epydoc's `@param`. A style isn't declared
anywhere, so each is recognised by its own marks; what none of them claims is the description.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field

_PARAMETERS = re.compile(r"(?:keyword |other )?(?:args|arguments|params|parameters)", re.IGNORECASE)
_OTHERS = re.compile(r"attributes|examples?|except(?:ions?)?|raises|returns?|see also|warns|yields?", re.IGNORECASE)
_NUMPY_ONLY = re.compile(r"notes|references|warnings", re.IGNORECASE)
_GOOGLE_HEADER = re.compile(r"^(?P<name>[A-Za-z][A-Za-z ]*):\s*$")
_GOOGLE_ENTRY = re.compile(r"^\*{0,2}(?P<name>\w+)\s*(?:\([^)]*(?:\([^)]*\)[^)]*)*\))?\s*:\s*(?P<text>.*)$")
_NUMPY_UNDERLINE = re.compile(r"^-{3,}\s*$")
_NUMPY_ENTRY = re.compile(r"^(?P<names>\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$")
_FIELD = re.compile(r"^[:@](?P<kind>\w+)(?:\s+(?P<subject>[^:]*?))?\s*:\s*(?P<text>.*)$")
_PARAMETER_FIELDS = {"param", "parameter", "arg", "argument", "key", "keyword"}
_OTHER_FIELDS = {"return", "returns", "rtype", "raise", "raises", "except", "exception", "type", "yield", "yields"}


@dataclass(frozen=True, slots=True)
class Docstring:
    """A docstring's parts: the description before any section, and a text for each parameter that it documents."""

    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


def parse_docstring(text: str | None) -> Docstring:
    """Read a docstring in whichever style it is written; None gives an empty one."""
    if not text:
        return Docstring()
    lines = inspect.cleandoc(text).splitlines()
    description: list[str] = []
    parameters: dict[str, str] = {}
    at = 0
    while at < len(lines):
        if (section := _numpy_section(lines, at)) is not None:
            body, at = _until_numpy_section(lines, at + 2)
            if _PARAMETERS.fullmatch(section):
                parameters.update(_numpy_entries(body))
        elif (section := _google_section(lines, at)) is not None:
            body, at = _indented(lines, at + 1)
            if _PARAMETERS.fullmatch(section):
                parameters.update(_google_entries(body))
        elif (match := _field(lines[at])) is not None:
            body, at = _indented(lines, at + 1)
            if match["kind"] in _PARAMETER_FIELDS and match["subject"]:
                # `:param str city:` has the type between the field's name and the parameter's
                parameters[match["subject"].split()[-1].lstrip("*")] = _joined([match["text"], *body])
        else:
            description.append(lines[at])
            at += 1
    return Docstring("\n".join(description).strip(), parameters)


def _google_section(lines: list[str], at: int) -> str | None:
    match = _GOOGLE_HEADER.match(lines[at])
    return (
        match["name"] if match and (_PARAMETERS.fullmatch(match["name"]) or _OTHERS.fullmatch(match["name"])) else None
    )


def _numpy_section(lines: list[str], at: int) -> str | None:
    if at + 1 >= len(lines) or not _NUMPY_UNDERLINE.match(lines[at + 1]):
        return None
    name = lines[at].strip()
    return name if any(kind.fullmatch(name) for kind in (_PARAMETERS, _OTHERS, _NUMPY_ONLY)) else None


def _field(line: str) -> re.Match[str] | None:
    match = _FIELD.match(line)
    return match if match and match["kind"] in _PARAMETER_FIELDS | _OTHER_FIELDS else None


def _indented(lines: list[str], at: int) -> tuple[list[str], int]:
    """The lines from `at` that are blank or indented, and where the next one is."""
    end = at
    while end < len(lines) and (not lines[end].strip() or lines[end][0].isspace()):
        end += 1
    return lines[at:end], end


def _until_numpy_section(lines: list[str], at: int) -> tuple[list[str], int]:
    end = at
    while end < len(lines) and _numpy_section(lines, end) is None:
        end += 1
    return lines[at:end], end


def _google_entries(body: list[str]) -> dict[str, str]:
    """`name (type): text` at the section's own indent, continued by lines that are indented further."""
    filled = [line for line in body if line.strip()]
    if not filled:
        return {}
    indent = min(_indent(line) for line in filled)
    return _entries(filled, indent, _GOOGLE_ENTRY)


def _numpy_entries(body: list[str]) -> dict[str, str]:
    """`name : type` flush left, its text on indented lines below; several names may share one text."""
    filled = [line for line in body if line.strip()]
    entries: dict[str, str] = {}
    names: list[str] = []
    text: list[str] = []
    for line in [*filled, ""]:
        match = _NUMPY_ENTRY.match(line) if not line[:1].isspace() else None
        if match is not None or not line:
            entries.update({name.strip().lstrip("*"): _joined(text) for name in names})
            names, text = (match["names"].split(",") if match else []), []
        else:
            text.append(line)
    return entries


def _entries(lines: list[str], indent: int, pattern: re.Pattern[str]) -> dict[str, str]:
    entries: dict[str, str] = {}
    name = ""
    for line in lines:
        match = pattern.match(line[indent:]) if _indent(line) == indent else None
        if match is not None:
            name = match["name"]
            entries[name] = match["text"].strip()
        elif name:
            entries[name] = _joined([entries[name], line])
    return entries


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _joined(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines if line.strip())
