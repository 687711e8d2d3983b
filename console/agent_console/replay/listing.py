"""The newest bundles, for `replay` without one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from agent_console.drawing.status import clock_text
from agent_runtime.bundle import Bundle
from agent_runtime.bundle.layout import MANIFEST
from agent_runtime.errors import AgentConsoleError

SHOWN: Final = 10


def newest_bundles(folder: Path) -> list[Path]:
    """Bundles in a folder, the newest first."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if (path / MANIFEST).is_file()]
    return sorted(found, key=lambda path: (path.stat().st_mtime, path.name), reverse=True)


def listing(folder: Path) -> str:
    """A line for each of the newest, and how to play one."""
    found = newest_bundles(folder)
    if not found:
        return f"there are no recordings in {folder} yet: R in the console records, and so does --record"
    lines = [_line(path) for path in found[:SHOWN]]
    more = f"{len(found) - SHOWN} older ones are in {folder}" if len(found) > SHOWN else f"they are in {folder}"
    return "\n".join([*_aligned(lines), "", more, f"play one: agent-console replay {found[0]}"])


def _line(path: Path) -> tuple[str, ...]:
    try:
        bundle = Bundle.open(path)
        begun = datetime.fromtimestamp(bundle.manifest.started_at).strftime("%Y-%m-%d %H:%M")
        turns = len(bundle.turns)
        state = "" if bundle.manifest.complete else "being recorded" if bundle.is_being_written else "cut off"
        length = clock_text(bundle.duration)
        return begun, length, f"{turns} turn{'' if turns == 1 else 's'}", bundle.manifest.agent, path.name, state
    except AgentConsoleError as exc:
        return "", "", "", "", path.name, str(exc)


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
