"""Where in a TOML file something stands, for those who have to put it right."""

from __future__ import annotations

import re
from typing import Final

_HEADER: Final = re.compile(r"\s*\[\s*(.+?)\s*\]\s*(?:#.*)?$")
_ENTRY: Final = re.compile(r"""\s*(?P<key>"[^"]*"|'[^']*'|[\w.\-]+)\s*=""")


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


def place(file: str, text: str, table: str, key: str = "") -> str:
    """`file.toml:12`, or of the table's line, or the file alone where no line is plain to see."""
    line = line_of(text, table, key) or (line_of(text, table) if table else None)
    return f"{file}:{line}" if line is not None else file


def _bare(name: str) -> str:
    return name.strip("\"'")
