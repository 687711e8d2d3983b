"""What the commands `config` and `devices` print."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from agent_console.cli import BAD_INPUT
from agent_console.problems import console_problems
from agent_runtime.agent_loader import parse_target
from agent_runtime.settings_layers import load_settings


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as columns of text, the last one as long as it likes."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def print_config(agent: str | None, config_file: Path | None) -> int:
    """Each setting, its value (secrets masked) and where it came from; then what is wrong in the files, with 2."""
    target = parse_target(agent) if agent is not None else None
    folder = target.path.parent if target is not None and target.path is not None else None
    resolved = load_settings(folder=folder, project_file=config_file, lenient=True)
    rows = [("SETTING", "VALUE", "FROM")]
    rows += [(row.name, row.value or "-", row.origin) for row in resolved.rows()]
    print(table(rows), flush=True)
    problems = [*map(str, resolved.problems), *console_problems(resolved)]
    for problem in problems:
        print(f"agent-console: {problem}", file=sys.stderr)
    return BAD_INPUT if problems else 0


def print_devices() -> int:
    """The microphones and speakers, the ones in use marked."""
    from agent_runtime.devices import list_devices
    from agent_runtime.errors import AgentConsoleError

    try:
        devices = list_devices()
    except AgentConsoleError as exc:
        print(exc)
        return 1
    if not devices:
        print("no microphone and no speaker: connect one, or start the sound server; the console works by typing")
        return 1
    rows = [("KIND", "ID", "NAME", "")]
    for kind in ("input", "output"):
        for device in devices:
            if device.kind == kind:
                rows.append((kind, device.id, device.name, "default" if device.is_default else ""))
    print(table(rows))
    return 0
