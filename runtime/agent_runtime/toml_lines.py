"""TOML files that people write, and where in them something stands, for those who have to put it right."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

_HEADER: Final = re.compile(r"\s*\[\s*(.+?)\s*\]\s*(?:#.*)?$")
_ENTRY: Final = re.compile(r"""\s*(?P<key>"[^"]*"|'[^']*'|[\w.\-]+)\s*=""")
_AT: Final = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")
"""How `tomllib` ends its messages; before Python 3.14 its errors have no line of their own."""


class TomlFileError(Exception):
    """Raised when a file can't be read as TOML. `line` is counted from 1; None if it is the whole file."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        self.problem = problem
        self.line = line
        super().__init__(problem)


def read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    """A file's text and what it means. Raises TomlFileError."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise TomlFileError(f"can't be read: {exc}") from exc
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        at = _AT.search(str(exc))
        if at is None:
            raise TomlFileError(f"isn't TOML: {exc}") from exc
        line = int(at[1]) if at[1] else len(text.splitlines()) or 1
        raise TomlFileError(f"isn't TOML: {str(exc)[: at.start()]}", line) from exc


def line_of(text: str, table: str, key: str = "") -> int | None:
    """The line of a key in a table, counted from 1; of the table itself without a key; None where it isn't plain."""
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            section = _bare(header[1])
            if not key and section == table:
                return number
        elif key and section == table and (entry := _ENTRY.match(line)) and _bare(entry["key"]) == key:
            return number
    return None


def line_of_name(text: str, dotted: str) -> int | None:
    """The line of `table.key`, however it is divided between a heading and a line under it."""
    parts = dotted.split(".")
    for count in range(len(parts), -1, -1):
        table, key = ".".join(parts[:count]), ".".join(parts[count:])
        if (line := line_of(text, table, key)) is not None:
            return line
    return None


def at_line(file: str, line: int | None) -> str:
    """`file.toml:12`, or the file alone where no line is known."""
    return file if line is None else f"{file}:{line}"


def place(file: str, text: str, table: str, key: str = "") -> str:
    """`file.toml:12`, or of the table's line, or the file alone where no line is plain to see."""
    return at_line(file, line_of(text, table, key) or (line_of(text, table) if table else None))


def _bare(name: str) -> str:
    return name.strip("\"'")
