"""Keeps secrets out of what is recorded: values that are known, what looks like a key, and what is named like one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from agent_runtime.redaction import MASK, Redactor

_NAMES: Final = (
    r"api[_-]?key|access[_-]?key|private[_-]?key|secret(?:[_-]?key)?|password|passwd|token|credentials?|authorization"
)
_SECRET_NAME: Final = re.compile(rf"(?:{_NAMES})$", re.IGNORECASE)
_NAMED_IN_JSON: Final = re.compile(rf'(?:{_NAMES})\\*"\s*:\s*\\*"', re.IGNORECASE)
_NAMED_IN_TEXT: Final = re.compile(rf"((?:{_NAMES})[\"']?\s*[=:]\s*[\"'])([^\"'\s]+)", re.IGNORECASE)


class Scrubber:
    """Takes secrets out of recorded data.

    Args:
        secrets: values that are known to be secret; those of the environment whose names say so are added.
        environ: environment variables; the process's own if left out.
    """

    def __init__(self, secrets: Iterable[str] = (), environ: Mapping[str, str] | None = None) -> None:
        known = [secret for secret in secrets if secret]
        # In a line of JSON they may be written with escapes.
        self._redact = Redactor([*known, *(json.dumps(secret)[1:-1] for secret in known)], environ)

    def line(self, line: str) -> str:
        """A line of JSON without secrets; the line itself if it has none, which is found out at little cost."""
        if self._redact(line) == line and not _NAMED_IN_JSON.search(line):
            return line
        return json.dumps(self.value(json.loads(line)), ensure_ascii=False, separators=(",", ":"))

    def value(self, value: Any, name: str = "") -> Any:
        """JSON data without secrets. JSON inside of a string (a tool's arguments) is looked into too."""
        if isinstance(value, dict):
            return {key: inner if key == "type" else self.value(inner, key) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(inner, name) for inner in value]
        if not isinstance(value, str) or not value:
            return value
        if _SECRET_NAME.search(name):
            return MASK
        return self._redact(without_password(self._inside(value)))

    def source(self, text: str) -> str:
        """Source code without known secrets, and without literals that are given to something named like a secret."""
        return self._redact(_NAMED_IN_TEXT.sub(lambda match: match[1] + MASK, text))

    def _inside(self, text: str) -> str:
        if text[0] not in "{[":
            return text
        try:
            inside = json.loads(text)
        except ValueError:
            return text
        clean = self.value(inside)
        return text if clean == inside else json.dumps(clean, ensure_ascii=False)


def without_password(text: str) -> str:
    """A URL without the password in it; any other text as it is."""
    if "://" not in text or "@" not in text or " " in text:
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    if parts.password is None:
        return text
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:{MASK}@{host}"))
